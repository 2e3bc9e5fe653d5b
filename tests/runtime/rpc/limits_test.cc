// What a stranger at the port can do: each test breaks one limit, and the server goes on.
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "harness.h"

namespace assent::rpc {
namespace {

constexpr std::uint32_t kFrameMax = 16u << 20;

// Highest resident size of this process so far, in bytes.
std::size_t peak_memory() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  return static_cast<std::size_t>(usage.ru_maxrss) * 1024;
}

std::string big_endian(std::uint32_t value) {
  std::string out;
  for (int shift = 24; shift >= 0; shift -= 8) out.push_back(static_cast<char>(value >> shift));
  return out;
}

// The beginning of a binary call, up to its arguments.
std::string binary_call(const std::string& method) {
  return "\x80\x01" + std::string("\0\x01", 2) + big_endian(method.size()) + method + big_endian(1);
}

const std::string kStructField("\x0c\0\x01", 3);

class Limits : public testing::Test {
 protected:
  void start(ServerLimits limits) { server_.emplace(loop_, limits); }

  // Sends `bytes` on a new connection and waits until the server has closed it.
  void expect_closed_after(const std::string& bytes) {
    RawSocket socket(loop_, server_->port);
    EXPECT_TRUE(socket.send(bytes));
    EXPECT_TRUE(socket.wait_for_close());
    EXPECT_EQ(socket.received(), "");
    EXPECT_TRUE(run_until(loop_, [&] { return server_->counters().broken == 1; }));
    expect_to_serve();
  }

  void expect_to_serve() {
    Client client(loop_, server_->address());
    const auto answer = call_hello(client, "shop");
    ASSERT_TRUE(run_until(loop_, [&] { return answer->has_value(); }));
    EXPECT_TRUE(answer->value().has_value());
  }

