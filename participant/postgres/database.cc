#include "participant/postgres/database.h"

#include <map>
#include <utility>
#include <variant>

#include "base/check.h"
#include "base/overloaded.h"
#include "participant/postgres/awaiting.h"
#include "participant/postgres/branch_work.h"
#include "participant/postgres/context.h"
#include "participant/postgres/control.h"
#include "participant/postgres/finishers.h"
#include "participant/postgres/identity.h"
#include "participant/postgres/inventory.h"
#include "participant/postgres/landmarks.h"
#include "participant/postgres/lock_watch.h"
#include "participant/postgres/settle.h"
#include "participant/postgres/work_pool.h"
#include "runtime/process.h"

namespace assent::postgres {
namespace {

constexpr Millis kDropOutcomesEvery{10'000};
// A commit that was asked for above the floor may wait for as long as its timeout, ten minutes at
// most, while the floor passes it.
constexpr Millis kOutcomeSlack{660'000};
constexpr std::size_t kTimePrefix = 13;  // of an id's text: 48 bits of time, and a hyphen

// A transaction's branch may be finished long after the floor has passed it, so what was dropped is
// remembered, in the same transaction.
constexpr char kDropBranchOutcomes[] =
    "WITH gone AS (DELETE FROM assent.branch_outcome WHERE branch < $1 RETURNING 1)"
    " INSERT INTO assent.branch_outcome_floor (dropped)"
    " SELECT $1 WHERE EXISTS (SELECT FROM gone) ON CONFLICT (one_row)"
    " DO UPDATE SET dropped = greatest(branch_outcome_floor.dropped, excluded.dropped)";

}  // namespace

class Database::Impl {
 public:
  Impl(boost::asio::io_context& loop, DatabaseOptions options, Connect connect)
      : context_(std::make_shared<Context>(loop, std::move(options), std::move(connect))),
        control_(std::make_shared<Control>(context_)),
        settler_(std::make_shared<Control>(context_)),
        looker_(std::make_shared<Control>(context_)),
        finishers_(std::make_shared<Finishers>(context_, control_)),
        pool_(std::make_shared<WorkPool>(
            context_,
            [this](const BranchId& id, Session session) { grant(id, std::move(session)); },
            [this](const BranchId& id, Error why) {
              context_->report(branch::ConnectionRefused{id, std::move(why)});
            })),
        lock_watch_(std::make_shared<LockWatch>(context_, control_, [this] { return at_work(); })),
        landmarks_(std::make_shared<Landmarks>(context_, settler_)) {
    context_->follow = [landmarks = std::weak_ptr(landmarks_)] {
      if (const auto alive = landmarks.lock()) alive->follow();
    };
  }

  // Runs a coroutine, and hands its result to `done` unless the database is closed by then.
  template <class T, class Make>
  void call(Done<T> done, Make make) {
    spawn(context_->loop,
          [context = context_, done = std::move(done),
           make = std::move(make)]() -> asio::awaitable<void> {
            Result<T> result = co_await make();
            if (!context->closed) done(std::move(result));
          });
  }

  void on(const branch::Acquire& operation) { pool_->acquire(operation.branch); }
  void on(const branch::RunStatement& operation) { work_of(operation.branch).run(operation); }
  void on(const branch::RunPrepare& operation) { work_of(operation.branch).prepare(operation); }
  // May cross the branch's last word.
  void on(const branch::RunCancel& operation) {
    if (const auto work = works_.find(operation.branch); work != works_.end()) {
      work->second->cancel();
    }
  }
  void on(const branch::RunSettle& operation);
  void on(const branch::RunRollback& operation);
  void on(const branch::RunFinish& operation);
  void on(const branch::Release& operation);
  void drop_outcomes(LogTime floor);
  void close();

  [[nodiscard]] const std::shared_ptr<Context>& context() const { return context_; }
  [[nodiscard]] const std::shared_ptr<Control>& control() const { return control_; }
  [[nodiscard]] const std::shared_ptr<Control>& looker() const { return looker_; }
  [[nodiscard]] const std::shared_ptr<Finishers>& finishers() const { return finishers_; }

 private:
  void grant(const BranchId& id, Session session);
  BranchWork& work_of(const BranchId& id);
  [[nodiscard]] std::vector<std::shared_ptr<BranchWork>> at_work() const;

  const std::shared_ptr<Context> context_;
  const std::shared_ptr<Control> control_;
  const std::shared_ptr<Control> settler_;
  const std::shared_ptr<Control> looker_;
  const std::shared_ptr<Finishers> finishers_;
  const std::shared_ptr<WorkPool> pool_;
  const std::shared_ptr<LockWatch> lock_watch_;
  // On the settler's connection: a write that waits for the standby must not hold the control
  // connection up, which cancels and ends backends.
  const std::shared_ptr<Landmarks> landmarks_;
  std::map<BranchId, std::shared_ptr<BranchWork>> works_;  // of the branches that hold a session
  MonoTime drop_outcomes_at_;
};

void Database::Impl::grant(const BranchId& id, Session session) {
  BranchWork::Observer observer{[this] { pool_->on_granted_lost(); },
                                [this](const BranchId& lost, const Error& why) {
                                  works_.erase(lost);
                                  context_->report(branch::ConnectionLost{lost, why});
                                }};
  auto work = std::make_shared<BranchWork>(context_, control_, settler_, id, std::move(session),
                                           std::move(observer));
  work->start();
  CHECK(works_.emplace(id, work).second, "a branch gets one connection");
  lock_watch_->wake();
  context_->report(branch::ConnectionGranted{id});
}

std::vector<std::shared_ptr<BranchWork>> Database::Impl::at_work() const {
  std::vector<std::shared_ptr<BranchWork>> all;
  for (const auto& [id, work] : works_) all.push_back(work);
  return all;
}

BranchWork& Database::Impl::work_of(const BranchId& id) {
  const auto found = works_.find(id);
  CHECK(found != works_.end(), "the branch holds a connection");
  return *found->second;
}

void Database::Impl::on(const branch::RunRollback& operation) {
  if (!pool_->withdraw(operation.branch)) return work_of(operation.branch).roll_back();
  context_->later(
      [context = context_, id = operation.branch] { context->report(branch::RollbackDone{id}); });
}

void Database::Impl::on(const branch::RunSettle& operation) {
  spawn(context_->loop,
        [context = context_, settler = settler_, operation]() -> asio::awaitable<void> {
          std::function<bool()> may_send = [context, ballot = operation.ballot] {
            return context->may_send(ballot);
          };
          auto settled =
              co_await settle_outcome(context, settler, operation.transaction, std::move(may_send));
          context->report(branch::SettleDone{operation.transaction, std::move(settled)});
        });
}

void Database::Impl::on(const branch::RunFinish& operation) {
  CHECK(!works_.contains(operation.branch), "a branch is finished after it left its connection");
  finishers_->submit(operation);
}

void Database::Impl::on(const branch::Release& operation) {
  const auto found = works_.find(operation.branch);
  CHECK(found != works_.end(), "only a branch that holds a connection releases it");
  const std::optional<Session> session = found->second->release();
  works_.erase(found);
  if (session) pool_->give_back(*session);
}

// Ids are ordered by their time, in their text form too.
void Database::Impl::drop_outcomes(LogTime floor) {
  const MonoTime now = process::monotonic_now();
  // Before the fence is complete a commit of an older life may still meet its abort row.
  if (context_->closed || !context_->fenced || now < drop_outcomes_at_) return;
  drop_outcomes_at_ = now + kDropOutcomesEvery;
  const LogTime until = floor - kOutcomeSlack;
  const TransactionId above = make_transaction_id(until + Millis(1), 0, 0, 0);
  std::vector<Value> prefix{to_string(above).substr(0, kTimePrefix)};
  spawn(context_->loop, [settler = settler_, prefix]() -> asio::awaitable<void> {
    co_await settler->query("DELETE FROM assent.outcome WHERE transaction < $1", prefix);
    co_await settler->query(kDropBranchOutcomes, prefix);
  });
}

void Database::Impl::close() {
  if (std::exchange(context_->closed, true)) return;
  for (const auto& [id, work] : works_) work->close();
  works_.clear();
  lock_watch_->close();
  pool_->close();
  finishers_->close();
  settler_->close();
  looker_->close();
  control_->close();
  context_->close_connections();
}

// ── the public face ─────────────────────────────────────────────────────────────────────────────

Database::Database(boost::asio::io_context& loop, DatabaseOptions options, Connect connect)
    : impl_(std::make_unique<Impl>(loop, std::move(options), std::move(connect))) {}

Database::~Database() {
  close();
}

void Database::identify(Done<Position> done) {
  impl_->call<Position>(std::move(done), [context = impl_->context(), control = impl_->control()] {
    return postgres::identify(context, control);
  });
}

void Database::stored_epoch(Done<Epoch> done) {
  impl_->call<Epoch>(std::move(done),
                     [control = impl_->control()] { return postgres::stored_epoch(control); });
}

void Database::stored_landmark(Epoch epoch, Done<StoredLandmark> done) {
  CHECK(impl_->context()->position.has_value(), "the database is identified first");
  impl_->call<StoredLandmark>(std::move(done),
                              [context = impl_->context(), control = impl_->control(), epoch] {
                                return postgres::stored_landmark(context, control, epoch);
                              });
}

void Database::claim_epoch(Epoch previous, Epoch mine, Done<void> done) {
  impl_->call<void>(std::move(done),
                    [context = impl_->context(), control = impl_->control(), previous, mine] {
                      return postgres::claim_epoch(context, control, previous, mine);
                    });
}

void Database::fence_older_lives(Done<void> done) {
  CHECK(impl_->context()->epoch.has_value(), "the epoch is claimed before older lives are fenced");
  impl_->call<void>(std::move(done), [context = impl_->context(), control = impl_->control()] {
    return postgres::fence_older_lives(context, control);
  });
}

void Database::carry_out(const branch::Operation& operation) {
  const auto& context = *impl_->context();
  CHECK(context.sink && context.may_send, "the sink and may_send are set first");
  std::visit([this](const auto& one) { impl_->on(one); }, operation);
}

void Database::set_sink(std::function<void(branch::Input)> sink) {
  impl_->context()->sink = std::move(sink);
}

void Database::set_may_send(std::function<bool(Ballot)> may_send) {
  impl_->context()->may_send = std::move(may_send);
}

void Database::on_reconnected(std::function<void()> observer) {
  impl_->context()->reconnected = std::move(observer);
}

void Database::on_over(std::function<void(Error)> observer) {
  impl_->context()->over = std::move(observer);
}

void Database::drop_outcomes(LogTime floor) {
  impl_->drop_outcomes(floor);
}

void Database::doctor(Done<std::vector<Finding>> done) {
  impl_->call<std::vector<Finding>>(
      std::move(done),
      [context = impl_->context(),
       control = impl_->control()]() -> asio::awaitable<Result<std::vector<Finding>>> {
        auto findings = co_await preflight(context, control);
        co_return findings;
      });
}

void Database::look(Done<PreparedView> done) {
  impl_->call<PreparedView>(std::move(done),
                            [context = impl_->context(), looker = impl_->looker()] {
                              return look_at_prepared(context, looker);
                            });
}

void Database::trace(const TransactionId& transaction, Done<TraceView> done) {
  impl_->call<TraceView>(std::move(done),
                         [context = impl_->context(), looker = impl_->looker(), transaction] {
                           return trace_transaction(context, looker, transaction);
                         });
}

void Database::take_inventory(std::vector<branch::PreparedBranch> expected, Done<Inventory> done) {
  impl_->call<Inventory>(std::move(done),
                         [context = impl_->context(), control = impl_->control(),
                          finishers = impl_->finishers(), expected = std::move(expected)] {
                           return postgres::take_inventory(context, control, finishers, expected);
                         });
}

std::uint64_t Database::landmark() const {
  return impl_->context()->landmark;
}

const DatabaseCounters& Database::counters() const {
  return impl_->context()->counters;
}

void Database::close() {
  impl_->close();
}

}  // namespace assent::postgres
