#include "tests/client/fake_cluster.h"

#include <boost/asio/post.hpp>
#include <future>

#include "base/overloaded.h"
#include "runtime/rpc/errors.h"
#include "runtime/rpc/handler.h"
#include "wire/Branches.h"
#include "wire/Coordinator.h"

namespace assent::fake {
namespace {

template <class Request, class Reply>
void react(Method<Request, Reply>& method, Port& port, const Request& request,
           const std::function<void(const Reply&)>& cob, const rpc::ExnCob& exn_cob) {
  auto reaction = method.take(request);
  std::visit(
      Overloaded{
          [&](Reply& reply) { rpc::answer<Reply>(cob, exn_cob, std::move(reply)); },
          [&](Error& error) { rpc::answer<Reply>(cob, exn_cob, tl::unexpected(std::move(error))); },
          [&](Silence) { port.keep(cob); },
          [&](Held) {
            port.hold([cob, exn_cob] {
              rpc::answer<Reply>(cob, exn_cob, failure(ErrorCode::kBranchEnded, "rolled back"));
            });
          },
          [&](Disconnect) { port.bounce_later(); },
      },
      reaction);
}

class CoordinatorHandler final : public wire::CoordinatorCobSvIf {
 public:
  explicit CoordinatorHandler(Coordinator& fake) : fake_(fake) {}

  void hello(rpc::Cob<wire::HelloReply> cob, rpc::ExnCob exn,
             const wire::HelloRequest& r) override {
    react(fake_.hello, fake_.port, r, cob, exn);
  }
  void start(rpc::Cob<wire::StartReply>, rpc::ExnCob, const wire::StartRequest&) override {
    CHECK(false, "the library makes its ids itself");
  }
  void commit(rpc::Cob<wire::CommitReply> cob, rpc::ExnCob exn,
              const wire::CommitRequest& r) override {
    react(fake_.commit, fake_.port, r, cob, exn);
  }
  void abort(rpc::Cob<wire::AbortReply> cob, rpc::ExnCob exn,
             const wire::AbortRequest& r) override {
    react(fake_.abort, fake_.port, r, cob, exn);
  }
  void status(rpc::Cob<wire::StatusReply> cob, rpc::ExnCob exn,
              const wire::StatusRequest& r) override {
    react(fake_.status, fake_.port, r, cob, exn);
  }

 private:
  Coordinator& fake_;
};

class AgentHandler final : public wire::BranchesCobSvIf {
 public:
  explicit AgentHandler(Agent& fake) : fake_(fake) {}

  void execute(rpc::Cob<wire::ExecuteReply> cob, rpc::ExnCob exn,
               const wire::ExecuteRequest& r) override {
    react(fake_.execute, fake_.port, r, cob, exn);
  }
  void cancel(rpc::Cob<wire::CancelReply> cob, rpc::ExnCob exn,
              const wire::CancelRequest& r) override {
    fake_.port.release();
    react(fake_.cancel, fake_.port, r, cob, exn);
  }

 private:
  Agent& fake_;
};

}  // namespace

Loop::Loop() : busy_(context_.get_executor()), thread_([this] { context_.run(); }) {}

Loop::~Loop() {
  context_.stop();
  thread_.join();
}

void Loop::run(const std::function<void()>& work) {
  std::promise<void> done;
  boost::asio::post(context_, [&] {
    work();
    done.set_value();
  });
  done.get_future().wait();
}

void Port::open(std::shared_ptr<apache::thrift::async::TAsyncProcessor> processor) {
  processor_ = std::move(processor);
  reopen();
}

void Port::close() {
  loop_.run([this] { hang_up(); });
}

void Port::reopen() {
  loop_.run([this] { listen(); });
}

void Port::bounce_later() {
  boost::asio::post(loop_.context(), [this] {
    hang_up();
    listen();
  });
}

void Port::hang_up() {
  server_.reset();
  unanswered_.clear();
  held_.clear();
}

void Port::release() {
  for (const auto& answer : std::exchange(held_, {})) answer();
}

void Port::listen() {
  server_ = std::make_shared<rpc::Server>(loop_.context(), "fake", processor_, rpc::ServerLimits{});
  const auto port = server_->listen(address_);
  CHECK(port.has_value(), port ? "" : port.error().message);
  address_ = "127.0.0.1:" + std::to_string(*port);
}

Coordinator::Coordinator(Loop& loop) : port(loop) {
  commit.always([](const auto&) { return decided(wire::Outcome::COMMITTED); });
  abort.always([](const auto&) {
    wire::AbortReply reply;
    reply.outcome = wire::Outcome::ABORTED;
    return reply;
  });
  status.always([](const auto&) {
    wire::StatusReply reply;
    reply.state = wire::TransactionState::UNDECIDED;
    return reply;
  });
  port.open(std::make_shared<wire::CoordinatorAsyncProcessor>(
      std::make_shared<CoordinatorHandler>(*this)));
}

Agent::Agent(Loop& loop) : port(loop) {
  execute.always([](const auto&) { return executed(); });
  cancel.always([](const auto&) { return wire::CancelReply(); });
  port.open(std::make_shared<wire::BranchesAsyncProcessor>(std::make_shared<AgentHandler>(*this)));
}

Cluster::Cluster() {
  for (Coordinator* coordinator : {&first, &second}) {
    coordinator->hello.always([reply = hello()](const auto&) { return reply; });
  }
}

ClientOptions Cluster::options() const {
  ClientOptions options;
  options.coordinators = {first.port.address(), second.port.address()};
  return options;
}

wire::HelloReply Cluster::hello() const {
  wire::HelloReply reply;
  reply.cluster = "home";
  reply.now_ms = kNowMs;
  reply.office = kOffice;
  for (const auto& [name, agent] : {std::pair{"orders", &orders}, std::pair{"stock", &stock}}) {
    auto& participant = reply.participants.emplace_back();
    participant.name = name;
    participant.client_address = agent->port.address();
    participant.live = true;
  }
  return reply;
}

wire::ExecuteReply executed(const std::string& command_tag) {
  wire::ExecuteReply reply;
  reply.branch.epoch = 3;
  reply.branch.attempt = 7;
  reply.result.row_count = 1;
  reply.result.command_tag = command_tag;
  return reply;
}

wire::CommitReply decided(wire::Outcome::type outcome) {
  wire::CommitReply reply;
  reply.outcome = outcome;
  return reply;
}

wire::CommitReply aborted(const Error& reason) {
  auto reply = decided(wire::Outcome::ABORTED);
  reply.__set_reason(rpc::to_wire(reason));
  return reply;
}

Error sql_error(const std::string& sqlstate) {
  Error error{ErrorCode::kSql, "refused by PostgreSQL"};
  error.sql.emplace().sqlstate = sqlstate;
  return error;
}

}  // namespace assent::fake
