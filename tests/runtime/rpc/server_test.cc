#include <gmock/gmock.h>

#include "harness.h"

namespace assent::rpc {
namespace {

constexpr std::size_t kMebibyte = 1u << 20;

class ServerTest : public testing::Test {
 protected:
  asio::io_context loop_{1};
};

TEST_F(ServerTest, AnswersACall) {
  TestServer server(loop_);
  Client client(loop_, server.address());

  const auto answer = call_hello(client, "shop");

  ASSERT_TRUE(run_until(loop_, [&] { return answer->has_value(); }));
  ASSERT_TRUE(answer->value().has_value()) << answer->value().error().message;
  EXPECT_EQ(answer->value()->cluster, "shop");
  EXPECT_EQ(server.counters().calls, 1u);
  EXPECT_EQ(server.counters().connections, 1u);
}

TEST_F(ServerTest, ADeclaredExceptionArrivesAsTheErrorThatItStandsFor) {
  TestServer server(loop_);
  Client client(loop_, server.address());

  const auto answer = call_status(client);

  ASSERT_TRUE(run_until(loop_, [&] { return answer->has_value(); }));
  EXPECT_EQ(answer->value().error(), refusal());
}

TEST_F(ServerTest, RefusesAVersionThatItDoesNotSpeak) {
  TestServer server(loop_);
  Client client(loop_, server.address());
  std::optional<Result<wire::HelloReply>> answer;
  wire::HelloRequest request;
  request.protocol_version = 77;

  ASSENT_CALL(wire::Coordinator, hello, wire::HelloReply)
  (client, request, kPlenty, [&](Result<wire::HelloReply> result) { answer = std::move(result); });

  ASSERT_TRUE(run_until(loop_, [&] { return answer.has_value(); }));
  EXPECT_EQ(answer->error().code, ErrorCode::kUnsupportedVersion);
}

TEST_F(ServerTest, RepliesMayOvertakeEachOther) {
  TestServer server(loop_);
  Client client(loop_, server.address());
  const auto first = call_start(client);
  const auto second = call_start(client);
  ASSERT_TRUE(run_until(loop_, [&] { return server.handler->held.size() == 2; }));

  server.handler->held[1].answer("second");
  ASSERT_TRUE(run_until(loop_, [&] { return second->has_value(); }));
  EXPECT_FALSE(first->has_value());
  server.handler->held[0].answer("first");

  ASSERT_TRUE(run_until(loop_, [&] { return first->has_value(); }));
  EXPECT_EQ(first->value()->transaction, "first");
  EXPECT_EQ(second->value()->transaction, "second");
}

TEST_F(ServerTest, SpeaksTheProtocolOfTheFirstByte) {
  TestServer server(loop_);
  for (const Encoding encoding : {Encoding::kBinary, Encoding::kCompact}) {
    RawSocket socket(loop_, server.port);

    ASSERT_TRUE(socket.send(hello_frame(encoding, 7, "shop")));

    ASSERT_TRUE(socket.wait_for_frames(1));
    const DecodedHello hello = decode_hello(socket.frames().front(), encoding);
    EXPECT_EQ(hello.seqid, 7);
    EXPECT_EQ(hello.reply.cluster, "shop");
  }
}

TEST_F(ServerTest, AnswersAllCallsThatComeInOnePiece) {
  TestServer server(loop_);
  RawSocket socket(loop_, server.port);
  std::string calls;
  for (int i = 0; i < 500; ++i) calls += hello_frame(Encoding::kBinary, i, std::to_string(i));

  ASSERT_TRUE(socket.send(calls));

  ASSERT_TRUE(socket.wait_for_frames(500));
  const DecodedHello last = decode_hello(socket.frames().back(), Encoding::kBinary);
  EXPECT_EQ(last.seqid, 499);
  EXPECT_EQ(last.reply.cluster, "499");
}

TEST_F(ServerTest, AnswersACallThatComesByteByByte) {
  TestServer server(loop_);
  RawSocket socket(loop_, server.port);

  for (const char byte : hello_frame(Encoding::kBinary, 1, "shop")) {
    ASSERT_TRUE(socket.send({&byte, 1}));
    settle(loop_);
  }

  ASSERT_TRUE(socket.wait_for_frames(1));
}

TEST_F(ServerTest, AnUnknownMethodGetsThriftsOwnExceptionAndTheConnectionLives) {
  TestServer server(loop_);
  Client client(loop_, server.address());
  std::optional<Result<void>> answer;

  client.call(
      "nonsense",
      [](apache::thrift::protocol::TProtocol& out) {
        out.writeStructBegin("args");
        out.writeFieldStop();
        out.writeStructEnd();
      },
      [](apache::thrift::protocol::TProtocol&) {}, kPlenty,
      [&](Result<void> outcome) { answer = std::move(outcome); });

  ASSERT_TRUE(run_until(loop_, [&] { return answer.has_value(); }));
  EXPECT_EQ(answer->error().code, ErrorCode::kInternal);
  EXPECT_THAT(answer->error().message, testing::HasSubstr("Invalid method name: 'nonsense'"));
  EXPECT_TRUE(client.connected());
}

TEST_F(ServerTest, CarriesMoreThanAHundredMebibytesOverOneConnection) {
  TestServer server(loop_);
  Client client(loop_, server.address());
  const std::string mebibyte(kMebibyte, 'x');

  for (int i = 0; i < 120; ++i) {
    const auto answer = call_hello(client, mebibyte);
    ASSERT_TRUE(run_until(loop_, [&] { return answer->has_value(); }));
    ASSERT_TRUE(answer->value().has_value()) << i << ": " << answer->value().error().message;
    ASSERT_EQ(answer->value()->cluster.size(), kMebibyte);
  }

  EXPECT_EQ(server.counters().accepted, 1u);
}

TEST_F(ServerTest, ReadsNoFurtherWhileTooManyCallsAreInFlight) {
  TestServer server(loop_, {.in_flight_max = 2});
  RawSocket socket(loop_, server.port);
  std::string calls;
  for (int i = 0; i < 5; ++i) calls += start_frame(i);
  ASSERT_TRUE(socket.send(calls));
  ASSERT_TRUE(run_until(loop_, [&] { return server.handler->held.size() == 2; }));
  settle(loop_);
  ASSERT_EQ(server.handler->held.size(), 2u);

  server.handler->held[0].answer("0");

  ASSERT_TRUE(run_until(loop_, [&] { return server.handler->held.size() == 3; }));
  settle(loop_);
  EXPECT_EQ(server.handler->held.size(), 3u);
  for (std::size_t i = 1; i < 5; ++i) {
    ASSERT_TRUE(run_until(loop_, [&] { return server.handler->held.size() > i; }));
    server.handler->held[i].answer(std::to_string(i));
  }
  EXPECT_TRUE(socket.wait_for_frames(5));
}

TEST_F(ServerTest, ReadsNoFurtherWhileRepliesAreNotTaken) {
  constexpr std::size_t kCalls = 64;
  TestServer server(loop_, {.unsent_bytes_max = kMebibyte});
  RawSocket socket(loop_, server.port);
  std::string calls;
  for (int i = 0; i < static_cast<int>(kCalls); ++i) {
    calls += hello_frame(Encoding::kBinary, i, std::string(kMebibyte, 'x'));
  }
  std::string_view rest = calls;

  // The peer writes and never reads, until the buffers of both kernels are full.
  for (bool stuck = false; !stuck;) {
    const std::size_t before = rest.size();
    rest.remove_prefix(socket.send_some(rest));
    settle(loop_);
    stuck = rest.size() == before;
  }

  EXPECT_LT(server.handler->hellos, kCalls);
  EXPECT_TRUE(run_until(loop_, [&] {
    rest.remove_prefix(socket.send_some(rest));
    return socket.received().size() > kCalls * kMebibyte;
  }));
  EXPECT_EQ(socket.frames().size(), kCalls);
}

}  // namespace
}  // namespace assent::rpc
