#include "tests/simulation/system/connection.h"

#include <boost/asio/post.hpp>
#include <deque>
#include <utility>

#include "tests/simulation/system/process.h"

namespace assent::simulation::system {
namespace {

// Over a unix socket. What is slow is the server.
constexpr Micros kWireMax = 200;

Error lost_error() {
  return {ErrorCode::kUnavailable, "the connection to PostgreSQL was lost"};
}

class ModelConnection final : public postgres::Connection,
                              public Descriptor,
                              public std::enable_shared_from_this<ModelConnection> {
 public:
  ModelConnection(Loop& loop, Scheduler& scheduler, Dice& dice, model::Server& server)
      : loop_(loop), scheduler_(scheduler), dice_(dice), server_(server) {}

  ~ModelConnection() override { shut(); }

  // False: the server lets nobody in.
  bool open(const postgres::ConnectionOptions& options) {
    const model::Login login{options.user, options.application_name, options.settings};
    const auto session = server_.connect(login, [weak = weak_from_this()](const std::string& why) {
      const auto self = weak.lock();
      if (self && self->open_)
        self->in_process([why](ModelConnection& one) { one.fail({ErrorCode::kUnavailable, why}); });
    });
    if (!session) return false;
    session_ = *session;
    pid_ = server_.pid(session_);
    open_ = true;
    return true;
  }

  void send(postgres::Batch batch, Completion completion) override {
    if (!open_) {
      return boost::asio::post(loop_, [completion = std::move(completion)] {
        completion(tl::unexpected(lost_error()));
      });
    }
    pending_.push_back(std::move(completion));
    // The process may die before its words have left; what has left arrives.
    server_.send(
        session_, std::move(batch),
        [weak = weak_from_this()](postgres::Answers answers, model::TransactionStatus status) {
          const auto self = weak.lock();
          if (!self || !self->open_) return;
          self->in_process([answers = std::move(answers), status](ModelConnection& one) {
            one.take(answers, status);
          });
        });
  }

  void process_ended() override { shut(); }

  void set_on_lost(Lost on_lost) override { on_lost_ = std::move(on_lost); }

  void fail(const Error& why) override {
    if (!open_) return;
    const auto self = shared_from_this();
    shut();
    const Lost on_lost = std::exchange(on_lost_, nullptr);
    for (Completion& completion : std::exchange(pending_, {})) completion(tl::unexpected(why));
    if (on_lost) on_lost(why);
  }

  void close() override {
    const auto self = shared_from_this();
    shut();
    const auto dropped = std::exchange(pending_, {});
    on_lost_ = nullptr;
  }

  [[nodiscard]] bool is_open() const override { return open_; }
  [[nodiscard]] int backend_pid() const override { return pid_; }
  [[nodiscard]] bool maybe_in_transaction() const override {
    return !open_ || !pending_.empty() || status_ != model::TransactionStatus::kIdle;
  }
  [[nodiscard]] bool in_failed_transaction() const override {
    return open_ && pending_.empty() && status_ == model::TransactionStatus::kFailed;
  }

 private:
  // In the order in which the server said it.
  void in_process(std::function<void(ModelConnection&)> act) {
    arrives_ = std::max(arrives_, scheduler_.now() + dice_.skewed(10, kWireMax));
    loop_.after(arrives_ - scheduler_.now(), [weak = weak_from_this(), act = std::move(act)] {
      const auto self = weak.lock();
      if (self && self->open_) act(*self);
    });
  }

  void take(postgres::Answers answers, model::TransactionStatus status) {
    const auto self = shared_from_this();  // the completion may drop the last owner
    status_ = status;
    const Completion completion = std::move(pending_.front());
    pending_.pop_front();
    completion(std::move(answers));
  }

  void shut() {
    if (std::exchange(open_, false)) server_.hang_up(session_);
  }

  Loop& loop_;
  Scheduler& scheduler_;
  Dice& dice_;
  model::Server& server_;
  bool open_ = false;
  model::SessionId session_ = 0;
  int pid_ = 0;
  model::TransactionStatus status_ = model::TransactionStatus::kIdle;
  std::deque<Completion> pending_;
  Lost on_lost_;
  Micros arrives_ = 0;
};

}  // namespace

postgres::Connect connect_to(std::function<model::Server*()> server, Scheduler& scheduler,
                             Dice& dice) {
  return [server = std::move(server), &scheduler, &dice](boost::asio::io_context& context,
                                                         const postgres::ConnectionOptions& options,
                                                         postgres::Opened opened) {
    auto& loop = static_cast<Loop&>(context);
    loop.after(dice.skewed(200, 4 * kMillisecond),
               [server, &loop, &scheduler, &dice, options, opened = std::move(opened)] {
                 model::Server* const found = server();
                 if (found == nullptr) return opened(tl::unexpected(lost_error()));
                 auto connection = std::make_shared<ModelConnection>(loop, scheduler, dice, *found);
                 if (!connection->open(options)) return opened(tl::unexpected(lost_error()));
                 loop.keep_account(connection);
                 opened(std::shared_ptr<postgres::Connection>(std::move(connection)));
               });
  };
}

}  // namespace assent::simulation::system
