// The replicated state: transactions decided, participants enrolled, the office. Deterministic:
// equal entries in equal order give equal states on every replica.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <unordered_map>
#include <vector>

#include "base/ids.h"
#include "base/time.h"
#include "coordinator/state/command.h"

namespace assent::state {

// The record of a decided transaction. Its outcome never changes (R1, R10).
struct TransactionRecord {
  Outcome outcome = Outcome::kAborted;
  std::uint64_t request_hash = 0;  // 0: presumed aborted by recovery; fits every request
  Error reason;                    // of an abort
  std::vector<DecidedBranch> branches;
  Slot decided_in;
  LogTime decided_at;
  bool forgotten = false;  // every known branch has carried the outcome out
};

// A participant's present life.
struct ParticipantRecord {
  DatabaseIdentity identity;  // immutable (R16)
  Epoch epoch;
  Epoch proven_epoch;  // highest known to stand in the database itself; below `epoch` at enrolment
  std::string nonce;
  std::uint32_t timeline = 0;
  std::uint64_t wal_position = 0;
  std::string client_address;
  std::string peer_address;
  bool one_phase = false;  // a single writing branch may commit there in one phase (R12)

  bool operator==(const ParticipantRecord&) const = default;
};

// Bounds of the state; equal on every replica (they are part of the cluster's configuration).
struct StateOptions {
  Millis retention{600'000};  // how long outcomes are kept after their ids were made (R14)
  // With more forgotten records than this the floor rises over the oldest, but never over ids of
  // the last `retention_min`: transactions need that long to be decided.
  std::size_t forgotten_max = 500'000;
  Millis retention_min{60'000};
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

  // Decided transactions whose branches have not all confirmed; in no particular order.
  [[nodiscard]] std::vector<TransactionId> unforgotten() const;
  [[nodiscard]] std::size_t record_count() const;

  // Equal states have equal hashes; replicas compare them.
  [[nodiscard]] std::uint64_t state_hash() const;

  // Aborts the process when an invariant of the class is broken. Cost: linear.
  void check_invariants() const;

 private:
  CommandResult on(Slot slot, const OfficeTaken& command);
  CommandResult on(Slot slot, const Committed& command);
  CommandResult on(Slot slot, const Aborted& command);
  CommandResult on(Slot slot, const Forgotten& command);
  CommandResult on(Slot slot, const Enrolled& command);

  void advance_time(LogTime time);
  void raise_floor(LogTime floor);
  void drop_expired();
  CommandResult decide(const TransactionId& transaction, TransactionRecord record);
  void forget(const TransactionId& transaction);
  void prove_epochs(const std::vector<DecidedBranch>& branches);
  [[nodiscard]] std::optional<Error> objection(const Enrolled& life) const;
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
  std::set<TransactionId> forgotten_;  // all above the floor
  std::map<std::string, ParticipantRecord> participants_;
};

}  // namespace assent::state
