#include "harness.h"

#include <boost/asio/buffer.hpp>
#include <chrono>
#include <stdexcept>

#include "runtime/process.h"

namespace assent::rpc {
namespace {

using asio::ip::tcp;
using boost::system::error_code;

constexpr Millis kDeadline{10'000};

template <class Reply>
auto into(const Answer<Reply>& answer) {
  return [answer](Result<Reply> result) { answer->emplace(std::move(result)); };
}

template <class Reply>
Answer<Reply> no_answer_yet() {
  return std::make_shared<std::optional<Result<Reply>>>();
}

template <class Pargs, class Request>
std::string call_frame(Encoding encoding, const std::string& method, std::int32_t seqid,
                       const Request& request) {
  FrameOutput output(encoding, make_configuration(1u << 30));
  Pargs arguments;
  arguments.request = &request;
  output.protocol().writeMessageBegin(method, apache::thrift::protocol::T_CALL, seqid);
  arguments.write(&output.protocol());
  output.protocol().writeMessageEnd();
  return std::string(output.frame());
}

}  // namespace

Error refusal() {
  Error error{ErrorCode::kSql, "duplicate key", "orders", SqlError{}};
  error.sql->sqlstate = "23505";
  error.sql->message = "duplicate key";
  error.sql->statement_number = 3;
  return error;
}

bool run_until(asio::io_context& loop, const std::function<bool()>& condition) {
  const MonoTime deadline = process::monotonic_now() + kDeadline;
  while (!condition()) {
    if (process::monotonic_now() >= deadline) return false;
    loop.restart();
    loop.run_one_for(std::chrono::milliseconds(1));
  }
  return true;
}

void settle(asio::io_context& loop) {
  loop.restart();
  while (loop.poll() > 0) loop.restart();
}

void TestHandler::Held::answer(const std::string& transaction) const {
  wire::StartReply reply;
  reply.transaction = transaction;
  cob(reply);
}

void TestHandler::hello(Cob<wire::HelloReply> cob, ExnCob exn, const wire::HelloRequest& request) {
  ++hellos;
  rpc::answer(cob, exn, check_version(request.protocol_version).map([&] {
    wire::HelloReply reply;
    reply.protocol_version = request.protocol_version;
    reply.cluster = request.cluster;
    return reply;
  }));
}

void TestHandler::start(Cob<wire::StartReply> cob, ExnCob exn, const wire::StartRequest&) {
  held.push_back({std::move(cob), std::move(exn)});
}

void TestHandler::commit(Cob<wire::CommitReply>, ExnCob, const wire::CommitRequest&) {
  ++commits;
  throw std::runtime_error("this handler is broken");
}

void TestHandler::abort(Cob<wire::AbortReply>, ExnCob, const wire::AbortRequest&) {
  // Lets go of its callbacks: the call is never answered.
}

void TestHandler::status(Cob<wire::StatusReply> cob, ExnCob exn, const wire::StatusRequest&) {
  rpc::answer<wire::StatusReply>(cob, exn, tl::unexpected(refusal()));
}

TestServer::TestServer(asio::io_context& loop, ServerLimits limits)
    : server(std::make_unique<Server>(
          loop, "test port", std::make_shared<wire::CoordinatorAsyncProcessor>(handler), limits)) {
  port = server->listen("127.0.0.1:0").value();
}

RawSocket::RawSocket(asio::io_context& loop, std::uint16_t port) : loop_(loop), socket_(loop) {
  socket_.connect(tcp::endpoint(asio::ip::address_v4::loopback(), port));
  socket_.non_blocking(true);
}

RawSocket::RawSocket(asio::io_context& loop, Socket socket)
    : loop_(loop), socket_(std::move(socket)) {
  socket_.non_blocking(true);
}

bool RawSocket::send(std::string_view bytes) {
  return run_until(loop_,
                   [&] {
                     bytes.remove_prefix(send_some(bytes));
                     return bytes.empty() || closed_;
                   }) &&
         bytes.empty();
}

std::size_t RawSocket::send_some(std::string_view bytes) {
  error_code error;
  const std::size_t size = socket_.write_some(asio::buffer(bytes), error);
  if (error && error != asio::error::would_block) closed_ = true;
  return size;
}

const std::string& RawSocket::received() {
  char buffer[65'536];
  error_code error;
  while (!closed_ && !error) {
    const std::size_t size = socket_.read_some(asio::buffer(buffer), error);
    received_.append(buffer, size);
  }
  if (error && error != asio::error::would_block) closed_ = true;
  return received_;
}

bool RawSocket::closed() {
  received();
  return closed_;
}

std::vector<std::string> RawSocket::frames() {
  FrameBuffer buffer(1u << 30);
  buffer.append(received());
  std::vector<std::string> out;
  while (const auto payload = buffer.next()) out.emplace_back(*payload);
  return out;
}

void RawSocket::close() {
  socket_.close();
  closed_ = true;
}

bool RawSocket::wait_for_frames(std::size_t count) {
  return run_until(loop_, [&] { return frames().size() >= count; });
}

bool RawSocket::wait_for_close() {
  return run_until(loop_, [&] { return closed(); });
}

RawListener::RawListener(asio::io_context& loop)
    : loop_(loop), acceptor_(loop, tcp::endpoint(asio::ip::address_v4::loopback(), 0)) {
  acceptor_.non_blocking(true);
}

std::string RawListener::address() const {
  return "127.0.0.1:" + std::to_string(acceptor_.local_endpoint().port());
}

RawSocket RawListener::accept() {
  Socket socket(loop_);
  run_until(loop_, [&] {
    error_code error;
    acceptor_.accept(socket, error);
    return !error;
  });
  return RawSocket(loop_, std::move(socket));
}

std::string framed(std::string_view payload) {
  std::string out;
  for (int shift = 24; shift >= 0; shift -= 8) {
    out.push_back(static_cast<char>(payload.size() >> shift));
  }
  return out.append(payload);
}

std::string hello_frame(Encoding encoding, std::int32_t seqid, const std::string& cluster) {
  wire::HelloRequest request;
  request.protocol_version = wire::g_common_constants.PROTOCOL_VERSION;
  request.__set_cluster(cluster);
  return call_frame<wire::Coordinator_hello_pargs>(encoding, "hello", seqid, request);
}

std::string start_frame(std::int32_t seqid) {
  return call_frame<wire::Coordinator_start_pargs>(Encoding::kBinary, "start", seqid,
                                                   wire::StartRequest{});
}

DecodedHello decode_hello(std::string_view payload, Encoding encoding) {
  FrameInput input(payload, encoding, {1 << 30, 1 << 30}, make_configuration(1u << 30));
  DecodedHello out;
  std::string method;
  apache::thrift::protocol::TMessageType type{};
  input.protocol().readMessageBegin(method, type, out.seqid);
  wire::Coordinator_hello_presult result;
  result.success = &out.reply;
  result.read(&input.protocol());
  return out;
}

Answer<wire::HelloReply> call_hello(Client& client, const std::string& cluster, Millis timeout) {
  const auto answer = no_answer_yet<wire::HelloReply>();
  wire::HelloRequest request;
  request.protocol_version = wire::g_common_constants.PROTOCOL_VERSION;
  request.__set_cluster(cluster);
  ASSENT_CALL(wire::Coordinator, hello, wire::HelloReply)(client, request, timeout, into(answer));
  return answer;
}

Answer<wire::StartReply> call_start(Client& client, Millis timeout) {
  const auto answer = no_answer_yet<wire::StartReply>();
  ASSENT_CALL(wire::Coordinator, start, wire::StartReply)
  (client, wire::StartRequest{}, timeout, into(answer));
  return answer;
}

Answer<wire::StatusReply> call_status(Client& client) {
  const auto answer = no_answer_yet<wire::StatusReply>();
  ASSENT_CALL(wire::Coordinator, status, wire::StatusReply)
  (client, wire::StatusRequest{}, kPlenty, into(answer));
  return answer;
}

Answer<wire::AbortReply> call_abort(Client& client) {
  const auto answer = no_answer_yet<wire::AbortReply>();
  ASSENT_CALL(wire::Coordinator, abort, wire::AbortReply)
  (client, wire::AbortRequest{}, kPlenty, into(answer));
  return answer;
}

Answer<wire::CommitReply> call_commit(Client& client) {
  const auto answer = no_answer_yet<wire::CommitReply>();
  ASSENT_CALL(wire::Coordinator, commit, wire::CommitReply)
  (client, wire::CommitRequest{}, kPlenty, into(answer));
  return answer;
}

}  // namespace assent::rpc
