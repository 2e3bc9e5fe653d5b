// Coordinators and agents that answer as a test tells them to, behind the real server of
// runtime/rpc, on loopback ports. Each call is remembered.
#pragma once

#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <condition_variable>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <utility>
#include <variant>
#include <vector>

#include "assent/client.h"
#include "base/check.h"
#include "base/error.h"
#include "runtime/rpc/server.h"
#include "wire/transaction_types.h"

namespace assent::fake {

inline constexpr std::chrono::seconds kPatience{20};

// What a fake does with a call, instead of a Reply or an Error.
struct Silence {};     // never answers
struct Held {};        // answers BRANCH_ENDED as soon as a branch of this agent is cancelled
struct Disconnect {};  // closes all connections without an answer, and accepts new ones

// The calls of one method: what came in, and what is to be answered.
template <class Request, class Reply>
class Method {
 public:
  using Reaction = std::variant<Reply, Error, Silence, Held, Disconnect>;

  // The answer to the next call that has none yet; in order.
  void next(Reaction reaction) {
    const std::lock_guard lock(mutex_);
    script_.push_back(std::move(reaction));
  }
  // The answer to every call beyond those.
  void always(std::function<Reaction(const Request&)> usual) {
    const std::lock_guard lock(mutex_);
    usual_ = std::move(usual);
  }

  Reaction take(const Request& request) {
    const std::lock_guard lock(mutex_);
    requests_.push_back(request);
    arrived_.notify_all();
    if (script_.empty()) return usual_(request);
    Reaction reaction = std::move(script_.front());
    script_.pop_front();
    return reaction;
  }

  std::vector<Request> requests() const {
    const std::lock_guard lock(mutex_);
    return requests_;
  }
  // False when `count` calls have not come in within kPatience.
  bool wait_for(std::size_t count) const {
    std::unique_lock lock(mutex_);
    return arrived_.wait_for(lock, kPatience, [&] { return requests_.size() >= count; });
  }

 private:
  mutable std::mutex mutex_;
  mutable std::condition_variable arrived_;
  std::deque<Reaction> script_;
  std::function<Reaction(const Request&)> usual_;
  std::vector<Request> requests_;
};

// A loop on a thread of its own, for all servers of a test.
class Loop {
 public:
  Loop();
  ~Loop();

  boost::asio::io_context& context() { return context_; }
  // Runs `work` on the loop's thread and waits for its end.
  void run(const std::function<void()>& work);

 private:
  boost::asio::io_context context_;
  boost::asio::executor_work_guard<boost::asio::io_context::executor_type> busy_;
  std::thread thread_;
};

// A port that can be closed and opened again under the same number.
class Port {
 public:
  explicit Port(Loop& loop) : loop_(loop) {}
  ~Port() { close(); }

  void open(std::shared_ptr<apache::thrift::async::TAsyncProcessor> processor);
  void close();   // ends its connections, too
  void reopen();  // the processor is the same
  // On the loop's thread: what close() and reopen() do, after the present call.
  void bounce_later();
  // On the loop's thread: keeps a call's callbacks, and so the call open, until the port is closed.
  template <class Callback>
  void keep(Callback callback) {
    unanswered_.push_back(std::make_shared<Callback>(std::move(callback)));
  }

  // On the loop's thread: keeps a call's answer until release() or until the port is closed.
  void hold(std::function<void()> answer) { held_.push_back(std::move(answer)); }
  void release();

  [[nodiscard]] const std::string& address() const { return address_; }

 private:
  void listen();
  void hang_up();

  Loop& loop_;
  std::shared_ptr<apache::thrift::async::TAsyncProcessor> processor_;
  std::string address_ = "127.0.0.1:0";
  std::shared_ptr<rpc::Server> server_;
  std::vector<std::shared_ptr<void>> unanswered_;
  std::vector<std::function<void()>> held_;
};

class Coordinator {
 public:
  // Answers hello at once, commits and aborts everything, and has every outcome undecided.
  explicit Coordinator(Loop& loop);

  Method<wire::HelloRequest, wire::HelloReply> hello;
  Method<wire::CommitRequest, wire::CommitReply> commit;
  Method<wire::AbortRequest, wire::AbortReply> abort;
  Method<wire::StatusRequest, wire::StatusReply> status;

  Port port;  // last: its connections use the methods
};

class Agent {
 public:
  // Runs every statement with "UPDATE 1", in the branch (3, 7), and cancels every branch.
  explicit Agent(Loop& loop);

  Method<wire::ExecuteRequest, wire::ExecuteReply> execute;
  Method<wire::CancelRequest, wire::CancelReply> cancel;

  Port port;  // last: its connections use the methods
};

// Two coordinators and the agents of "orders" and "stock".
class Cluster {
 public:
  static constexpr std::int64_t kNowMs = 1'700'000'000'000;
  static constexpr std::int64_t kOffice = 5;

  Cluster();

  // Options of a client of both coordinators, the first one first.
  [[nodiscard]] ClientOptions options() const;
  // What the coordinators answer to hello.
  [[nodiscard]] wire::HelloReply hello() const;

 private:
  Loop loop_;

 public:
  Coordinator first{loop_};
  Coordinator second{loop_};
  Agent orders{loop_};
  Agent stock{loop_};
};

wire::ExecuteReply executed(const std::string& command_tag = "UPDATE 1");
wire::CommitReply decided(wire::Outcome::type outcome);
wire::CommitReply aborted(const Error& reason);
// PostgreSQL's refusal of a statement.
Error sql_error(const std::string& sqlstate);

}  // namespace assent::fake