  asio::io_context loop_{1};
  std::optional<TestServer> server_;
};

TEST_F(Limits, AFrameAsLongAsAllowedIsServed) {
  const std::string call = hello_frame(Encoding::kBinary, 1, std::string(1'000, 'x'));
  start({.frame_bytes_max = static_cast<std::uint32_t>(call.size() - kFrameHeaderBytes)});
  RawSocket socket(loop_, server_->port);

  ASSERT_TRUE(socket.send(call));

  EXPECT_TRUE(socket.wait_for_frames(1));
}

TEST_F(Limits, AFrameOneByteLongerIsRefusedByItsHeaderAlone) {
  start({.frame_bytes_max = 1'000});
  expect_closed_after(big_endian(1'001));
}

TEST_F(Limits, AnEmptyFrameIsRefused) {
  start({});
  expect_closed_after(framed(""));
}

TEST_F(Limits, AnotherProtocolIsRefused) {
  start({});
  expect_closed_after("GET / HTTP/1.1\r\n\r\n");
}

TEST_F(Limits, GarbageInAFrameIsRefused) {
  start({});
  expect_closed_after(framed("what is this?"));
}

TEST_F(Limits, AMessageThatIsNoCallIsRefused) {
  start({});
  std::string reply = hello_frame(Encoding::kBinary, 1, "shop");
  reply[kFrameHeaderBytes + 3] = 2;  // T_REPLY
  expect_closed_after(reply);
}

TEST_F(Limits, ATruncatedHeaderIsRefused) {
  start({});
  expect_closed_after(framed(binary_call("hello").substr(0, 9)));
}

TEST_F(Limits, TruncatedArgumentsAreRefused) {
  start({});
  const std::string call = hello_frame(Encoding::kBinary, 1, "shop");
  expect_closed_after(framed(call.substr(kFrameHeaderBytes, call.size() - kFrameHeaderBytes - 4)));
}

TEST_F(Limits, AChangeOfProtocolIsRefused) {
  start({});
  RawSocket socket(loop_, server_->port);
  ASSERT_TRUE(socket.send(hello_frame(Encoding::kBinary, 1, "shop")));
  ASSERT_TRUE(socket.wait_for_frames(1));

  ASSERT_TRUE(socket.send(hello_frame(Encoding::kCompact, 2, "shop")));

  EXPECT_TRUE(socket.wait_for_close());
  EXPECT_EQ(socket.frames().size(), 1u);
}

TEST_F(Limits, AStringLongerThanAllowedIsRefused) {
  start({.string_bytes_max = 100});
  expect_closed_after(hello_frame(Encoding::kBinary, 1, std::string(101, 'x')));
}

TEST_F(Limits, AContainerLongerThanAllowedIsRefused) {
  start({.container_size_max = 10});
  wire::CommitRequest request;
  request.branches.resize(11);
  FrameOutput output(Encoding::kBinary, make_configuration(kFrameMax));
  wire::Coordinator_commit_pargs arguments;
  arguments.request = &request;
  output.protocol().writeMessageBegin("commit", apache::thrift::protocol::T_CALL, 1);
  arguments.write(&output.protocol());

  expect_closed_after(std::string(output.frame()));

  EXPECT_EQ(server_->handler->commits, 0u);
}

TEST_F(Limits, EndlessNestingIsRefused) {
  start({});
  // Structs within structs in a field that nobody knows: Thrift must skip them.
  std::string nested;
  for (int i = 0; i < 100'000; ++i) nested += "\x0c\x7f\x01";
  expect_closed_after(framed(binary_call("hello") + nested));
}

TEST_F(Limits, ClaimsOfManyBytesCostNextToNothing) {
  start({.frame_bytes_max = kFrameMax, .string_bytes_max = 16 << 20});
  const std::string claims_a_frame = big_endian(kFrameMax) + binary_call("hello");
  const std::string claims_a_string =
      framed(binary_call("hello") + kStructField + std::string("\x0b\0\x02", 3) +
             big_endian(16u << 20) + "x");
  const std::string claims_a_list =
      framed(binary_call("commit") + kStructField + std::string("\x0f\0\x03\x0c", 4) +
             big_endian(1u << 20) + "x");
  std::vector<RawSocket> waiting;
  const std::size_t before = peak_memory();

  for (int i = 0; i < 20; ++i) {
    waiting.emplace_back(loop_, server_->port);
    ASSERT_TRUE(waiting.back().send(claims_a_frame));
    for (const std::string& claim : {claims_a_string, claims_a_list}) {
      RawSocket refused(loop_, server_->port);
      ASSERT_TRUE(refused.send(claim));
      ASSERT_TRUE(refused.wait_for_close());
    }
  }

  EXPECT_LT(peak_memory() - before, std::size_t{8} << 20);
  EXPECT_EQ(server_->counters().connections, 20u);
  expect_to_serve();
}

TEST_F(Limits, ASlowSenderIsClosedAtReceiveMax) {
  start({.receive_max = Millis(100)});
  const std::string call = hello_frame(Encoding::kBinary, 1, std::string(1'000, 'x'));
  RawSocket socket(loop_, server_->port);
  ASSERT_TRUE(socket.send(hello_frame(Encoding::kBinary, 1, "shop") + call.substr(0, 1)));
  ASSERT_TRUE(socket.wait_for_frames(1));

  std::size_t sent = 1;
  // A byte now and then does not make it a fast one.
  const bool closed = run_until(loop_, [&] {
    if (sent < 900) sent += socket.send_some(call.substr(sent, 1));
    return socket.closed();
  });

  EXPECT_TRUE(closed);
  EXPECT_EQ(server_->counters().broken, 1u);
}

TEST_F(Limits, AnIdleConnectionIsClosedAtIdleMax) {
  start({.idle_max = Millis(50)});
  RawSocket socket(loop_, server_->port);
  ASSERT_TRUE(socket.send(hello_frame(Encoding::kBinary, 1, "shop")));
  ASSERT_TRUE(socket.wait_for_frames(1));

  EXPECT_TRUE(socket.wait_for_close());
  EXPECT_EQ(server_->counters().broken, 1u);
}

TEST_F(Limits, AConnectionThatWaitsForAnAnswerIsNotIdle) {
  start({.idle_max = Millis(20)});
  RawSocket patient(loop_, server_->port);
  RawSocket idle(loop_, server_->port);
  ASSERT_TRUE(patient.send(start_frame(1)));

  ASSERT_TRUE(idle.wait_for_close());
  RawSocket idle_as_well(loop_, server_->port);
  ASSERT_TRUE(idle_as_well.wait_for_close());

  EXPECT_FALSE(patient.closed());
  server_->handler->held.front().answer("at last");
  EXPECT_TRUE(patient.wait_for_frames(1));
}

TEST_F(Limits, ConnectionsBeyondTheLimitAreClosedAtOnceAndCounted) {
  start({.connections_max = 2});
  std::optional<RawSocket> first(std::in_place, loop_, server_->port);
  RawSocket second(loop_, server_->port);
  ASSERT_TRUE(run_until(loop_, [&] { return server_->counters().connections == 2; }));

  RawSocket third(loop_, server_->port);

  EXPECT_TRUE(third.wait_for_close());
  EXPECT_EQ(server_->counters().refused, 1u);
  first.reset();
  ASSERT_TRUE(run_until(loop_, [&] { return server_->counters().connections == 1; }));
  expect_to_serve();
}

TEST_F(Limits, RunningOutOfFileDescriptorsOnlyDelaysAConnection) {
  start({});
  RawSocket socket(loop_, server_->port);
  rlimit before{};
  getrlimit(RLIMIT_NOFILE, &before);
  const int next_descriptor = dup(STDERR_FILENO);
  close(next_descriptor);
  rlimit exhausted = before;
  exhausted.rlim_cur = static_cast<rlim_t>(next_descriptor);
  setrlimit(RLIMIT_NOFILE, &exhausted);
  settle(loop_);
  EXPECT_EQ(server_->counters().accepted, 0u);

  setrlimit(RLIMIT_NOFILE, &before);

  EXPECT_TRUE(run_until(loop_, [&] { return server_->counters().accepted == 1; }));
}

}  // namespace
}  // namespace assent::rpc
