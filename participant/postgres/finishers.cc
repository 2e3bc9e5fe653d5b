#include "participant/postgres/finishers.h"

#include <algorithm>
#include <chrono>
#include <utility>

#include "base/buggify.h"
#include "base/gid.h"
#include "participant/postgres/awaiting.h"
#include "runtime/failpoint.h"
#include "runtime/process.h"

namespace assent::postgres {
namespace {

using namespace std::chrono_literals;

constexpr auto kPauseMin = 5ms;
constexpr std::chrono::milliseconds kPauseMax = 200ms;

// SQLSTATEs of COMMIT PREPARED and ROLLBACK PREPARED (postgres.md, rows 7, 8 and 10).
constexpr std::string_view kUnknownGid = "42704";
constexpr std::string_view kOfAnotherUser = "42501";
constexpr std::string_view kOfAnotherDatabase = "0A000";
constexpr std::string_view kBusy = "55000";

constexpr char kXidOfGid[] =
    "SELECT transaction FROM pg_prepared_xacts"
    " WHERE gid = $1 AND owner = $2 AND database = current_database()";

// Ours is gone: there is none of the name, or the one of that name is a stranger's.
bool is_missing(std::string_view sqlstate) {
  return sqlstate == kUnknownGid || sqlstate == kOfAnotherUser || sqlstate == kOfAnotherDatabase;
}

std::string finish_sql(Outcome outcome, const std::string& gid) {
  return (outcome == Outcome::kCommitted ? "COMMIT PREPARED '" : "ROLLBACK PREPARED '") + gid + "'";
}

}  // namespace

Finishers::Finishers(std::shared_ptr<Context> context, std::shared_ptr<Control> control)
    : context_(std::move(context)), control_(std::move(control)) {}

void Finishers::submit(branch::RunFinish operation) {
  std::string gid = make_gid(context_->options.cluster, operation.branch);
  finishing_.insert(gid);
  for (Watch* watch : watches_) watch->seen_.insert(gid);
  queue_.push_back({std::move(operation), std::move(gid)});
  start_worker();
}

void Finishers::start_worker() {
  auto worker = std::ranges::find(workers_, false, &Worker::busy);
  if (worker == workers_.end()) {
    if (workers_.size() == context_->options.finish_connections) return;
    worker = workers_.emplace(workers_.end());
  }
  worker->busy = true;
  spawn(context_->loop,
        [self = shared_from_this(), chosen = &*worker] { return self->work(*chosen); });
}

asio::awaitable<void> Finishers::work(Worker& worker) {
  while (!queue_.empty() && !context_->closed) {
    const Job job = std::move(queue_.front());
    queue_.pop_front();
    auto result = co_await finish(worker, job);
    finishing_.erase(finishing_.find(job.gid));
    if (result) context_->landmark_follows();
    if (result) failpoint("agent.finish.done");
    context_->report(branch::FinishDone{job.operation.branch, std::move(result)});
  }
  worker.busy = false;
}

asio::awaitable<Result<branch::FinishResult>> Finishers::finish(Worker& worker, const Job& job) {
  const MonoTime give_up = process::monotonic_now() + context_->options.finish_retry;
  std::chrono::milliseconds wait = kPauseMin;
  for (;;) {
    Attempt tried = co_await attempt(worker, job);
    if (auto* last_word = std::get_if<Result<FinishResult>>(&tried)) co_return *last_word;
    const Error& why = std::get<Retry>(tried).why;
    if (context_->closed || process::monotonic_now() + Millis(wait.count()) > give_up) {
      co_return failure(ErrorCode::kUnavailable, why.message);
    }
    co_await pause(context_->loop, wait);
    wait = std::min(2 * wait, kPauseMax);
  }
}

asio::awaitable<Finishers::Attempt> Finishers::attempt(Worker& worker, const Job& job) {
  if (buggify(Point::kPauseBeforeFinish)) co_await pause(context_->loop, kPauseMax);
  if (auto refused = co_await connect(worker)) co_return Retry{std::move(*refused)};
  // Taken before the gid is looked for: a fence that is complete only afterwards says nothing of
  // it.
  const bool fenced = context_->fenced;
  auto held = co_await look_for(worker, job);
  if (!held) co_return Retry{held.error()};
  if (*held != Held::kOurs) co_return co_await settle(worker, job, {fenced});
  const Ballot ballot = job.operation.ballot;
  if (!context_->may_send(ballot)) {
    co_return failure(ErrorCode::kStaleBallot,
                      "ballot " + to_string(ballot) + " was over before the outcome was sent");
  }
  Batch batch{{finish_sql(job.operation.outcome, job.gid)}};
  failpoint("agent.finish.sending");
  auto answers = co_await run(*worker.session->connection, std::move(batch));
  if (!answers) co_return Retry{answers.error()};
  co_return co_await conclude(worker, job, answers->front(), fenced);
}

// In our role, a stranger's xid is not the branch's (R8). Only looked for at a branch of an older
// life. Of this life's the inventory compares the xids, and the hot path pays nothing. Where none
// stands nothing is sent that could only fail: after a break the log asks for thousands that have
// long committed, and each would be an ERROR in the server's log.
asio::awaitable<Result<Finishers::Held>> Finishers::look_for(const Worker& worker, const Job& job) {
  const auto& evidence = job.operation.evidence;
  if (!evidence || job.operation.branch.epoch == context_->epoch) co_return Held::kOurs;
  Batch batch{{kXidOfGid, {job.gid, context_->options.work_role}}};
  auto answers = co_await run(*worker.session->connection, std::move(batch));
  if (!answers) co_return tl::unexpected(answers.error());
  if (!answers->front().ok()) co_return tl::unexpected(to_error(answers->front()));
  const StatementResult found = to_result(answers->front());
  if (found.rows.empty()) co_return Held::kNobodys;
  const bool same = to_u64(found.rows.front().at(0)) == static_cast<std::uint32_t>(evidence->xid);
  // It is asked for once more when the log learns of the break before this life, and is gone then.
  if (same) context_->saw_prepared(job.operation.branch, evidence->xid);
  co_return same ? Held::kOurs : Held::kStrangers;
}

asio::awaitable<std::optional<Error>> Finishers::connect(Worker& worker) {
  if (worker.session && worker.session->connection->is_open()) co_return std::nullopt;
  if (worker.session) ++context_->counters.connections_lost;
  worker.session.reset();
  auto session = co_await open_session(context_, Purpose::kFinish);
  if (!session) co_return session.error();
  if (context_->closed) co_return Error{ErrorCode::kUnavailable, "closed"};
  worker.session = std::move(*session);
  co_return std::nullopt;
}

asio::awaitable<Finishers::Attempt> Finishers::conclude(const Worker& worker, const Job& job,
                                                        const Answer& answer, bool fenced) {
  if (is_missing(answer.sqlstate())) {
    co_return co_await settle(worker, job, {fenced, answer.sqlstate() == kOfAnotherUser});
  }
  if (answer.sqlstate() == kBusy) co_return Retry{to_error(answer)};
  if (!answer.ok()) co_return tl::unexpected(to_error(answer));
  if (answer.warnings.empty()) co_return FinishResult::kDone;
  // The wait for the synchronous standby was cut short.
  auto durable = co_await control_->barrier();
  if (!durable) co_return Retry{durable.error()};
  co_return FinishResult::kDone;
}

asio::awaitable<Finishers::Attempt> Finishers::settle(const Worker& worker, const Job& job,
                                                      Gone gone) {
  auto result = co_await settle_missing(context_, control_, *worker.session, job.operation, gone);
  if (!result && !worker.session->connection->is_open()) co_return Retry{result.error()};
  co_return result;
}

void Finishers::close() {
  queue_.clear();
  for (Worker& worker : workers_) {
    if (worker.session) worker.session->connection->close();
  }
}

Finishers::Watch::Watch(Finishers& finishers)
    : finishers_(finishers), seen_(finishers.finishing_.begin(), finishers.finishing_.end()) {
  finishers_.watches_.push_back(this);
}

Finishers::Watch::~Watch() {
  std::erase(finishers_.watches_, this);
}

}  // namespace assent::postgres
