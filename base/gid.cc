#include "base/gid.h"

#include <charconv>

#include "base/check.h"

namespace assent {
namespace {

constexpr std::string_view kPrefix = "assent:";

// Takes the part up to `separator` off the front of `rest`.
std::optional<std::string_view> take_until(std::string_view& rest, char separator) {
  const std::size_t end = rest.find(separator);
  if (end == std::string_view::npos) return std::nullopt;
  const std::string_view part = rest.substr(0, end);
  rest.remove_prefix(end + 1);
  return part;
}

// A positive decimal number without leading zeros.
std::optional<std::uint64_t> parse_number(std::string_view text) {
  if (text.empty() || text.front() == '0') return std::nullopt;
  std::uint64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return value;
}

}  // namespace

std::string make_gid(std::string_view cluster, const BranchId& branch) {
  CHECK(valid_cluster_name(cluster), "a gid is made only of valid names");
  CHECK(valid_participant_name(branch.participant), "a gid is made only of valid names");
  std::string gid(kPrefix);
  gid.append(cluster).append(":").append(to_string(branch));
  CHECK_LE(gid.size(), kGidLengthMax, "PostgreSQL refuses longer gids");
  return gid;
}

std::optional<Gid> parse_gid(std::string_view text) {
  if (text.substr(0, kPrefix.size()) != kPrefix) return std::nullopt;
  text.remove_prefix(kPrefix.size());
  const auto cluster = take_until(text, ':');
  const auto transaction_text = cluster ? take_until(text, ':') : std::nullopt;
  const auto participant = transaction_text ? take_until(text, ':') : std::nullopt;
  const auto epoch_text = participant ? take_until(text, '.') : std::nullopt;
  if (!epoch_text) return std::nullopt;
  const auto transaction = parse_transaction_id(*transaction_text);
  const auto epoch = parse_number(*epoch_text);
  const auto attempt = parse_number(text);
  if (!valid_cluster_name(*cluster) || !valid_participant_name(*participant) || !transaction ||
      !epoch || !attempt) {
    return std::nullopt;
  }
  return Gid{std::string(*cluster),
             BranchId{*transaction, std::string(*participant), Epoch(*epoch), Attempt(*attempt)}};
}

}  // namespace assent
