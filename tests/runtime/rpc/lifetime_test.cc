// Calls, connections and servers that end before one another.
#include <gtest/gtest.h>

#include "harness.h"
#include "runtime/process.h"

namespace assent::rpc {
namespace {

class Lifetime : public testing::Test {
 protected:
  // A call of start that the handler holds.
  Answer<wire::StartReply> hold_a_call(TestServer& server, Client& client) {
    const std::size_t before = server.handler->held.size();
    auto answer = call_start(client);
    EXPECT_TRUE(run_until(loop_, [&] { return server.handler->held.size() == before + 1; }));
    return answer;
  }

  asio::io_context loop_{1};
};

TEST_F(Lifetime, AnAnswerToAConnectionThatIsGoneIsHarmless) {
  TestServer server(loop_);
  auto client = std::make_unique<Client>(loop_, server.address());
  hold_a_call(server, *client);
  client.reset();
  ASSERT_TRUE(run_until(loop_, [&] { return server.counters().connections == 0; }));

  server.handler->held.front().answer("too late");

  settle(loop_);
  EXPECT_EQ(server.counters().broken, 0u);
}

TEST_F(Lifetime, AnAnswerAfterItsServerIsGoneIsHarmless) {
  TestServer server(loop_);
  Client client(loop_, server.address());
  const auto answer = hold_a_call(server, client);
  server.server.reset();

  server.handler->held.front().answer("too late");

  ASSERT_TRUE(run_until(loop_, [&] { return answer->has_value(); }));
  EXPECT_EQ(answer->value().error().code, ErrorCode::kOutcomeUnknown);
}

TEST_F(Lifetime, ALoopMayGoWithCallsInFlight) {
  auto loop = std::make_unique<asio::io_context>(1);
  auto server = std::make_unique<TestServer>(*loop);
  auto client = std::make_unique<Client>(*loop, server->address());
  const auto handler = server->handler;
  call_start(*client);
  ASSERT_TRUE(run_until(*loop, [&] { return handler->held.size() == 1; }));
  auto held = std::move(handler->held);
  held.front().answer("queued, and never flushed");
  client.reset();
  server.reset();

  loop.reset();

  EXPECT_EQ(held.size(), 1u) << "the call outlives its loop, and ends without it";
}

TEST_F(Lifetime, AHandlerThatThrowsEndsItsConnectionAndNoOther) {
  TestServer server(loop_);
  Client victim(loop_, server.address());
  Client bystander(loop_, server.address());
  const auto held = hold_a_call(server, bystander);

  const auto answer = call_commit(victim);

  ASSERT_TRUE(run_until(loop_, [&] { return answer->has_value(); }));
  EXPECT_EQ(answer->value().error().code, ErrorCode::kOutcomeUnknown);
  EXPECT_EQ(server.handler->commits, 1u);
  server.handler->held.front().answer("fine");
  ASSERT_TRUE(run_until(loop_, [&] { return held->has_value(); }));
  EXPECT_TRUE(held->value().has_value());
}

TEST_F(Lifetime, ACallThatItsHandlerDropsIsNotWaitedForInVain) {
  TestServer server(loop_);
  Client client(loop_, server.address());

  const auto answer = call_abort(client);

  ASSERT_TRUE(run_until(loop_, [&] { return answer->has_value(); }));
  EXPECT_EQ(answer->value().error().code, ErrorCode::kOutcomeUnknown);
}

TEST_F(Lifetime, ASecondAnswerToOneCallIsABug) {
  TestServer server(loop_);
  Client client(loop_, server.address());
  hold_a_call(server, client);
  server.handler->held.front().answer("once");

  EXPECT_DEATH(server.handler->held.front().answer("twice"), "answers each call once");
}

TEST_F(Lifetime, DrainingAnswersCallsInFlightAndThenCloses) {
  TestServer server(loop_);
  Client client(loop_, server.address());
  const auto answer = hold_a_call(server, client);
  int drained = 0;

  server.server->drain(kPlenty, [&] { ++drained; });

  settle(loop_);
  EXPECT_EQ(drained, 0);
  server.handler->held.front().answer("the last one");
  ASSERT_TRUE(run_until(loop_, [&] { return drained == 1 && answer->has_value(); }));
  EXPECT_EQ(answer->value()->transaction, "the last one");
  EXPECT_EQ(server.counters().connections, 0u);
  EXPECT_EQ(server.counters().broken, 0u);
}

TEST_F(Lifetime, ADrainingServerTakesNoNewCallsAndNoNewConnections) {
  TestServer server(loop_);
  Client old_client(loop_, server.address());
  const auto held = hold_a_call(server, old_client);
  server.server->drain(kPlenty, [] {});

  Client new_client(loop_, server.address());
  const auto refused = call_hello(new_client, "shop");
  const auto unread = call_hello(old_client, "shop");

  ASSERT_TRUE(run_until(loop_, [&] { return refused->has_value(); }));
  EXPECT_EQ(refused->value().error().code, ErrorCode::kUnavailable);
  server.handler->held.front().answer("the last one");
  ASSERT_TRUE(run_until(loop_, [&] { return held->has_value() && unread->has_value(); }));
  // The unread call behind it does not cost the last reply its way.
  EXPECT_TRUE(held->value().has_value());
  EXPECT_FALSE(unread->value().has_value());
  EXPECT_EQ(server.handler->hellos, 0u);
}

TEST_F(Lifetime, DrainingEndsAtItsLimit) {
  TestServer server(loop_);
  Client client(loop_, server.address());
  const auto answer = hold_a_call(server, client);
  int drained = 0;

  server.server->drain(Millis(50), [&] { ++drained; });

  ASSERT_TRUE(run_until(loop_, [&] { return drained == 1 && answer->has_value(); }));
  EXPECT_EQ(answer->value().error().code, ErrorCode::kOutcomeUnknown);
}

TEST_F(Lifetime, DrainingAnIdleServerEndsAtOnceButNotFromInside) {
  TestServer server(loop_);
  Client client(loop_, server.address());
  const auto answer = call_hello(client, "shop");
  ASSERT_TRUE(run_until(loop_, [&] { return answer->has_value(); }));
  int drained = 0;

  server.server->drain(kPlenty, [&] { ++drained; });

  EXPECT_EQ(drained, 0);
  ASSERT_TRUE(run_until(loop_, [&] { return drained == 1; }));
}

TEST_F(Lifetime, ADrainedServerAndADestroyedClientLeaveTheLoopNothingToWaitFor) {
  TestServer server(loop_);
  auto client = std::make_unique<Client>(loop_, server.address());
  const auto answer = call_hello(*client, "shop");
  ASSERT_TRUE(run_until(loop_, [&] { return answer->has_value(); }));
  client.reset();
  server.server->drain(kPlenty, [] {});

  loop_.restart();
  loop_.run_for(std::chrono::seconds(10));

  EXPECT_TRUE(loop_.stopped());
}

TEST_F(Lifetime, AnAddressInUseIsAnErrorThatNamesIt) {
  TestServer server(loop_);
  Server second(loop_, "second", std::make_shared<wire::CoordinatorAsyncProcessor>(server.handler),
                {});

  const auto port = second.listen(server.address());

  ASSERT_FALSE(port.has_value());
  EXPECT_NE(port.error().message.find(server.address()), std::string::npos);
}

}  // namespace
}  // namespace assent::rpc
