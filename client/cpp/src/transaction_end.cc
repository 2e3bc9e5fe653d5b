// How a transaction ends: commit, abort, and being dropped.
#include <utility>

#include "client/cpp/src/convert.h"
#include "client/cpp/src/retry.h"
#include "client/cpp/src/transaction_state.h"
#include "wire/common_constants.h"

namespace assent {

Transaction::State::~State() {
  // After a commit request only the application may ask for the opposite.
  if (result_ || asked_) return;
  core_->cancel_in_background(lost_branches());
  auto request = abort_request();
  if (!request.branches.empty()) core_->abort_in_background(std::move(request));
}

CommitResult Transaction::State::commit(const CommitOptions& options) {
  if (result_) return *result_;
  if (!asked_) {
    cancellation_.close();
    if (auto failed = first_failure()) return roll_back(std::move(failed));
    if (branches_.empty()) return result_.emplace(known(CommitState::kCommitted));
    asked_ = commit_request(options);
  }
  return ask();
}

CommitResult Transaction::State::ask() {
  auto answer = core_->commit(*asked_);
  const bool decided = answer.has_value();
  CommitResult result = client::conclude(*asked_, std::move(answer));
  if (result.state == CommitState::kUnknown) return result;
  // After a refusal nobody else frees the branches before their deadline.
  if (!decided) core_->abort_in_background(abort_request());
  return result_.emplace(std::move(result));
}

CommitResult Transaction::State::abort() {
  if (result_) return *result_;
  cancellation_.close();
  if (!asked_) return roll_back(std::nullopt);
  auto answer = core_->abort(abort_request());
  if (answer) return result_.emplace(client::from_wire(id_, *answer));
  return known(CommitState::kUnknown, std::move(answer.error()));
}

// Precondition: commit was never asked for. Then nobody can ever commit it, whether the request to
// abort arrives or not: it only frees the branches early.
CommitResult Transaction::State::roll_back(std::optional<Error> reason) {
  CommitResult aborted = known(CommitState::kAborted, std::move(reason));
  core_->cancel_in_background(lost_branches());
  const auto request = abort_request();
  if (!request.branches.empty()) {
    auto answer = core_->abort(request);
    if (!answer && !aborted.reason) aborted.reason = std::move(answer.error());
  }
  if (!aborted.reason) aborted.reason = client::aborted_without_reason();
  return result_.emplace(std::move(aborted));
}

bool Transaction::State::may_succeed_again(const CommitResult& result) const {
  if (result.state != CommitState::kAborted || cancellation_.cancelled()) return false;
  return met_conflict_ || (result.reason && client::is_conflict(*result.reason));
}

// ── requests and what is known ──────────────────────────────────────────────────────────────────

std::optional<Error> Transaction::State::first_failure() const {
  if (cancellation_.cancelled()) {
    return Error{ErrorCode::kBranchEnded, "the transaction was cancelled"};
  }
  if (failure_) return failure_;
  for (const auto& [participant, branch] : branches_) {
    if (branch.sql_error) return branch.sql_error;
  }
  return std::nullopt;
}

bool Transaction::State::reads(const std::string& participant, const Branch& branch) const {
  const auto declared = options_.find(participant);
  const bool read_only = declared != options_.end() && declared->second.read_only.value_or(false);
  return branch.reads || read_only;
}

std::vector<wire::CommitBranch> Transaction::State::known_branches() const {
  std::vector<wire::CommitBranch> known;
  for (const auto& [participant, branch] : branches_) {
    if (!branch.reference) continue;
    auto& listed = known.emplace_back();
    listed.participant = participant;
    listed.epoch = branch.reference->epoch;
    listed.attempt = branch.reference->attempt;
    listed.statements = branch.statements;
    if (reads(participant, branch)) listed.__set_reads(true);
  }
  return known;
}

// Those that may be open under a name that was never heard here: no coordinator can be told of
// them.
std::vector<wire::CancelRequest> Transaction::State::lost_branches() const {
  std::vector<wire::CancelRequest> lost;
  for (const auto& [participant, branch] : branches_) {
    if (branch.maybe_open) lost.push_back(cancel_request(participant, branch));
  }
  return lost;
}

wire::CommitRequest Transaction::State::commit_request(const CommitOptions& options) const {
  wire::CommitRequest request;
  request.protocol_version = wire::g_common_constants.PROTOCOL_VERSION;
  request.transaction = id_;
  request.branches = known_branches();
  request.__set_acknowledge(client::to_wire(options.acknowledge));
  request.__set_timeout_ms(options.timeout_ms);
  request.__set_first(true);
  return request;
}

// Names the branches in the shape in which the commit named them: nothing runs in between.
wire::AbortRequest Transaction::State::abort_request() const {
  wire::AbortRequest request;
  request.protocol_version = wire::g_common_constants.PROTOCOL_VERSION;
  request.transaction = id_;
  request.branches = known_branches();
  request.__set_never_committed(!asked_);
  return request;
}

CommitResult Transaction::State::known(CommitState state, std::optional<Error> reason) const {
  return {.state = state, .transaction = id_, .reason = std::move(reason)};
}

}  // namespace assent
