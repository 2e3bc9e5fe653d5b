// "host:port" as our configuration and messages spell it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "base/error.h"

namespace assent::rpc {

struct Address {
  std::string host;  // a name or a numeric address, without brackets
  std::uint16_t port = 0;

  bool operator==(const Address&) const = default;
};

// Accepts "name:port", "127.0.0.1:port" and "[::1]:port"; else kInvalidArgument.
Result<Address> parse_address(std::string_view text);

// Bytes: the longest name that DNS knows, and a port.
inline constexpr std::size_t kAddressMax = 300;

// Whether others can be told to connect to it: an address of at most kAddressMax bytes, whose port
// is not 0, which only a listener may have. Else kInvalidArgument.
Result<void> check_reachable(std::string_view text);

}  // namespace assent::rpc
