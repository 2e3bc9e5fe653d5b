// Commits that may be lost with a database's history are carried out once more.
//
// 1. A commit was confirmed by a participant, durably, and its database has been promoted or
//    restored since, so that another history answers now: a break. Whatever that one has of the
//    branch, the branch is owed the commit: T is COMMITTED for ever (R10).
// 2. What it has is found out by sending the finish again, with the record's evidence: the branch
//    is prepared again, and commits; or it is committed, and the evidence proves it; or it is lost,
//    and what the agent answers is kept as heuristic (log_heuristic). That goes for every branch of
//    the lives before, whatever the log proves of its PREPARE: a COMMIT PREPARED lies behind that,
//    nobody knows how far, and may be lost alone. Then the branch is prepared again, and somebody
//    may have ended it by hand before the agent came.
// 3. Branches that commit after the break was executed are of the new history, or survived the
//    break (StateMachine, loser_of): one sweep over the records finds all others.
// 4. Should the office end before its sweep, the next one begins anew. A finish may be repeated,
//    and its answer is kept once.
// 5. A branch that is told as a hazard, or was ended by hand, is not asked about again. Later lives
//    know less of it: data that were restored and have grown since can hold another transaction of
//    the branch's number, which only the first life after the restore can tell from the branch's.
//    Should it be prepared in the new history, an inventory shows it.
// 6. A record that was there when the break was executed stays for state::kHeldAfterBreak more,
//    whatever its age: the sweep, or that of the next office, finds it.
// A record that left before the break was executed is not found. That takes a participant that was
// away for longer than outcomes are kept, or a coordinator that was restored from a backup, whose
// first office raises the floor over all that had been forgotten (ADR 0008). Nor is one whose turn
// does not come within 6 because the participant is away again or its sweep is long, or that has no
// room (StateOptions::forgotten_max). What is prepared again is not lost by that: an inventory
// shows it.
#include "base/canary.h"
#include "coordinator/commit/office_impl.h"

namespace assent::commit {
namespace {

// A turn looks at so many records.
constexpr std::size_t kLookedAtMax = 1'000;
// So many transactions of a sweep wait for their participant at once: few of those that it is
// proven to have prepared, of which nearly all are committed. They share the agent's connections
// with what is decided now.
constexpr std::size_t kAtOnceMax = 64;
constexpr std::size_t kKeptAtOnceMax = 4;
constexpr Millis kPause(10);

}  // namespace

// Ids may be ahead of the log's time by the permitted skew, so the last record that can be
// concerned leaves by so much later than the break, or with the end of what holds it back.
void Office::Impl::look_for_break(Turn& turn, const std::string& participant,
                                  const state::ParticipantRecord& record) {
  if (canary(Canary::kBreakNotRedriven)) return;
  Epoch& swept = swept_[participant];
  if (record.broken_below <= swept) return;
  swept = record.broken_below;
  const bool held = state_.time() < record.broken_at + state::kHeldAfterBreak;
  if (!held && record.broken_at + options_.clock_skew_max <= state_.floor()) return;
  sweeps_.push_back({participant});
  if (!sweep_due_) sweep(turn);
}

void Office::Impl::sweep(Turn& turn) {
  std::size_t looked_at = 0;
  std::erase_if(sweeps_, [&](Sweep& one) { return sweep_through(turn, one, looked_at); });
  sweep_due_.reset();
  if (!sweeps_.empty()) sweep_due_ = turn.now.mono + kPause;
}

// Answers whether it is at its end. What may be lost comes first. Clients' transactions keep half
// of the room; the branches that are prepared, which an inventory shows, do not wait behind
// thousands that are not; and who waits for another participant holds nobody up.
bool Office::Impl::sweep_through(Turn& turn, Sweep& one, std::size_t& looked_at) {
  std::erase_if(one.driven, [&](const TransactionId& t) {
    const auto driven = drivers_.find(t);
    return driven == drivers_.end() || driven->second.driver.unended_at(one.participant) == 0;
  });
  while (one.driven.size() < (one.of_kept ? kKeptAtOnceMax : kAtOnceMax) &&
         looked_at < kLookedAtMax && drivers_.size() < options_.transactions_max / 2) {
    const std::optional<TransactionId> next = state_.next_record(one.after);
    if (!next && one.of_kept) return true;
    if (!next) {
      one.of_kept = true;
      one.after = TransactionId();
      continue;
    }
    one.after = *next;
    ++looked_at;
    if (drive_again(turn, one, *next)) one.driven.insert(*next);
  }
  return false;
}

// Answers whether finishes are sent.
bool Office::Impl::drive_again(Turn& turn, const Sweep& one, const TransactionId& transaction) {
  const std::string& participant = one.participant;
  const state::TransactionRecord& record = *state_.find(transaction);
  const state::ParticipantRecord* const present = state_.participant(participant);
  if (present == nullptr || record.outcome != Outcome::kCommitted) return false;
  const state::Heuristic* const told = state_.heuristics().find(transaction);
  std::vector<FoundBranch> branches;
  for (const state::DecidedBranch& branch : record.branches) {
    if (branch.participant != participant || !present->is_older(branch)) continue;
    if (present->may_have_lost(branch) == one.of_kept) continue;
    if (told != nullptr && told->result_of(branch) != FinishResult::kDone) continue;
    branches.push_back({{transaction, participant, branch.epoch, branch.attempt}});
  }
  if (branches.empty()) return false;
  const auto driven = drivers_.find(transaction);
  if (driven == drivers_.end()) {
    drive(transaction, Driver::finish(turn, transaction, record, branches), turn.now);
    return true;
  }
  for (const FoundBranch& branch : branches) {
    driven->second.driver.finish_again(turn, branch.branch);
  }
  after_event(driven, turn.now);
  return true;
}

}  // namespace assent::commit
