#include "tests/simulation/system/story.h"

#include <algorithm>
#include <array>
#include <cstdio>
#include <utility>

#include "tests/simulation/system/places.h"

namespace assent::simulation::system {
namespace {

// A replica's daily work: it says nothing of one transaction.
constexpr std::array<std::string_view, 11> kOfTheLog = {"hears",     "flushed", "writes",  "sends",
                                                        "learns",    "answers", "reads",   "keeps",
                                                        "snapshots", "fetches", "installs"};

bool befalls(const TraceLine& line) {
  const bool of_the_log =
      is_replica(line.who) && std::ranges::find(kOfTheLog, line.what) != kOfTheLog.end();
  return !of_the_log && !find_transaction(line.text);
}

std::string with_name(std::string text, const std::string& id) {
  for (std::size_t at = text.find(id); at != std::string::npos; at = text.find(id, at)) {
    text.replace(at, id.size(), "T");
  }
  return text;
}

}  // namespace

std::optional<TransactionId> find_transaction(std::string_view text) {
  for (std::size_t at = 0; at + kTransactionIdLength <= text.size(); ++at) {
    if (const auto id = parse_transaction_id(text.substr(at, kTransactionIdLength))) return id;
  }
  return std::nullopt;
}

void tell(const TraceLine& line) {
  std::printf("%11.6f  %-10s %-22.*s %s\n",
              static_cast<double>(line.when) / static_cast<double>(kSecond),
              place_name(line.who).c_str(), static_cast<int>(line.what.size()), line.what.data(),
              line.text.c_str());
}

Story::Story(const TransactionId& transaction, Tell tell)
    : id_(to_string(transaction)), tell_(std::move(tell)) {}

void Story::take(const TraceLine& line) {
  if (line.text.find(id_) == std::string::npos) {
    if (begun_ && befalls(line)) {
      between_.push_back({line.when, line.who, std::string(line.what), line.text});
    }
    return;
  }
  if (!std::exchange(begun_, true)) tell_({line.when, 0, "the story of T", id_});
  for (const Kept& kept : std::exchange(between_, {})) {
    tell_({kept.when, kept.who, kept.what, kept.text});
  }
  tell_({line.when, line.who, line.what, with_name(line.text, id_)});
}

}  // namespace assent::simulation::system
