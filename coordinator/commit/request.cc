#include "coordinator/commit/request.h"

#include <xxhash.h>

#include <algorithm>
#include <set>
#include <string_view>
#include <tuple>

#include "base/canary.h"
#include "base/codec.h"
#include "coordinator/commit/reasons.h"

namespace assent::commit {
namespace {

// At a commit a one-shot brings its statements; an abort may leave them out.
std::optional<Error> one_shot_objection(const RequestedBranch& branch, std::size_t statements_min) {
  if (branch.epoch != Epoch(0) || branch.attempt != Attempt(0) || branch.statements != 0) {
    return reasons::invalid("epoch, attempt and statements of the one-shot at '" +
                            branch.participant + "' are 0: the coordinator issues its attempt");
  }
  const std::size_t count = branch.one_shot->statements.size();
  if (count >= statements_min && count <= kOneShotStatementsMax) return std::nullopt;
  return reasons::invalid("a one-shot has 1 to " + std::to_string(kOneShotStatementsMax) +
                          " statements, the one at '" + branch.participant + "' has " +
                          std::to_string(count));
}

std::optional<Error> opened_objection(const RequestedBranch& branch) {
  if (branch.epoch == Epoch(0) || branch.attempt == Attempt(0)) {
    return reasons::invalid("epoch and attempt of the branch at '" + branch.participant +
                            "' count from 1");
  }
  if (!one_shot_serial(branch.attempt)) return std::nullopt;
  return reasons::invalid("attempt of the branch at '" + branch.participant +
                          "' is a one-shot's, which no client names; name the attempt that "
                          "opening the branch answered");
}

std::optional<Error> objection(const std::vector<RequestedBranch>& branches,
                               std::size_t statements_min) {
  if (branches.size() > kRequestBranchesMax) {
    return reasons::invalid("a transaction has at most " + std::to_string(kRequestBranchesMax) +
                            " branches, this one names " + std::to_string(branches.size()));
  }
  std::set<std::string_view> participants;
  for (const RequestedBranch& branch : branches) {
    if (!valid_participant_name(branch.participant)) {
      return reasons::invalid("a participant's name is 1 to 63 characters of [a-z0-9_-]");
    }
    std::optional<Error> error =
        branch.one_shot ? one_shot_objection(branch, statements_min) : opened_objection(branch);
    if (error) return error;
    if (!participants.insert(branch.participant).second) {
      return reasons::invalid("participant '" + branch.participant + "' is named twice");
    }
  }
  return std::nullopt;
}

void put_one_shot(Encoder& out, const OneShotBranch& one_shot) {
  const BranchMode& mode = one_shot.mode;
  out.put_u8(mode.isolation ? static_cast<std::uint8_t>(*mode.isolation) : 0);
  out.put_u8(mode.read_only ? (*mode.read_only ? 2 : 1) : 0);
  out.put_varint(one_shot.statements.size());
  for (const Statement& statement : one_shot.statements) {
    out.put_string(statement.sql);
    out.put_varint(statement.parameters.size());
    for (const Value& value : statement.parameters) {
      out.put_u8(value ? 1 : 0);
      if (value) out.put_string(*value);
    }
    out.put_u64(static_cast<std::uint64_t>(statement.timeout.value));
    out.put_u8(statement.expected_rows ? 1 : 0);
    out.put_u64(static_cast<std::uint64_t>(statement.expected_rows.value_or(0)));
  }
}

}  // namespace

std::optional<Error> objection(const CommitAsked& asked) {
  if (asked.branches.empty()) return reasons::invalid("a commit names at least one branch");
  if (asked.timeout <= Millis(0) || asked.timeout > kTimeoutMax) {
    return reasons::invalid("a commit's timeout is 1 to " + std::to_string(kTimeoutMax.value) +
                            " ms, this one is " + std::to_string(asked.timeout.value));
  }
  return objection(asked.branches, /*statements_min=*/1);
}

// Without its branches nobody could tell where T may have committed in one phase (R12).
std::optional<Error> objection(const AbortAsked& asked) {
  if (asked.branches.empty() && !asked.never_committed) {
    return reasons::invalid(
        "an abort that names no branches must promise never_committed, because the transaction may "
        "have committed in one phase and nobody could tell where to look; name the branches of the "
        "commit, or promise it if commit was never asked for");
  }
  return objection(asked.branches, /*statements_min=*/0);
}

std::optional<Error> refusal(const TransactionId& transaction,
                             const std::vector<RequestedBranch>& branches,
                             const state::StateMachine& state, LogTime now, Millis skew_max) {
  if (transaction.time() <= state.floor()) return reasons::expired(transaction);
  const bool ahead = now + skew_max < transaction.time();
  if (ahead && !canary(Canary::kClockUnchecked)) return reasons::clock(transaction, now);
  for (const RequestedBranch& branch : branches) {
    const state::ParticipantRecord* known = state.participant(branch.participant);
    if (known == nullptr) return reasons::unknown_participant(branch.participant);
    // No decision may list it (R15).
    if (!branch.one_shot && branch.epoch < known->quarantined_below) {
      return reasons::of_lost_log(transaction, branch.participant);
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
    bytes.put_u8(branch->reads ? 1 : 0);
    bytes.put_u8(branch->one_shot ? 1 : 0);
    if (branch->one_shot) put_one_shot(bytes, *branch->one_shot);
  }
  if (canary(Canary::kIdReusedUnchecked)) return 1;
  const std::uint64_t hash = XXH3_64bits(bytes.bytes().data(), bytes.bytes().size());
  return hash == 0 ? 1 : hash;
}

const RequestedBranch* writer_of(const std::vector<RequestedBranch>& branches) {
  const RequestedBranch* writer = nullptr;
  for (const RequestedBranch& branch : branches) {
    if (branch.reads) continue;
    if (writer != nullptr) return nullptr;
    writer = &branch;
  }
  return writer;
}

bool has_one_shots(const std::vector<RequestedBranch>& branches) {
  return std::any_of(branches.begin(), branches.end(),
                     [](const RequestedBranch& branch) { return branch.one_shot != nullptr; });
}

std::vector<BranchId> branch_ids(const TransactionId& transaction,
                                 const std::vector<RequestedBranch>& branches) {
  std::vector<BranchId> ids;
  for (const RequestedBranch& branch : branches) {
    if (branch.one_shot) continue;
    ids.push_back({transaction, branch.participant, branch.epoch, branch.attempt});
  }
  return ids;
}

}  // namespace assent::commit
