#include "client/cpp/src/directory.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace assent::client {
namespace {

using testing::ElementsAre;

wire::HelloReply hello(std::int64_t now_ms, std::vector<std::pair<std::string, std::string>> at) {
  wire::HelloReply reply;
  reply.cluster = "home";
  reply.now_ms = now_ms;
  for (auto& [name, address] : at) {
    auto& participant = reply.participants.emplace_back();
    participant.name = name;
    participant.client_address = address;
  }
  return reply;
}

TEST(Directory, KnowsWhatTheLatestHelloTold) {
  Directory directory;
  directory.learn(hello(1'000, {{"orders", "a:1"}, {"stock", "b:1"}}), MonoTime(5));
  directory.learn(hello(2'000, {{"orders", "c:1"}}), MonoTime(6));
  EXPECT_THAT(directory.names(), ElementsAre("orders"));
  EXPECT_EQ(directory.address_of("orders"), "c:1");
  EXPECT_EQ(directory.address_of("stock"), std::nullopt);
  EXPECT_EQ(directory.cluster(), "home");
}

TEST(Directory, TellsTheCoordinatorsTimeForth) {
  Directory directory;
  directory.learn(hello(1'000'000, {}), MonoTime(70));
  EXPECT_EQ(directory.time(MonoTime(70)), LogTime(1'000'000));
  EXPECT_EQ(directory.time(MonoTime(95)), LogTime(1'000'025));
}

TEST(Directory, KnowsTheOfficeThatWasToldLast) {
  Directory directory;
  EXPECT_EQ(directory.office(), 0);
  auto reply = hello(1'000, {});
  reply.office = 7;
  directory.learn(reply, MonoTime(5));
  EXPECT_EQ(directory.office(), 7);
  directory.learn_office(8);
  EXPECT_EQ(directory.office(), 8);
}

}  // namespace
}  // namespace assent::client
