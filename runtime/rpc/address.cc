#include "runtime/rpc/address.h"

#include <charconv>

namespace assent::rpc {
namespace {

tl::unexpected<Error> malformed(std::string_view text) {
  return failure(ErrorCode::kInvalidArgument,
                 "'" + std::string(text) + "' is not an address: expected host:port");
}

}  // namespace

Result<Address> parse_address(std::string_view text) {
  const std::size_t colon = text.rfind(':');
  if (colon == std::string_view::npos) return malformed(text);
  std::string_view host = text.substr(0, colon);
  const std::string_view digits = text.substr(colon + 1);
  if (host.size() > 2 && host.front() == '[' && host.back() == ']') {
    host = host.substr(1, host.size() - 2);
  } else if (host.empty() || host.find_first_of(":[]") != std::string_view::npos) {
    return malformed(text);
  }
  std::uint16_t port = 0;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), port);
  if (error != std::errc() || end != digits.data() + digits.size()) return malformed(text);
  return Address{std::string(host), port};
}

Result<void> check_reachable(std::string_view text) {
  if (text.size() > kAddressMax) {
    return failure(ErrorCode::kInvalidArgument, "an address of " + std::to_string(text.size()) +
                                                    " bytes is longer than " +
                                                    std::to_string(kAddressMax));
  }
  const Result<Address> address = parse_address(text);
  if (!address) return tl::unexpected(address.error());
  if (address->port != 0) return {};
  return failure(ErrorCode::kInvalidArgument,
                 "'" + std::string(text) + "' has port 0, which nobody can connect to");
}

}  // namespace assent::rpc
