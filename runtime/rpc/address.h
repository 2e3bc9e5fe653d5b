// "host:port" as our configuration and messages spell it.
#pragma once

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

}  // namespace assent::rpc
