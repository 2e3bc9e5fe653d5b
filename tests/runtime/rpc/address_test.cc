#include "runtime/rpc/address.h"

#include <gtest/gtest.h>

namespace assent::rpc {
namespace {

TEST(ParseAddress, AcceptsNamesAndNumericAddresses) {
  EXPECT_EQ(parse_address("db-1.example:7001").value(), (Address{"db-1.example", 7001}));
  EXPECT_EQ(parse_address("127.0.0.1:0").value(), (Address{"127.0.0.1", 0}));
  EXPECT_EQ(parse_address("[::1]:65535").value(), (Address{"::1", 65535}));
}

TEST(ParseAddress, RefusesEverythingElseAndShowsIt) {
  for (const char* text : {"", "host", "host:", ":7001", "host:x", "host:70 ", "host:65536",
                           "host:-1", "::1:7001", "[]:7001", "host:70:01"}) {
    const auto address = parse_address(text);
    ASSERT_FALSE(address.has_value()) << text;
    EXPECT_EQ(address.error().code, ErrorCode::kInvalidArgument);
    EXPECT_NE(address.error().message.find("'" + std::string(text) + "'"), std::string::npos);
  }
}

}  // namespace
}  // namespace assent::rpc
