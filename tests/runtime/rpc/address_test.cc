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

TEST(CheckReachable, AcceptsWhatOthersCanConnectTo) {
  EXPECT_TRUE(check_reachable("db-1.example:7001"));
  EXPECT_TRUE(check_reachable("[::1]:1"));
  EXPECT_TRUE(check_reachable(std::string(kAddressMax - 2, 'a') + ":1"));
}

TEST(CheckReachable, RefusesWhatIsNoAddressOrHasNoPortOrIsTooLong) {
  for (const std::string& text :
       {std::string(), std::string("host"), std::string("host:x"), std::string("127.0.0.1:0"),
        std::string(kAddressMax - 1, 'a') + ":1"}) {
    const auto refused = check_reachable(text);
    ASSERT_FALSE(refused.has_value()) << text;
    EXPECT_EQ(refused.error().code, ErrorCode::kInvalidArgument) << text;
  }
}

}  // namespace
}  // namespace assent::rpc
