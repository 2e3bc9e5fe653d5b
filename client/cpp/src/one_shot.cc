#include <algorithm>
#include <cstddef>
#include <map>
#include <utility>

#include "assent/client.h"
#include "base/check.h"
#include "client/cpp/src/convert.h"
#include "client/cpp/src/core.h"
#include "client/cpp/src/hints.h"
#include "client/cpp/src/retry.h"
#include "wire/common_constants.h"

namespace assent {

// A one-shot as it is sent: its statements by branch, the branches in the order of their first
// statements.
class OneShot::Request {
 public:
  Request(const OneShot& transaction, const ClientOptions& client, const CommitOptions& options);

  // Under an id that was never used.
  CommitResult commit(ClientCore& core, const TransactionId& id);

 private:
  // Where the result of a statement stands in a reply.
  struct Place {
    std::size_t branch = 0;
    std::size_t statement = 0;
  };

  Place append(const Added& statement, std::int32_t timeout_ms);
  wire::CommitBranch& branch_of(const std::string& participant);
  void set_mode(wire::CommitBranch& branch, const BranchOptions& options);
  void sort(CommitResult& result) const;

  wire::CommitRequest message_;
  std::map<std::string, std::size_t> branches_;  // by participant
  std::vector<Place> places_;                    // of each statement, as added
};

// ── what the application adds ───────────────────────────────────────────────────────────────────

OneShot& OneShot::add(const std::string& participant, const std::string& sql,
                      std::vector<Parameter> parameters,
                      std::optional<std::int64_t> expected_rows) {
  statements_.push_back({participant, sql, std::move(parameters), expected_rows});
  return *this;
}

OneShot& OneShot::branch(const std::string& participant, BranchOptions options) {
  branches_[participant] = options;
  return *this;
}

// ── the request ─────────────────────────────────────────────────────────────────────────────────

OneShot::Request::Request(const OneShot& transaction, const ClientOptions& client,
                          const CommitOptions& options) {
  message_.protocol_version = wire::g_common_constants.PROTOCOL_VERSION;
  message_.__set_acknowledge(client::to_wire(options.acknowledge));
  message_.__set_timeout_ms(options.timeout_ms);
  // After the votes' deadline nobody waits for a statement any more.
  const std::int32_t timeout_ms = std::min(client.statement_timeout_ms, options.timeout_ms);
  for (const Added& statement : transaction.statements_) {
    places_.push_back(append(statement, timeout_ms));
  }
  // Options of a participant without statements are of no branch.
  for (const auto& [participant, declared] : transaction.branches_) {
    const auto found = branches_.find(participant);
    if (found != branches_.end()) set_mode(message_.branches[found->second], declared);
  }
}

OneShot::Request::Place OneShot::Request::append(const Added& statement, std::int32_t timeout_ms) {
  wire::CommitBranch& branch = branch_of(statement.participant);
  branch.one_shot.statements.push_back(
      client::to_wire(statement.sql, statement.parameters, statement.expected_rows, timeout_ms));
  branch.__set_reads(branch.reads && client::statement_reads(statement.sql));
  return {branches_[statement.participant], branch.one_shot.statements.size() - 1};
}

wire::CommitBranch& OneShot::Request::branch_of(const std::string& participant) {
  const auto [known, is_new] = branches_.try_emplace(participant, message_.branches.size());
  if (!is_new) return message_.branches[known->second];
  wire::CommitBranch& branch = message_.branches.emplace_back();
  branch.participant = participant;
  branch.__set_one_shot({});
  branch.reads = true;  // until a statement says otherwise
  return branch;
}

void OneShot::Request::set_mode(wire::CommitBranch& branch, const BranchOptions& options) {
  if (const auto mode = client::to_wire(options)) branch.one_shot.__set_mode(*mode);
  if (options.read_only.value_or(false)) branch.__set_reads(true);
}

CommitResult OneShot::Request::commit(ClientCore& core, const TransactionId& id) {
  message_.transaction = to_string(id);
  message_.__set_first(true);
  if (message_.branches.empty()) {
    return {.state = CommitState::kCommitted, .transaction = message_.transaction};
  }
  CommitResult result = client::conclude(message_, core.commit(message_));
  if (result.committed()) sort(result);
  return result;
}

// The reply has the rows branch by branch.
void OneShot::Request::sort(CommitResult& result) const {
  if (result.rows.size() != places_.size()) {
    result.rows.clear();
    result.results_unavailable = true;
    return;
  }
  std::vector<std::size_t> first(message_.branches.size());  // of each branch, among the rows
  for (std::size_t i = 1; i < first.size(); ++i) {
    first[i] = first[i - 1] + message_.branches[i - 1].one_shot.statements.size();
  }
  std::vector<Rows> sorted;
  sorted.reserve(places_.size());
  for (const Place& place : places_) {
    sorted.push_back(std::move(result.rows[first[place.branch] + place.statement]));
  }
  result.rows = std::move(sorted);
}

CommitResult Client::commit(const OneShot& transaction, const CommitOptions& options,
                            const RetryOptions& retry) {
  CHECK(core_, "a client is not used after it was moved from");
  OneShot::Request request(transaction, core_->options(), options);
  return client::with_retries(retry, Millis(core_->options().unknown_after_ms), [&] {
    CommitResult result = request.commit(*core_, core_->new_transaction_id());
    const bool again =
        result.state == CommitState::kAborted && client::is_conflict(result.reason.value());
    return client::Attempt{std::move(result), again};
  });
}

}  // namespace assent
