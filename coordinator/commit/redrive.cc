// Commits that may be lost with a database's history are carried out once more.
//
// 1. A commit was confirmed by a participant, durably, and its database has been promoted or
// restored
//    since, so that another history answers now: a break. Whatever that one has of the branch, the
//    branch is owed the commit: T is COMMITTED for ever (R10).
// 2. What it has is found out by sending the finish again, with the record's evidence: the branch
// is
//    prepared again, and commits; or it is committed, and the evidence proves it; or it is lost,
//    and what the agent answers is kept as heuristic (log_heuristic).
// 3. Branches that commit after the break was executed are of the new history, or survived the
// break
//    (StateMachine, loser_of): one sweep over the records finds all others.
// 4. Should the office end before its sweep, the next one begins anew. A finish may be repeated,
// and
//    its answer is kept once.
// A record that left before the break was executed is not found. That takes a participant that was
// away for longer than outcomes are kept.
#include "base/canary.h"
#include "coordinator/commit/office_impl.h"

namespace assent::commit {
namespace {

// A turn looks at so many records, and begins with so many of them.
constexpr std::size_t kLookedAtMax = 1'000;
constexpr std::size_t kBegunMax = 100;
constexpr Millis kPause(10);

}  // namespace

// Ids may be ahead of the log's time by the permitted skew, so the last record that can be
// concerned leaves by so much later than the break.
void Office::Impl::look_for_break(Turn& turn, const std::string& participant,
                                  const state::ParticipantRecord& record) {
  if (canary(Canary::kBreakNotRedriven)) return;
  Epoch& swept = swept_[participant];
  if (record.broken_below <= swept) return;
  swept = record.broken_below;
  if (record.broken_at + options_.clock_skew_max <= state_.floor()) return;
  sweeps_.push_back({participant, TransactionId()});
  if (!sweep_due_) sweep(turn);
}

// Clients' transactions keep half of the room.
void Office::Impl::sweep(Turn& turn) {
  std::size_t looked_at = 0;
  std::size_t begun = 0;
  while (!sweeps_.empty() && looked_at < kLookedAtMax && begun < kBegunMax) {
    if (drivers_.size() >= options_.transactions_max / 2) break;
    Sweep& at_work = sweeps_.front();
    const std::optional<TransactionId> next = state_.next_record(at_work.after);
    if (!next) {
      sweeps_.pop_front();
      continue;
    }
    at_work.after = *next;
    ++looked_at;
    begun += drive_again(turn, at_work.participant, *next);
  }
  sweep_due_.reset();
  if (!sweeps_.empty()) sweep_due_ = turn.now.mono + kPause;
}

// Answers how many finishes are sent.
std::size_t Office::Impl::drive_again(Turn& turn, const std::string& participant,
                                      const TransactionId& transaction) {
  const state::TransactionRecord& record = *state_.find(transaction);
  const state::ParticipantRecord& present = *state_.participant(participant);
  if (record.outcome != Outcome::kCommitted) return 0;
  std::vector<FoundBranch> branches;
  for (const state::DecidedBranch& branch : record.branches) {
    if (branch.participant != participant || !present.may_have_lost(branch)) continue;
    branches.push_back({{transaction, participant, branch.epoch, branch.attempt}});
  }
  if (branches.empty()) return 0;
  const auto driven = drivers_.find(transaction);
  if (driven == drivers_.end()) {
    drive(transaction, Driver::finish(turn, transaction, record, branches), turn.now);
    return branches.size();
  }
  for (const FoundBranch& one : branches) {
    driven->second.driver.finish_again(turn, one.branch);
  }
  after_event(driven, turn.now);
  return branches.size();
}

}  // namespace assent::commit
