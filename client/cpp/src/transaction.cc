#include <map>
#include <utility>

#include "assent/client.h"
#include "base/check.h"
#include "client/cpp/src/convert.h"
#include "client/cpp/src/core.h"
#include "client/cpp/src/transaction_state.h"
#include "runtime/process.h"
#include "runtime/rpc/errors.h"
#include "wire/common_constants.h"

namespace assent {
namespace {

// Whether the refusal of a commit as a whole proves that this request did nothing and never will:
// it was malformed, or its id cannot have a record of this request.
bool proves_nothing_done(ErrorCode code) {
  switch (code) {
    case ErrorCode::kInvalidArgument:
    case ErrorCode::kUnsupportedVersion:
    case ErrorCode::kUnknownParticipant:
    case ErrorCode::kClock:
    case ErrorCode::kExpired:
    case ErrorCode::kIdReused:
    case ErrorCode::kWrongCluster:
      return true;
    case ErrorCode::kNotLeader:
    case ErrorCode::kUnavailable:
    case ErrorCode::kOverloaded:
    case ErrorCode::kUnknownBranch:
    case ErrorCode::kStatementNumber:
    case ErrorCode::kBranchEnded:
    case ErrorCode::kSql:
    case ErrorCode::kStaleBallot:
    case ErrorCode::kIdentityMismatch:
    case ErrorCode::kDisplaced:
    case ErrorCode::kDeadline:
    case ErrorCode::kOutcomeUnknown:
    case ErrorCode::kTransactionControl:
    case ErrorCode::kInternal:
      return false;
  }
  return false;
}

// 128 random bits: no two branches ever share a nonce.
std::string fresh_nonce() {
  return std::to_string(process::random_u64()) + '-' + std::to_string(process::random_u64());
}

}  // namespace

// ── the public face ─────────────────────────────────────────────────────────────────────────────

std::string_view name(CommitState state) {
  switch (state) {
    case CommitState::kCommitted:
      return "committed";
    case CommitState::kAborted:
      return "aborted";
    case CommitState::kUnknown:
      return "unknown";
  }
  return "not a state";
}

Transaction::Transaction(std::unique_ptr<State> state) : state_(std::move(state)) {}
Transaction::Transaction(Transaction&&) noexcept = default;
Transaction& Transaction::operator=(Transaction&&) noexcept = default;
Transaction::~Transaction() = default;

const std::string& Transaction::id() const {
  CHECK(state_, "a transaction is not used after it was moved from");
  return state_->id();
}

Result<Rows> Transaction::execute(const std::string& participant, const std::string& sql,
                                  std::vector<Parameter> parameters) {
  CHECK(state_, "a transaction is not used after it was moved from");
  return state_->execute(participant, sql, parameters);
}

CommitResult Transaction::commit(const CommitOptions& options) {
  CHECK(state_, "a transaction is not used after it was moved from");
  return state_->commit(options);
}

CommitResult Transaction::abort() {
  CHECK(state_, "a transaction is not used after it was moved from");
  return state_->abort();
}

// ── statements ──────────────────────────────────────────────────────────────────────────────────

Transaction::State::State(std::shared_ptr<ClientCore> core, const TransactionId& transaction)
    : core_(std::move(core)), id_(to_string(transaction)) {}

Transaction::State::~State() {
  // After a commit request only the application may ask for the opposite.
  if (result_ || asked_) return;
  auto request = abort_request();
  if (!request.branches.empty()) core_->abort_in_background(std::move(request));
}

Result<Rows> Transaction::State::execute(const std::string& participant, const std::string& sql,
                                         const std::vector<Parameter>& parameters) {
  if (result_ || asked_) {
    return failure(ErrorCode::kBranchEnded, "the transaction has ended; start another");
  }
  if (failure_) return tl::unexpected(*failure_);

  auto& branch = branches_[participant];
  if (branch.nonce.empty()) branch.nonce = fresh_nonce();
  auto request = statement_request(branch);
  request.participant = participant;
  request.sql = sql;
  request.parameters = client::to_wire(parameters);

  auto reply = core_->execute(request);
  auto rows = reply ? client::from_wire(std::move(*reply)) : tl::unexpected(reply.error());
  if (!rows) {
    rows.error().participant = participant;
    return tl::unexpected(remember_failure(branch, std::move(rows.error())));
  }
  branch.reference = reply->branch;
  branch.statements = request.statement_number;
  branch.sql_error.reset();
  return rows;
}

wire::ExecuteRequest Transaction::State::statement_request(const Branch& branch) const {
  wire::ExecuteRequest request;
  request.protocol_version = wire::g_common_constants.PROTOCOL_VERSION;
  request.transaction = id_;
  request.statement_number = branch.statements + 1;
  request.__set_timeout_ms(core_->options().statement_timeout_ms);
  if (branch.reference) {
    request.__set_branch(*branch.reference);
    return request;
  }
  wire::OpenBranch open;
  open.nonce = branch.nonce;
  open.__set_idle_timeout_ms(core_->options().idle_timeout_ms);
  request.__set_start(std::move(open));
  return request;
}

Error Transaction::State::remember_failure(Branch& branch, Error error) {
  const std::int32_t number = branch.statements + 1;
  error.message = "statement " + std::to_string(number) + ": " + error.message;
  // A branch whose first statement failed has no savepoint to return to, nor a name known here.
  if (error.code == ErrorCode::kSql && branch.reference) {
    branch.statements = number;
    branch.sql_error = error;
  } else {
    failure_ = error;
  }
  return error;
}

// ── the end ─────────────────────────────────────────────────────────────────────────────────────

std::optional<Error> Transaction::State::first_failure() const {
  if (failure_) return failure_;
  for (const auto& [participant, branch] : branches_) {
    if (branch.sql_error) return branch.sql_error;
  }
  return std::nullopt;
}

std::vector<wire::CommitBranch> Transaction::State::open_branches() const {
  std::vector<wire::CommitBranch> open;
  for (const auto& [participant, branch] : branches_) {
    if (!branch.reference) continue;
    auto& listed = open.emplace_back();
    listed.participant = participant;
    listed.epoch = branch.reference->epoch;
    listed.attempt = branch.reference->attempt;
    listed.statements = branch.statements;
  }
  return open;
}

wire::CommitRequest Transaction::State::commit_request(const CommitOptions& options) const {
  wire::CommitRequest request;
  request.protocol_version = wire::g_common_constants.PROTOCOL_VERSION;
  request.transaction = id_;
  request.branches = open_branches();
  request.__set_acknowledge(client::to_wire(options.acknowledge));
  request.__set_timeout_ms(options.timeout_ms);
  return request;
}

wire::AbortRequest Transaction::State::abort_request() const {
  wire::AbortRequest request;
  request.protocol_version = wire::g_common_constants.PROTOCOL_VERSION;
  request.transaction = id_;
  request.branches = open_branches();
  return request;
}

CommitResult Transaction::State::known(CommitState state, std::optional<Error> reason) const {
  return {state, id_, {}, {}, std::move(reason)};
}

CommitResult Transaction::State::commit(const CommitOptions& options) {
  if (result_) return *result_;
  if (!asked_) {
    if (auto failed = first_failure()) return roll_back(std::move(failed));
    if (branches_.empty()) return result_.emplace(known(CommitState::kCommitted));
    asked_ = commit_request(options);
  }
  return settle(core_->commit(*asked_));
}

CommitResult Transaction::State::settle(client::Asked<wire::CommitReply> asked) {
  if (asked.answer) return result_.emplace(client::from_wire(id_, *asked.answer));
  Error error = std::move(asked.answer.error());
  const bool refused = proves_nothing_done(error.code);
  maybe_done_ = maybe_done_ || asked.maybe_done;
  if (refused && !maybe_done_) {
    core_->abort_in_background(abort_request());  // the branches need not wait for their deadline
    return result_.emplace(known(CommitState::kAborted, std::move(error)));
  }
  if (!retryable(error.code)) maybe_done_ = true;
  return known(CommitState::kUnknown, std::move(error));
}

CommitResult Transaction::State::abort() {
  if (result_) return *result_;
  if (!asked_) return roll_back(std::nullopt);
  auto asked = core_->abort(abort_request());
  if (asked.answer) return result_.emplace(client::from_wire(id_, *asked.answer));
  return known(CommitState::kUnknown, std::move(asked.answer.error()));
}

// Precondition: commit was never asked for. Then nobody can ever commit it, whether the request to
// abort arrives or not: it only frees the branches early.
CommitResult Transaction::State::roll_back(std::optional<Error> reason) {
  CommitResult aborted = known(CommitState::kAborted, std::move(reason));
  const auto request = abort_request();
  if (!request.branches.empty()) {
    auto asked = core_->abort(request);
    if (!asked.answer && !aborted.reason) aborted.reason = std::move(asked.answer.error());
  }
  if (!aborted.reason) aborted.reason = client::aborted_without_reason();
  return result_.emplace(std::move(aborted));
}

}  // namespace assent
