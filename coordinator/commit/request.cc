#include "coordinator/commit/request.h"

#include <xxhash.h>

#include <algorithm>
#include <set>
#include <string_view>
#include <tuple>

#include "base/codec.h"
#include "coordinator/commit/reasons.h"

namespace assent::commit {
namespace {

std::optional<Error> objection(const std::vector<RequestedBranch>& branches) {
  if (branches.size() > kRequestBranchesMax) {
    return reasons::invalid("a transaction has at most " + std::to_string(kRequestBranchesMax) +
                            " branches, this one names " + std::to_string(branches.size()));
  }
  std::set<std::string_view> participants;
  for (const RequestedBranch& branch : branches) {
    if (!valid_participant_name(branch.participant)) {
      return reasons::invalid("a participant's name is 1 to 63 characters of [a-z0-9_-]");
    }
    if (branch.epoch == Epoch(0) || branch.attempt == Attempt(0)) {
      return reasons::invalid("epoch and attempt of the branch at '" + branch.participant +
                              "' count from 1");
    }
    if (!participants.insert(branch.participant).second) {
      return reasons::invalid("participant '" + branch.participant + "' is named twice");
    }
  }
  return std::nullopt;
}

}  // namespace

std::optional<Error> objection(const CommitAsked& asked) {
  if (asked.branches.empty()) return reasons::invalid("a commit names at least one branch");
  if (asked.timeout <= Millis(0) || asked.timeout > kTimeoutMax) {
    return reasons::invalid("a commit's timeout is 1 to " + std::to_string(kTimeoutMax.value) +
                            " ms, this one is " + std::to_string(asked.timeout.value));
  }
  return objection(asked.branches);
}

std::optional<Error> objection(const AbortAsked& asked) {
  return objection(asked.branches);
}

std::optional<Error> refusal(const TransactionId& transaction,
                             const std::vector<RequestedBranch>& branches,
                             const state::StateMachine& state, LogTime now, Millis skew_max) {
  if (transaction.time() <= state.floor()) return reasons::expired(transaction);
  if (now + skew_max < transaction.time()) return reasons::clock(transaction, now);
  for (const RequestedBranch& branch : branches) {
    if (state.participant(branch.participant) == nullptr) {
      return reasons::unknown_participant(branch.participant);
    }
  }
  return std::nullopt;
}

std::uint64_t request_hash(const std::vector<RequestedBranch>& branches) {
  std::vector<const RequestedBranch*> sorted;
  for (const RequestedBranch& branch : branches) sorted.push_back(&branch);
  std::sort(sorted.begin(), sorted.end(),
            [](const auto* a, const auto* b) { return a->participant < b->participant; });
  Encoder bytes;
  for (const RequestedBranch* branch : sorted) {
    bytes.put_string(branch->participant);
    bytes.put_varint(branch->epoch.value);
    bytes.put_varint(branch->attempt.value);
    bytes.put_varint(branch->statements);
  }
  const std::uint64_t hash = XXH3_64bits(bytes.bytes().data(), bytes.bytes().size());
  return hash == 0 ? 1 : hash;
}

std::vector<BranchId> branch_ids(const TransactionId& transaction,
                                 const std::vector<RequestedBranch>& branches) {
  std::vector<BranchId> ids;
  for (const RequestedBranch& branch : branches) {
    ids.push_back({transaction, branch.participant, branch.epoch, branch.attempt});
  }
  return ids;
}

}  // namespace assent::commit
