// What an office does about work that is not its clients': what an earlier office decided and did
// not finish, and what agents find prepared in their databases.
#include <algorithm>
#include <utility>

#include "base/buggify.h"
#include "base/canary.h"
#include "coordinator/commit/office_impl.h"
#include "coordinator/commit/reasons.h"
#include "coordinator/commit/request.h"

namespace assent::commit {

// What is decided and not forgotten is carried out again from the start: which branches have
// confirmed is not in the log, and a finish may be repeated.
Effects Office::Impl::take_office(Now now) {
  number_ = state_.office_number();
  serials_ = Serials(number_);
  Turn turn = begin(now);
  for (const TransactionId& transaction : state_.unforgotten()) {
    const state::TransactionRecord& record = *state_.find(transaction);
    std::vector<FoundBranch> branches;
    for (const state::DecidedBranch& branch : record.branches) {
      branches.push_back({{transaction, branch.participant, branch.epoch, branch.attempt}});
    }
    drive(transaction, Driver::finish(turn, transaction, record, branches), now);
  }
  for (const auto& [name, record] : state_.participants()) look_for_break(turn, name, record);
  return std::move(turn.effects);
}

// An agent that was displaced, and does not know it yet, may serve a database that was replaced: an
// isolated primary, whose standby was promoted. It is still asked, and its answer may come late.
bool Office::Impl::of_another_life(const std::string& participant, Epoch life) const {
  if (life == Epoch(0)) return false;
  const state::ParticipantRecord* record = state_.participant(participant);
  return record != nullptr && record->epoch != life;
}

// Its life worked in a history that may be lost.
bool Office::Impl::is_before_break(const BranchId& branch) const {
  const state::ParticipantRecord* record = state_.participant(branch.participant);
  return record != nullptr && branch.epoch < record->broken_below;
}

void Office::Impl::on(Turn& turn, const InventoryArrived& arrived) {
  if (of_another_life(arrived.participant, arrived.life)) return;
  weigh(turn, arrived);
  for (const FoundBranch& one : arrived.prepared) {
    const BranchId& branch = one.branch;
    if (branch.participant != arrived.participant) continue;
    if (is_strangers(one)) {
      leave_alone(turn, branch);
      continue;
    }
    found(turn, one, arrived.asked);
    if (buggify(Point::kInventoryTwice)) found(turn, one, arrived.asked);
  }
  for (const FoundBranch& one : arrived.ended) {
    const BranchId& branch = one.branch;
    if (branch.participant != arrived.participant ||
        state_.participant(branch.participant) == nullptr)
      continue;
    // Nothing is left there for an operator to decide, and the life that tells it is over.
    if (!nobody_knows(branch)) found(turn, one, arrived.asked);
  }
}

// The decision knows the branch's xid, and what stands under its name has another one (R8).
bool Office::Impl::is_strangers(const FoundBranch& one) const {
  const auto* record = state_.find(one.branch.transaction);
  if (record == nullptr || !one.evidence) return false;
  return std::ranges::any_of(record->branches, [&](const state::DecidedBranch& decided) {
    const BranchId listed{one.branch.transaction, decided.participant, decided.epoch,
                          decided.attempt};
    return listed == one.branch && decided.evidence != Evidence{} &&
           decided.evidence.xid != one.evidence->xid;
  });
}

// A branch is prepared, or was when the inventory was asked for. Or it has been prepared and is not
// any more, and its agent does not know why (`ended`): its finish is owed all the same, and settles
// by evidence how it ended. What is right follows from who knows its transaction T:
// 1. A driver that finished after the inventory was asked for: what it showed is gone by now.
// 2. A driver: it is live work (R8), or the driver takes it in.
// 3. A record: the branch gets the record's outcome (R5).
// 4. Neither, and T is above the floor: T is undecided, so Aborted is proposed. It expects no
//    record (R1); should anything be decided first, that is followed instead.
// 5. Neither, and T is at or below the floor. No record of T will ever be made (R14), so nothing
//    commits T from now on. Could T have been committed, and this branch be owed the commit?
//    a. A record leaves only when it is forgotten, and Forgotten is proposed only when every
//       listed branch has confirmed: it was committed in its database, durably.
//    b. For it to be prepared again, the database must have gone back. Enrolment refuses a life
//       whose database went back behind an earlier enrolment (R16), and notes one that may have
//       lost what an earlier life did since: ParticipantRecord::broken_below. An agent's life ends
//       with its database's history, and the one that sent this inventory is the present one.
//    c. Of an epoch that is not below, the branch is therefore not listed, and rolling it back is
//       right for every outcome that T may have had.
//    d. Of an epoch below, nobody knows. It stays prepared, and the log tells operators of it.
// 6. Of an epoch of before the coordinator was restored from a backup, without a record: the lost
//    log may have decided T in any way (R15). It stays prepared like 5d, whatever T's time.
// 7. What an operator has decided about 5d and 6 is carried out, for the branches that he knew. No
//    driver takes in another one: T's might abort, or carry out what was decided of its own alone.
//    When that driver is done the next inventory shows the branch, and what is right then.
void Office::Impl::found(Turn& turn, const FoundBranch& one, MonoTime asked) {
  const BranchId& branch = one.branch;
  const TransactionId& transaction = branch.transaction;
  const state::ParticipantRecord* participant = state_.participant(branch.participant);
  if (participant == nullptr || participant->epoch < branch.epoch) return leave_alone(turn, branch);
  if (finishes_.finished_since(transaction, asked)) return;
  const auto driven = drivers_.find(transaction);
  if (nobody_knows(branch)) {
    if (driven == drivers_.end() || driven->second.driver.expired()) leave_to_operator(turn, one);
    return;
  }
  if (driven != drivers_.end()) {
    driven->second.driver.on_found(turn, one, asked);
    return after_event(driven, turn.now);
  }
  if (const auto* record = state_.find(transaction)) {
    return drive(transaction, Driver::finish(turn, transaction, *record, {one}), turn.now);
  }
  if (transaction.time() <= state_.floor()) {
    return drive(transaction, Driver::expire(turn, one), turn.now);
  }
  // No client's request under such an id was ever let in (R17).
  if (turn.now.log + options_.clock_skew_max < transaction.time()) return leave_alone(turn, branch);
  // Orphans come as many as databases hold, all at once: those for whom there is no room now stand
  // in the next inventory, too.
  if (drivers_.size() >= options_.transactions_max || buggify(Point::kOrphansLater)) return;
  drive(transaction, Driver::presume_abort(turn, one), turn.now);
}

// Precondition: the branch's participant has enrolled.
bool Office::Impl::nobody_knows(const BranchId& branch) const {
  const state::ParticipantRecord& participant = *state_.participant(branch.participant);
  if (state_.find(branch.transaction) != nullptr) return false;
  const bool quarantined = branch.epoch < participant.quarantined_below;
  if (quarantined && !canary(Canary::kQuarantineIgnored)) return true;
  const bool below_floor = branch.transaction.time() <= state_.floor();
  return below_floor && branch.epoch < participant.broken_below;
}

// What a client names and a driver may take in: without a record, no branch of before the
// coordinator was restored (found, 7).
std::vector<BranchId> Office::Impl::drivable(const TransactionId& transaction,
                                             const std::vector<RequestedBranch>& branches) const {
  std::vector<BranchId> out = branch_ids(transaction, branches);
  if (state_.find(transaction) != nullptr) return out;
  std::erase_if(out, [&](const BranchId& branch) {
    const state::ParticipantRecord* known = state_.participant(branch.participant);
    return known != nullptr && branch.epoch < known->quarantined_below;
  });
  return out;
}

// With its evidence, so that its end is settled by that when somebody else ends it before (R7).
void Office::Impl::leave_to_operator(Turn& turn, const FoundBranch& one) {
  const BranchId& branch = one.branch;
  const state::DecidedBranch told{branch.participant, branch.epoch, branch.attempt,
                                  one.evidence.value_or(Evidence{})};
  const state::Heuristic* kept = state_.heuristics().find(branch.transaction);
  if (const auto resolved = kept == nullptr ? std::nullopt : kept->resolved(told)) {
    if (drivers_.contains(branch.transaction)) return;  // the next inventory has it again
    return drive(branch.transaction, Driver::resolve(turn, one, *resolved), turn.now);
  }
  if (kept != nullptr && kept->result_of(told) != FinishResult::kDone) return;
  ++counters_.heuristic;
  turn.effects.warnings.push_back({branch.transaction, reasons::broken_history(branch)});
  turn.effects.propose.emplace_back(state::HeuristicFound{
      branch.transaction, Outcome::kAborted, /*listed=*/0, told, FinishResult::kHazard});
}

// Not ours (R8), whatever its name says.
void Office::Impl::leave_alone(Turn& turn, const BranchId& branch) {
  if (strangers_.size() >= kStrangersMax) strangers_.clear();
  if (!strangers_.insert(branch).second) return;
  turn.effects.warnings.push_back({branch.transaction, reasons::stranger(branch)});
}

}  // namespace assent::commit
