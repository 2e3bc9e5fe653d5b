#include <utility>

#include "assent/client.h"
#include "base/check.h"
#include "client/cpp/src/convert.h"
#include "client/cpp/src/core.h"
#include "client/cpp/src/hints.h"
#include "client/cpp/src/retry.h"
#include "client/cpp/src/transaction_state.h"
#include "runtime/process.h"
#include "wire/common_constants.h"

namespace assent {
namespace {

// 128 random bits: no two branches ever share a nonce.
std::string fresh_nonce() {
  return std::to_string(process::random_u64()) + '-' + std::to_string(process::random_u64());
}

// Whether an opening statement that failed so may have opened its branch. An agent that refuses it
// or fails it leaves no branch behind.
bool may_have_opened(ErrorCode code) {
  return code == ErrorCode::kOutcomeUnknown || code == ErrorCode::kInternal;
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
                                  std::vector<Parameter> parameters,
                                  std::optional<std::int64_t> expected_rows) {
  CHECK(state_, "a transaction is not used after it was moved from");
  return state_->execute(participant, client::to_wire(sql, parameters, expected_rows,
                                                      state_->options().statement_timeout_ms));
}

void Transaction::branch(const std::string& participant, BranchOptions options) {
  CHECK(state_, "a transaction is not used after it was moved from");
  state_->set_options(participant, options);
}

void Transaction::cancel() {
  CHECK(state_, "a transaction is not used after it was moved from");
  state_->cancel();
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

void Transaction::State::set_options(const std::string& participant, const BranchOptions& options) {
  CHECK(!branches_.contains(participant), "a branch's options are set before its first statement");
  options_[participant] = options;
}

Result<Rows> Transaction::State::execute(const std::string& participant,
                                         wire::Statement statement) {
  if (result_ || asked_) {
    return failure(ErrorCode::kBranchEnded, "the transaction has ended; start another");
  }
  if (cancellation_.cancelled() || failure_) return tl::unexpected(*first_failure());

  Branch& branch = branch_of(participant);
  auto request = statement_request(participant, branch);
  request.statement = std::move(statement);
  auto rows = take_answer(participant, branch, core_->execute(request, cancellation_.cancelled()));
  if (rows) return rows;
  rows.error().participant = participant;
  Error error = remember_failure(branch, std::move(rows.error()));
  // Whatever the agent said of a statement that was cancelled: that is why.
  return tl::unexpected(cancellation_.cancelled() ? *first_failure() : std::move(error));
}

Transaction::State::Branch& Transaction::State::branch_of(const std::string& participant) {
  Branch& branch = branches_[participant];
  if (branch.nonce.empty()) {
    branch.nonce = fresh_nonce();
    cancellation_.add(cancel_request(participant, branch));
  }
  return branch;
}

wire::ExecuteRequest Transaction::State::statement_request(const std::string& participant,
                                                           const Branch& branch) const {
  wire::ExecuteRequest request;
  request.protocol_version = wire::g_common_constants.PROTOCOL_VERSION;
  request.transaction = id_;
  request.participant = participant;
  request.statement_number = branch.statements + 1;
  if (branch.reference) {
    request.__set_branch(*branch.reference);
    return request;
  }
  wire::OpenBranch open;
  open.nonce = branch.nonce;
  open.__set_idle_timeout_ms(core_->options().idle_timeout_ms);
  if (const auto declared = options_.find(participant); declared != options_.end()) {
    if (const auto mode = client::to_wire(declared->second)) open.__set_mode(*mode);
  }
  request.__set_start(std::move(open));
  return request;
}

wire::CancelRequest Transaction::State::cancel_request(const std::string& participant,
                                                       const Branch& branch) const {
  wire::CancelRequest request;
  request.protocol_version = wire::g_common_constants.PROTOCOL_VERSION;
  request.transaction = id_;
  request.participant = participant;
  if (branch.reference) {
    request.__set_branch(*branch.reference);
  } else {
    request.__set_nonce(branch.nonce);
  }
  return request;
}

Result<Rows> Transaction::State::take_answer(const std::string& participant, Branch& branch,
                                             Result<wire::ExecuteReply> reply) {
  if (!reply) return tl::unexpected(std::move(reply.error()));
  if (!branch.reference) {
    branch.reference = reply->branch;
    cancellation_.add(cancel_request(participant, branch));
  }
  auto rows = client::from_wire(std::move(reply->result));
  if (!rows) return rows;
  ++branch.statements;
  branch.reads = branch.reads && client::tag_reads(rows->command_tag());
  branch.sql_error.reset();
  return rows;
}

Error Transaction::State::remember_failure(Branch& branch, Error error) {
  const std::int32_t number = branch.statements + 1;
  error.message = "statement " + std::to_string(number) + ": " + error.message;
  met_conflict_ = met_conflict_ || client::is_conflict(error);
  branch.reads = false;  // what it had done before it failed cannot be told
  branch.maybe_open =
      !branch.reference && (may_have_opened(error.code) || cancellation_.cancelled());
  // A branch whose first statement failed has no savepoint to return to, nor a name known here.
  if (error.code == ErrorCode::kSql && branch.reference) {
    branch.statements = number;
    branch.sql_error = error;
  } else {
    failure_ = error;
  }
  return error;
}

void Transaction::State::cancel() {
  core_->cancel(cancellation_.cancel());
}

}  // namespace assent
