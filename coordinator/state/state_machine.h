// The replicated state: transactions decided, participants enrolled, the office, the group.
// Deterministic: equal entries in equal order give equal states on every replica.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "base/ids.h"
#include "base/time.h"
#include "coordinator/state/command.h"
#include "coordinator/state/heuristics.h"
#include "coordinator/state/participants.h"
#include "coordinator/state/restoration.h"
#include "coordinator/state/withdrawals.h"

namespace assent::state {

// The record of a decided transaction. Its outcome never changes (R1, R10).
struct TransactionRecord {
  Outcome outcome = Outcome::kAborted;
  std::uint64_t request_hash = 0;  // 0: presumed aborted by recovery; fits every request
  Error reason;                    // of an abort
  std::vector<DecidedBranch> branches;
  Slot decided_in;
  LogTime decided_at;
  Slot forgotten_in;  // every known branch has carried the outcome out; 0: not yet

  [[nodiscard]] bool forgotten() const { return forgotten_in != Slot(0); }
  // Aborted in the history of now; in one that is lost it may have committed, and been
  // acknowledged. That is what callers are told, not ABORTED (R10): the reason says so.
  [[nodiscard]] bool may_have_committed() const {
    return outcome == Outcome::kAborted && reason.code == ErrorCode::kOutcomeUnknown;
  }
};

// So long records stay, below the floor too, after the log has learnt of a break: until an office,
// and the next one should that end, has asked after what may be lost with it (redrive.cc). As long
// as there is room: StateOptions::forgotten_max.
inline constexpr Millis kHeldAfterBreak{60'000};

// Bounds of the state; equal on every replica (they are part of the cluster's configuration).
struct StateOptions {
  Millis retention{600'000};  // how long outcomes are kept after their ids were made (R14)
  // With more forgotten records than this the floor rises over the oldest, but never over ids of
  // the last `retention_min`: transactions need that long to be decided.
  std::size_t forgotten_max = 500'000;
  Millis retention_min{60'000};
  Formats formats{};  // of this replica's program; need not be equal
};

class StateMachine {
 public:
  explicit StateMachine(StateOptions options);

  // Executes the entry of `slot` and answers each of its commands, in order.
  // Precondition: `slot` is executed().next(): slots are executed strictly in order (R1).
  std::vector<CommandResult> execute(Slot slot, const Entry& entry);

  [[nodiscard]] Slot executed() const { return executed_; }  // 0 before the first
  [[nodiscard]] LogTime time() const { return time_; }       // of the last entry; monotone
  [[nodiscard]] LogTime floor() const { return floor_; }     // monotone (R14)
  [[nodiscard]] Ballot office() const { return office_; }    // of the last OfficeTaken
  // How many OfficeTaken were executed. The count right after a leader's own is the number of its
  // office, which no other office has: it stands in the attempts of its one-shots (R5).
  [[nodiscard]] std::uint64_t office_number() const { return offices_; }

  // Null: T has no record, which means undecided, never "aborted" (R3).
  // The pointer holds until the next execute().
  [[nodiscard]] const TransactionRecord* find(const TransactionId& transaction) const;
  [[nodiscard]] const ParticipantRecord* participant(const std::string& name) const;
  [[nodiscard]] const std::map<std::string, ParticipantRecord>& participants() const;

  // What a restore from a backup has left behind (R15).
  [[nodiscard]] const Restoration& restoration() const { return restoration_; }

  // What is kept of branches that ended otherwise than decided.
  [[nodiscard]] const Heuristics& heuristics() const { return heuristics_; }

  // Participants that operators have taken out.
  [[nodiscard]] const Withdrawals& withdrawals() const { return withdrawals_; }
  // Why this participant cannot be removed now, as far as the log knows; none: it can.
  [[nodiscard]] std::optional<Error> removal_objection(const std::string& name) const;

  // The replicas of the coordinator.
  [[nodiscard]] const Membership& membership() const { return membership_; }

  // Decided transactions whose branches have not all confirmed; in no particular order.
  [[nodiscard]] std::vector<TransactionId> unforgotten() const;
  [[nodiscard]] std::size_t record_count() const;
  // The record of the lowest id above `after`, in order of the ids' times; none: that was the last.
  [[nodiscard]] std::optional<TransactionId> next_record(const TransactionId& after) const;

  // Equal states have equal hashes; replicas compare them.
  [[nodiscard]] std::uint64_t state_hash() const;

  // ── snapshots: snapshot.cc; docs/adr/0007 has the argument ────────────────────────────────────

  // Begins a snapshot of the state as it is now. Entries may be executed while its chunks are
  // taken. One that is under way is dropped.
  void begin_snapshot();
  // The next chunk, of at most about `records` records; the last one is followed by none. Costs no
  // more than its chunk. Precondition: a snapshot is under way; with none left it is over.
  std::optional<std::string> next_chunk(std::size_t records);
  [[nodiscard]] bool snapshot_under_way() const { return snapshot_.has_value(); }

  // Takes in the chunks of a snapshot, in their order, into a new state machine with the options of
  // the one that wrote them. An error (with a sentence; kUnsupportedVersion for a newer
  // format, else kInternal): throw this state away.
  Result<void> load(std::string_view chunk);

  // This state is the content of a backup, and goes on in a new incarnation (R15): no group is
  // founded, no participant has enrolled, and the first leader to take office raises the floor.
  // Equal states stay equal. Precondition: all chunks were loaded, nothing was executed since.
  void restore(std::uint64_t backup);

  // Aborts the process when an invariant of the class is broken. Cost: linear.
  void check_invariants() const;

 private:
  // A snapshot that is being handed out.
  struct Snapshot {
    std::optional<std::string> beginning;  // the first chunk, until it is handed out
    Slot through;                          // the state after this slot
    TransactionId handed_out;              // records up to this id are
    // Records of the snapshot that left the state before they were handed out.
    std::map<TransactionId, TransactionRecord> departed;
  };

  CommandResult on(Slot slot, const OfficeTaken& command);
  CommandResult on(Slot slot, const Committed& command);
  CommandResult on(Slot slot, const Aborted& command);
  CommandResult on(Slot slot, const Forgotten& command);
  CommandResult on(Slot slot, const Enrolled& command);
  CommandResult on(Slot slot, const GroupFounded& command);
  CommandResult on(Slot slot, const ReplicaAdded& command);
  CommandResult on(Slot slot, const ReplicaPromoted& command);
  CommandResult on(Slot slot, const ReplicaRemoved& command);
  CommandResult on(Slot slot, const ReplicaMoved& command);
  CommandResult on(Slot slot, const HeuristicFound& command);
  CommandResult on(Slot slot, const HeuristicForgotten& command);
  CommandResult on(Slot slot, const HeuristicResolved& command);
  CommandResult on(Slot slot, const LandmarkNoted& command);
  CommandResult on(Slot slot, const UntoldForgotten& command);
  CommandResult on(Slot slot, const ParticipantDrained& command);
  CommandResult on(Slot slot, const ParticipantResumed& command);
  CommandResult on(Slot slot, const ParticipantRemoved& command);

  void advance_time(LogTime time);
  void raise_floor(LogTime floor);
  void drop_expired();
  void hold_records();
  void drop(const TransactionId& transaction);
  [[nodiscard]] std::optional<CommandResult> undecidable(
      const TransactionId& transaction, const std::vector<DecidedBranch>& branches) const;
  [[nodiscard]] std::optional<std::string> loser_of(
      const std::vector<DecidedBranch>& branches) const;
  [[nodiscard]] std::vector<DecidedBranch> with_participants(
      std::vector<DecidedBranch> branches) const;
  void keep(const TransactionId& transaction, TransactionRecord record);
  void forget(Slot slot, const TransactionId& transaction);
  void begin_incarnation(const Ballot& ballot);
  [[nodiscard]] bool quarantined(const std::vector<DecidedBranch>& branches) const;
  [[nodiscard]] bool log_was_lost(const std::string& participant) const;
  void prove(const std::vector<DecidedBranch>& branches);
  [[nodiscard]] std::optional<Error> objection(const Enrolled& life) const;
  [[nodiscard]] std::string beginning() const;
  [[nodiscard]] std::optional<TransactionId> next_of_snapshot() const;
  std::optional<TransactionRecord> take_of_snapshot(const TransactionId& id);
  Result<void> load_beginning(std::string_view chunk);
  Result<void> load_records(std::string_view chunk);
  void check_records() const;
  void check_participants() const;

  const StateOptions options_;
  Slot executed_;
  LogTime time_;
  LogTime floor_;
  Ballot office_;
  std::uint64_t offices_ = 0;
  std::unordered_map<TransactionId, TransactionRecord> records_;
  // Every record's id stands in exactly one of the two, in order of the ids' times: ids compare by
  // their time first.
  std::set<TransactionId> unforgotten_;
  // All above the floor, but for those that a break holds back.
  std::set<TransactionId> forgotten_;
  LogTime held_until_;  // follows from the participants' breaks
  std::map<std::string, ParticipantRecord> participants_;
  Membership membership_;
  Heuristics heuristics_;
  Restoration restoration_;
  Withdrawals withdrawals_;
  std::optional<Snapshot> snapshot_;
};

}  // namespace assent::state
