#include <gmock/gmock.h>
#include <sys/socket.h>

#include "harness.h"

namespace assent::rpc {
namespace {

constexpr std::size_t kMebibyte = 1u << 20;

class ClientTest : public testing::Test {
 protected:
  template <class Reply>
  bool wait_for(const Answer<Reply>& answer) {
    return run_until(loop_, [&] { return answer->has_value(); });
  }

  asio::io_context loop_{1};
};

TEST_F(ClientTest, ConnectsWhenFirstUsed) {
  TestServer server(loop_);
  Client client(loop_, server.address());
  settle(loop_);
  EXPECT_EQ(server.counters().accepted, 0u);

  const auto answer = call_hello(client, "shop");

  ASSERT_TRUE(wait_for(answer));
  EXPECT_TRUE(client.connected());
  EXPECT_EQ(server.counters().accepted, 1u);
}

TEST_F(ClientTest, SendsCallsMadeWhileConnectingInTheirOrder) {
  RawListener listener(loop_);
  Client client(loop_, listener.address());
  call_hello(client, "first");
  call_hello(client, "second");
  EXPECT_FALSE(client.connected());

  RawSocket peer = listener.accept();

  ASSERT_TRUE(peer.wait_for_frames(2));
  EXPECT_THAT(peer.frames(),
              testing::ElementsAre(testing::HasSubstr("first"), testing::HasSubstr("second")));
}

TEST_F(ClientTest, ReachesAHostByItsName) {
  TestServer server(loop_);
  Client client(loop_, "localhost:" + std::to_string(server.port));

  const auto answer = call_hello(client, "shop");

  ASSERT_TRUE(wait_for(answer));
  EXPECT_TRUE(answer->value().has_value());
}

TEST_F(ClientTest, WithoutAServerTheCallWasCertainlyNotSent) {
  RawListener listener(loop_);
  Client client(loop_, listener.address());
  listener.close();

  const auto answer = call_hello(client, "shop");

  EXPECT_FALSE(answer->has_value()) << "never from inside call()";
  ASSERT_TRUE(wait_for(answer));
  EXPECT_EQ(answer->value().error().code, ErrorCode::kUnavailable);
}

TEST_F(ClientTest, AnAddressThatIsNoneIsUnavailable) {
  Client client(loop_, "nowhere");

  const auto answer = call_hello(client, "shop");

  ASSERT_TRUE(wait_for(answer));
  EXPECT_EQ(answer->value().error().code, ErrorCode::kUnavailable);
  EXPECT_THAT(answer->value().error().message, testing::HasSubstr("'nowhere' is not an address"));
}

TEST_F(ClientTest, GivesUpConnectingInTime) {
  // A listener with a full queue drops what else asks to connect.
  asio::basic_socket_acceptor<asio::ip::tcp, asio::io_context::executor_type> full(loop_);
  full.open(asio::ip::tcp::v4());
  full.bind({asio::ip::address_v4::loopback(), 0});
  full.listen(0);
  const std::uint16_t port = full.local_endpoint().port();
  RawSocket occupant(loop_, port);
  Client client(loop_, "127.0.0.1:" + std::to_string(port), {.connect_max = Millis(50)});

  const auto answer = call_hello(client, "shop");

  ASSERT_TRUE(wait_for(answer));
  EXPECT_EQ(answer->value().error().code, ErrorCode::kUnavailable);
  EXPECT_THAT(answer->value().error().message, testing::HasSubstr("no connection in time"));
}

TEST_F(ClientTest, ConnectsAgainAfterALoss) {
  RawListener listener(loop_);
  Client client(loop_, listener.address());
  std::vector<bool> seen;
  client.on_connection([&](bool up) { seen.push_back(up); });
  const auto lost = call_hello(client, "first");
  {
    RawSocket peer = listener.accept();
    ASSERT_TRUE(peer.wait_for_frames(1));
  }
  ASSERT_TRUE(wait_for(lost));
  EXPECT_FALSE(client.connected());

  call_hello(client, "second");

  RawSocket peer = listener.accept();
  ASSERT_TRUE(peer.wait_for_frames(1));
  EXPECT_THAT(peer.frames().front(), testing::HasSubstr("second"));
  EXPECT_THAT(seen, testing::ElementsAre(true, false, true));
}

TEST_F(ClientTest, ACallInFlightWhenTheConnectionIsLostHasAnUnknownOutcome) {
  RawListener listener(loop_);
  Client client(loop_, listener.address());
  const auto answer = call_hello(client, "shop");
  RawSocket peer = listener.accept();
  ASSERT_TRUE(peer.wait_for_frames(1));

  peer.close();

  ASSERT_TRUE(wait_for(answer));
  EXPECT_EQ(answer->value().error().code, ErrorCode::kOutcomeUnknown);
}

TEST_F(ClientTest, ACallOfWhichNoByteWasSentIsKnownToBeUnsent) {
  constexpr std::size_t kCalls = 64;
  RawListener listener(loop_);
  Client client(loop_, listener.address(), {.unsent_bytes_max = 128 * kMebibyte});
  std::vector<Answer<wire::HelloReply>> answers;
  for (std::size_t i = 0; i < kCalls; ++i) {
    answers.push_back(call_hello(client, std::string(kMebibyte, 'x')));
  }
  // It takes the connection and reads nothing: the kernels' buffers hold a part of the calls.
  RawSocket peer = listener.accept();
  ASSERT_TRUE(run_until(loop_, [&] { return client.connected(); }));
  settle(loop_);

  peer.close();

  ASSERT_TRUE(wait_for(answers.back()));
  EXPECT_EQ(answers.front()->value().error().code, ErrorCode::kOutcomeUnknown);
  EXPECT_EQ(answers.back()->value().error().code, ErrorCode::kUnavailable);
}

TEST_F(ClientTest, ATimeoutLeavesTheOutcomeUnknownAndALateReplyIsIgnored) {
  TestServer server(loop_);
  Client client(loop_, server.address());
  const auto slow = call_start(client, Millis(30));
  const auto patient = call_start(client);
  ASSERT_TRUE(wait_for(slow));
  EXPECT_EQ(slow->value().error().code, ErrorCode::kOutcomeUnknown);

  server.handler->held[0].answer("late");
  server.handler->held[1].answer("in time");

  ASSERT_TRUE(wait_for(patient));
  EXPECT_EQ(patient->value()->transaction, "in time");
  EXPECT_FALSE(slow->value().has_value());
}

TEST_F(ClientTest, TimeoutsCallInTheOrderOfTheirDeadlines) {
  TestServer server(loop_);
  Client client(loop_, server.address());
  const wire::StartRequest request;
  std::vector<int> timed_out;
  for (const int milliseconds : {40, 20, 30}) {
    ASSENT_CALL(wire::Coordinator, start, wire::StartReply)
    (client, request, Millis(milliseconds),
     [&, milliseconds](const Result<wire::StartReply>&) { timed_out.push_back(milliseconds); });
  }

  ASSERT_TRUE(run_until(loop_, [&] { return timed_out.size() == 3; }));

  EXPECT_THAT(timed_out, testing::ElementsAre(20, 30, 40));
}

TEST_F(ClientTest, AFrameThatIsNoReplyEndsTheConnection) {
  RawListener listener(loop_);
  Client client(loop_, listener.address());
  const auto answer = call_hello(client, "shop");
  RawSocket peer = listener.accept();
  ASSERT_TRUE(peer.wait_for_frames(1));

  ASSERT_TRUE(peer.send(framed("what is this?")));

  ASSERT_TRUE(wait_for(answer));
  EXPECT_EQ(answer->value().error().code, ErrorCode::kOutcomeUnknown);
  EXPECT_TRUE(peer.wait_for_close());
}

TEST_F(ClientTest, AReplyThatCannotBeReadFailsItsCallAndEndsTheConnection) {
  TestServer server(loop_);
  RawListener listener(loop_);
  Client client(loop_, listener.address());
  const auto unreadable = call_hello(client, "shop");
  const auto other = call_hello(client, "shop");
  RawSocket peer = listener.accept();
  ASSERT_TRUE(peer.wait_for_frames(2));

  // A reply with the first call's seqid that ends within a string.
  ASSERT_TRUE(peer.send(framed(std::string("\x80\x01\0\x02\0\0\0\x05hello\0\0\0\x01", 17) +
                               std::string("\x0c\0\0\x0b\0\x02\x7f\xff\xff\xff", 10))));

  ASSERT_TRUE(wait_for(unreadable));
  ASSERT_TRUE(wait_for(other));
  EXPECT_EQ(unreadable->value().error().code, ErrorCode::kInternal);
  EXPECT_EQ(other->value().error().code, ErrorCode::kOutcomeUnknown);
}

TEST_F(ClientTest, AReplyLongerThanAllowedEndsTheConnection) {
  TestServer server(loop_);
  Client client(loop_, server.address(), {.frame_bytes_max = 1'000});
  const auto answer = call_start(client);
  ASSERT_TRUE(run_until(loop_, [&] { return server.handler->held.size() == 1; }));

  server.handler->held.front().answer(std::string(2'000, 'x'));

  ASSERT_TRUE(wait_for(answer));
  EXPECT_EQ(answer->value().error().code, ErrorCode::kOutcomeUnknown);
}

TEST_F(ClientTest, ARequestLongerThanAFrameIsNotSent) {
  TestServer server(loop_);
  Client client(loop_, server.address(), {.frame_bytes_max = 1'000});

  const auto answer = call_hello(client, std::string(2'000, 'x'));

  EXPECT_FALSE(answer->has_value());
  ASSERT_TRUE(wait_for(answer));
  EXPECT_EQ(answer->value().error().code, ErrorCode::kInvalidArgument);
  EXPECT_EQ(server.counters().accepted, 0u);
}

TEST_F(ClientTest, AFullQueueRefusesTheNextCall) {
  TestServer server(loop_);
  Client client(loop_, server.address(), {.in_flight_max = 2});
  const auto first = call_start(client);
  call_start(client);

  const auto third = call_start(client);

  EXPECT_FALSE(third->has_value());
  ASSERT_TRUE(wait_for(third));
  EXPECT_EQ(third->value().error().code, ErrorCode::kUnavailable);
  ASSERT_TRUE(run_until(loop_, [&] { return server.handler->held.size() == 2; }));
  server.handler->held.front().answer("room again");
  ASSERT_TRUE(wait_for(first));
  call_start(client);
  EXPECT_TRUE(run_until(loop_, [&] { return server.handler->held.size() == 3; }));
}

TEST_F(ClientTest, TooManyUnsentBytesRefuseTheNextCall) {
  RawListener listener(loop_);
  Client client(loop_, listener.address(), {.unsent_bytes_max = kMebibyte});
  call_hello(client, std::string(kMebibyte, 'x'));

  const auto second = call_hello(client, "shop");

  ASSERT_TRUE(wait_for(second));
  EXPECT_EQ(second->value().error().code, ErrorCode::kUnavailable);
}

TEST_F(ClientTest, AConnectionWhosePeerTakesNothingForTooLongIsLost) {
  RawListener listener(loop_);
  ClientLimits limits;
  limits.stalled_max = Millis(200);
  Client client(loop_, listener.address(), limits);
  bool lost = false;
  client.on_connection([&](bool up) { lost = lost || !up; });
  call_hello(client, std::string(32 * kMebibyte, 'x'));

  const RawSocket peer = listener.accept();  // and reads nothing

  EXPECT_TRUE(run_until(loop_, [&] { return lost; }));
}

TEST_F(ClientTest, ADestroyedClientCallsNothingBack) {
  TestServer server(loop_);
  auto client = std::make_unique<Client>(loop_, server.address(), ClientLimits{.in_flight_max = 1});
  const auto in_flight = call_start(*client);
  ASSERT_TRUE(run_until(loop_, [&] { return server.handler->held.size() == 1; }));
  const auto refused = call_start(*client);

  client.reset();

  server.handler->held.front().answer("too late");
  ASSERT_TRUE(run_until(loop_, [&] { return server.counters().connections == 0; }));
  settle(loop_);
  EXPECT_FALSE(in_flight->has_value());
  EXPECT_FALSE(refused->has_value());
}

TEST_F(ClientTest, AClientMayBeDestroyedWhileItConnects) {
  TestServer server(loop_);
  auto client = std::make_unique<Client>(loop_, server.address());
  const auto answer = call_hello(*client, "shop");

  client.reset();

  settle(loop_);
  EXPECT_FALSE(answer->has_value());
  EXPECT_EQ(server.counters().connections, 0u);
}

TEST_F(ClientTest, AnAnswerMayEndItsClient) {
  TestServer server(loop_);
  auto client = std::make_unique<Client>(loop_, server.address());
  bool answered = false;
  const wire::StartRequest request;
  for (int i = 0; i < 2; ++i) {
    ASSENT_CALL(wire::Coordinator, start, wire::StartReply)
    (*client, request, kPlenty, [&](const Result<wire::StartReply>&) {
      answered = true;
      client.reset();
    });
  }
  ASSERT_TRUE(run_until(loop_, [&] { return server.handler->held.size() == 2; }));

  for (const auto& held : server.handler->held) held.answer("the end");

  ASSERT_TRUE(run_until(loop_, [&] { return answered; }));
  EXPECT_EQ(client, nullptr);
}

TEST_F(ClientTest, ALossMayEndItsClient) {
  RawListener listener(loop_);
  auto client = std::make_unique<Client>(loop_, listener.address());
  client->on_connection([&](bool up) {
    if (!up) client.reset();
  });
  const auto answer = call_hello(*client, "shop");
  RawSocket peer = listener.accept();
  ASSERT_TRUE(peer.wait_for_frames(1));

  peer.close();

  ASSERT_TRUE(run_until(loop_, [&] { return client == nullptr; }));
  EXPECT_FALSE(answer->has_value());
}

TEST_F(ClientTest, ACallMadeWhenTheLossIsSeenBelongsToTheNextConnection) {
  RawListener listener(loop_);
  Client client(loop_, listener.address());
  Answer<wire::HelloReply> again;
  client.on_connection([&](bool up) {
    if (!up) again = call_hello(client, "again");
  });
  const auto lost = call_hello(client, "shop");
  RawSocket peer = listener.accept();
  ASSERT_TRUE(peer.wait_for_frames(1));

  peer.close();

  ASSERT_TRUE(wait_for(lost));
  ASSERT_NE(again, nullptr);
  EXPECT_FALSE(again->has_value());
  RawSocket next_peer = listener.accept();
  EXPECT_TRUE(next_peer.wait_for_frames(1));
}

TEST_F(ClientTest, AnAnswerMayCallAgain) {
  TestServer server(loop_);
  Client client(loop_, server.address());
  int answers = 0;
  wire::HelloRequest request;
  request.protocol_version = wire::g_common_constants.PROTOCOL_VERSION;
  std::function<void(Result<wire::HelloReply>)> again = [&](const Result<wire::HelloReply>& reply) {
    ASSERT_TRUE(reply.has_value());
    if (++answers < 10) {
      ASSENT_CALL(wire::Coordinator, hello, wire::HelloReply)(client, request, kPlenty, again);
    }
  };

  ASSENT_CALL(wire::Coordinator, hello, wire::HelloReply)(client, request, kPlenty, again);

  EXPECT_TRUE(run_until(loop_, [&] { return answers == 10; }));
}

}  // namespace
}  // namespace assent::rpc
