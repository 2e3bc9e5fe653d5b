#include "integration/workload/crowd.h"

#include <algorithm>
#include <utility>

#include "base/check.h"
#include "runtime/process.h"
#include "runtime/rpc/call.h"
#include "runtime/rpc/errors.h"
#include "wire/Coordinator.h"
#include "wire/common_constants.h"

namespace assent::workload {
namespace {

// Fewer than a listening socket's backlog usually holds: a connection that is dropped there is
// tried again by the kernel only a second later.
constexpr std::size_t kHellosAtOnce = 256;
constexpr Millis kHelloMax{10'000};
constexpr Millis kGrace{30'000};                    // for an answer after the votes' deadline
constexpr std::chrono::milliseconds kSendEvery{1};  // those that are due
constexpr const char* kUpdate = "UPDATE accounts SET balance = balance + $1 WHERE id = $2";

wire::Value value_of(std::int64_t number) {
  wire::Value value;
  value.__set_text(std::to_string(number));
  return value;
}

}  // namespace

Crowd::Crowd(CrowdOptions options)
    : options_(std::move(options)), loop_(1), next_(loop_), random_(process::random_u64()) {
  CHECK(!options_.coordinators.empty() && options_.connections > 0,
        "a crowd has somebody to talk to");
}

Crowd::~Crowd() = default;

// ── connections ─────────────────────────────────────────────────────────────────────────────────

Result<void> Crowd::connect() {
  for (std::size_t i = 0; i < options_.connections; ++i) {
    const auto& coordinator = options_.coordinators[i % options_.coordinators.size()];
    connections_.push_back(std::make_unique<rpc::Client>(loop_, coordinator));
  }
  for (std::size_t i = 0; i < std::min(kHellosAtOnce, connections_.size()); ++i) hello(i);
  loop_.run();
  if (failed_) return tl::unexpected(*failed_);
  return {};
}

// Each answer makes room for the next connection of its row.
void Crowd::hello(std::size_t number) {
  wire::HelloRequest request;
  request.protocol_version = wire::g_common_constants.PROTOCOL_VERSION;
  ASSENT_CALL(wire::Coordinator, hello, wire::HelloReply)
  (*connections_[number], request, kHelloMax,
   [this, next = number + kHellosAtOnce](Result<wire::HelloReply> reply) {
     on_hello(std::move(reply));
     if (!failed_ && next < connections_.size()) hello(next);
   });
}

void Crowd::on_hello(Result<wire::HelloReply> reply) {
  if (reply) {
    office_ = reply->office;
    told_ = LogTime(reply->now_ms);
    told_at_ = process::monotonic_now();
    ++greeted_;
  } else if (!failed_) {
    failed_ = std::move(reply.error());
  }
  if (failed_ || greeted_ == connections_.size()) loop_.stop();
}

// ── transactions ────────────────────────────────────────────────────────────────────────────────

CrowdTally Crowd::commit() {
  CHECK_EQ(greeted_, options_.connections, "every connection stands");
  tally_ = {};
  loop_.restart();
  sent_ = 0;
  began_ = Clock::now();
  if (options_.transactions == 0) return tally_;
  send_due();
  loop_.run();
  return tally_;
}

// By the clock and not by what was sent last: a late timer does not lower the rate.
void Crowd::send_due() {
  const double elapsed = std::chrono::duration<double>(Clock::now() - began_).count();
  const auto due = static_cast<std::size_t>(elapsed * options_.rate) + 1;
  const std::size_t all = options_.transactions;
  const std::size_t until = options_.rate > 0 ? std::min(due, all) : all;
  while (sent_ < until) send(sent_++);
  if (sent_ == all) {
    tally_.sending = Clock::now() - began_;
    return;
  }
  next_.expires_after(kSendEvery);
  next_.async_wait([this](boost::system::error_code cancelled) {
    if (!cancelled) send_due();
  });
}

wire::CommitRequest Crowd::request() {
  const LogTime now = told_ + (process::monotonic_now() - told_at_);
  wire::CommitRequest request;
  request.protocol_version = wire::g_common_constants.PROTOCOL_VERSION;
  request.transaction = to_string(make_transaction_id(
      now, process::random_u64(), process::random_u64(), creator_tag("assent-bench")));
  request.__set_timeout_ms(options_.timeout_ms);
  request.__set_first(true);
  request.__set_office(office_);
  const Changes changes = pick_changes(options_.participants.size(),
                                       std::max<std::int64_t>(options_.accounts, 1), random_);
  for (std::size_t i = 0; i < changes.size(); ++i) {
    auto& branch = request.branches.emplace_back();
    branch.participant = options_.participants[i];
    branch.__isset.one_shot = true;
    auto& statement = branch.one_shot.statements.emplace_back();
    statement.sql = options_.accounts > 0 ? kUpdate : options_.sql;
    if (options_.accounts == 0) continue;
    statement.parameters = {value_of(changes[i].amount), value_of(changes[i].account)};
    statement.__set_expected_rows(1);
  }
  return request;
}

void Crowd::send(std::size_t number) {
  ASSENT_CALL(wire::Coordinator, commit, wire::CommitReply)
  (*connections_[number % connections_.size()], request(), Millis(options_.timeout_ms) + kGrace,
   [this, sent = Clock::now()](const Result<wire::CommitReply>& answer) {
     on_answer(answer, sent);
   });
}

void Crowd::on_answer(const Result<wire::CommitReply>& answer, Clock::time_point sent) {
  const auto latency = static_cast<std::uint64_t>(
      std::chrono::duration_cast<std::chrono::microseconds>(Clock::now() - sent).count());
  if (answer) {
    count_decided(*answer, latency);
  } else {
    count_failed(answer.error(), latency);
  }
  if (tally_.answered() + tally_.unanswered == options_.transactions) loop_.stop();
}

void Crowd::count_decided(const wire::CommitReply& reply, std::uint64_t latency_us) {
  tally_.latency_us.add(latency_us);
  if (reply.outcome == wire::Outcome::COMMITTED) {
    ++tally_.committed;
    tally_.commit_us.add(latency_us);
    if (sent_ < options_.transactions) ++tally_.committed_in_time;
    if (reply.one_phase) ++tally_.one_phase;
    return;
  }
  ++tally_.aborted;
  const bool told = reply.__isset.reason;
  ++tally_.reasons[told ? key_of(rpc::from_wire(reply.reason)) : "no reason"];
}

// OUTCOME_UNKNOWN is what a lost connection is, too.
void Crowd::count_failed(const Error& error, std::uint64_t latency_us) {
  ++tally_.reasons[key_of(error)];
  if (error.code == ErrorCode::kOutcomeUnknown) {
    ++tally_.unanswered;
    return;
  }
  ++tally_.refused;
  tally_.latency_us.add(latency_us);
  tally_.refusal_us.add(latency_us);
}

}  // namespace assent::workload
