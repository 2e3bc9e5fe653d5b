// One transaction's two-phase commit, from the first prepare to the last confirmation. PURE; the
// office owns the drivers and brings them their inputs.
//
//   Preparing ──► Proposing ──► Finishing ──► done
//    │  │            ▲ ▲            ▲ ▲
//    │  └─► OnePhase ┘ │            │ a record that an earlier office left
//    │       │ │       │            │
//    │       ▼ └───────┼────────────┤ committed in one phase: no record
//    └──► Settling ────┴────────────┘
//
// An abort begins in Proposing, or in Settling when T may have committed in one phase before.
// driver.cc: beginnings and the decision. voting.cc: everything before it. finishing.cc: everything
// behind it. answers.cc: what callers are told.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "base/error.h"
#include "base/ids.h"
#include "base/time.h"
#include "coordinator/commit/office.h"
#include "coordinator/commit/serials.h"
#include "coordinator/state/state_machine.h"

namespace assent::commit {

// One input: when it came, what its handlers may read, and where their effects go.
struct Turn {
  Now now;
  const state::StateMachine& state;
  const OfficeOptions& options;
  OfficeCounters& counters;
  Serials& serials;
  Effects effects = {};
};

struct CallerBranch {
  std::string participant;
  bool one_shot = false;
};
struct CommitCaller {
  Token token;
  std::uint64_t request_hash = 0;
  Acknowledge acknowledge = Acknowledge::kApplied;
  MonoTime deadline;
  MonoTime leaves_at;                  // told kOutcomeUnknown then, if a one-phase commit is open
  std::vector<CallerBranch> branches;  // in the order of its request
};
struct AbortCaller {
  Token token;
  MonoTime leaves_at;
};

// ── states ──────────────────────────────────────────────────────────────────────────────────────

// Every listed branch has been asked to prepare, except a writer that may commit in one phase: the
// others are asked first (R11). Left by the last vote, or by the first of a NO, the deadline and a
// client's abort.
struct Preparing {
  MonoTime deadline;  // the earliest of its callers'
};
// Every other branch has left as a reader, and the writer has been told to commit at once. Its fate
// is unknown: nobody is told anything. Left by the writer's vote (R12), or at the deadline when the
// writer certainly was not reached.
struct OnePhase {
  // False while every prepare so far certainly did not reach the agent: then T can be aborted.
  bool maybe_told = false;
  bool in_flight = true;
  MonoTime deadline;

  [[nodiscard]] bool unsent() const { return !maybe_told && !in_flight; }
};
// T is to be aborted, and may have committed in one phase: its writer's participant is asked. Left
// by the answer, or by a late vote that says COMMITTED.
struct Settling {
  Error reason;  // of the abort
  // When the settle is sent again; none: it is in flight.
  std::optional<MonoTime> resend_at = std::nullopt;
  Millis pause = Millis(0);
};
// The decision is on its way through the log and its fate is unknown: nobody is told anything (R3).
// Left by DecisionExecuted only.
struct Proposing {
  Outcome outcome = Outcome::kAborted;
  bool refused = false;  // it was a no-op, and T is undecided
};
// T is decided, as the state says, or the writer's outcome row. Left, for good, when every branch
// has confirmed.
struct Finishing {
  Outcome outcome = Outcome::kAborted;
  Error reason = {};       // of an abort
  bool expired = false;    // below the floor without a record: it can never commit (R14)
  bool one_phase = false;  // committed so: there is no record, and every listed branch has ended
  bool resolved = false;   // by an operator, who may have no evidence; there is no record

  // As of state::TransactionRecord: the history in which T may have committed is lost.
  [[nodiscard]] bool may_have_committed() const {
    return outcome == Outcome::kAborted && reason.code == ErrorCode::kOutcomeUnknown;
  }
};

class Driver {
 public:
  // Asks the branches to prepare. `first`: no earlier copy of the request was acted upon.
  // Precondition: the request is valid, T has no record.
  static Driver commit(Turn& turn, const CommitAsked& asked, bool first, CommitCaller caller);
  // Aborts, settled first: the request may be a repeat, and its one-shots are not run (R9).
  static Driver refuse_to_run(Turn& turn, const CommitAsked& asked, CommitCaller caller);
  // Aborts, settled first unless it was never asked to commit, on a client's request.
  static Driver abort(Turn& turn, const AbortAsked& asked, AbortCaller caller);
  // Proposes Aborted at once: `found` is prepared, or was, and nobody is committing it.
  static Driver presume_abort(Turn& turn, const FoundBranch& found);
  // Carries the record's outcome out at these branches; each commits iff the record lists it (R5).
  static Driver finish(Turn& turn, const TransactionId& transaction,
                       const state::TransactionRecord& record,
                       const std::vector<FoundBranch>& branches);
  // Rolls back a branch of a transaction below the floor that has no record (R14).
  static Driver expire(Turn& turn, const FoundBranch& found);
  // Ends a branch of a transaction without a record as an operator has decided (R15).
  static Driver resolve(Turn& turn, const FoundBranch& found, Outcome outcome);

  // Another client's call for the same transaction. `branches` are those that it names.
  void join(Turn& turn, const CommitCaller& caller, const std::vector<BranchId>& branches);
  void join(Turn& turn, const AbortCaller& caller, const std::vector<BranchId>& branches);

  void on(Turn& turn, const VoteArrived& arrived);
  void on(Turn& turn, const PrepareLost& lost);
  void on(Turn& turn, const SettleArrived& arrived);
  void on(Turn& turn, const SettleLost& lost);
  void on(Turn& turn, const DecisionExecuted& executed);
  void on(Turn& turn, const FinishArrived& arrived);
  void on(Turn& turn, const FinishLost& lost);
  void on(Turn& turn, const HeuristicLogged& logged);
  void on(Turn& turn, const AgentUp& up);
  void on(Turn& turn, const Tick& tick);
  // What this branch of T has confirmed may be lost.
  void finish_again(Turn& turn, const BranchId& branch);
  // An inventory asked for at `asked` has this branch of T.
  void on_found(Turn& turn, const FoundBranch& found, MonoTime asked);

  // Every branch has confirmed, what they said is in the log where it must be kept, and every
  // caller is answered.
  [[nodiscard]] bool done() const;
  // When Tick is due.
  [[nodiscard]] std::optional<MonoTime> next_due() const;
  // Participants of the transaction's own branches that have not confirmed.
  [[nodiscard]] std::vector<std::string> pending() const;
  [[nodiscard]] std::string_view state_name() const;
  // Branches at this participant that have not ended, strays included.
  [[nodiscard]] std::size_t unended_at(const std::string& participant) const;
  // For operators.
  [[nodiscard]] DrivenView view(MonoTime now) const;

  // Its writer says that it has committed in one phase, perhaps in a history that is over.
  void doubt_commit(Turn& turn, const BranchId& writer);

  // T has no record and never gets one: nothing but what it found prepared is rolled back.
  [[nodiscard]] bool expired() const;

  // The serials of its one-shots are needed no more.
  void release(Serials& serials) const;

  // Aborts the process when an invariant is broken.
  void check_invariants() const;

 private:
  struct Branch {
    BranchId id;
    // Named by the request or the record. Any other only ever rolls back, once T is decided (R5).
    bool listed = false;
    bool held = false;  // the writer, not asked before the others have voted (R11)
    bool left = false;  // it had only read, and has committed, whatever the outcome
    std::uint32_t statements = 0;
    OneShotWork one_shot;               // while it may have to be sent
    StatementResults results;           // while a caller waits for them
    bool in_vain = false;               // it voted NO, and is prepared
    std::optional<Evidence> evidence;   // present: it was prepared; it voted YES unless in vain
    std::optional<MonoTime> confirmed;  // when it said that it has carried the outcome out
    FinishResult result = FinishResult::kDone;
    std::uint32_t unlogged = 0;  // what it said that is on its way through the log
    // When its message is sent again; none: it is in flight, or there is nothing to send.
    std::optional<MonoTime> resend_at;
    Millis pause;           // before the next time that its message is sent again
    std::string last_loss;  // why its last prepare had no answer

    [[nodiscard]] bool voted() const { return left || said_yes(); }
    [[nodiscard]] bool said_yes() const { return evidence.has_value() && !in_vain; }
    [[nodiscard]] bool ended() const { return left || confirmed.has_value(); }
  };
  using Caller = std::variant<CommitCaller, AbortCaller>;

  // Strays included; an inventory finds any other again.
  static constexpr std::size_t kBranchesMax = 256;

  explicit Driver(const TransactionId& transaction) : transaction_(transaction) {}

  template <class State>
  [[nodiscard]] bool in() const {
    return std::holds_alternative<State>(state_);
  }

  // ── driver.cc
  static Driver named_by_client(Turn& turn, const TransactionId& transaction,
                                const std::vector<RequestedBranch>& branches);
  Branch* find(const BranchId& id);
  Branch& find_or_add(const BranchId& id);
  void list(Turn& turn, const std::vector<BranchId>& branches);
  [[nodiscard]] Outcome outcome_of(const Branch& branch) const;
  void add_strays(Turn& turn, const std::vector<BranchId>& branches);
  void add_stray(Turn& turn, const FoundBranch& found);
  void add_named(Turn& turn, const std::vector<BranchId>& branches);
  void add_requested(Turn& turn, const std::vector<BranchId>& branches);

  void propose_commit(Turn& turn);
  void propose_abort(Turn& turn, Error reason);
  void become_proposing(Outcome outcome);
  void abandon(Turn& turn, const std::string& loser);
  void become_finishing(Turn& turn, Finishing state);
  void become_expired(Turn& turn);
  void refused(Turn& turn);
  void leave_to_inventories(Turn& turn);
  void follow_record(Turn& turn);
  void adopt(const state::TransactionRecord& record);
  [[nodiscard]] BranchView view(const Branch& branch, MonoTime now) const;
  [[nodiscard]] std::vector<state::DecidedBranch> decided_branches(bool with_strays) const;

  void log_heuristic(Turn& turn, Branch& branch);
  void log_lost_commit(Turn& turn);
  void send_finish(Turn& turn, Branch& branch);
  void send_again(Turn& turn, Branch& branch);
  void send_again_later(Turn& turn, Branch& branch);
  [[nodiscard]] std::optional<MonoTime> due_of(const Caller& caller) const;
  void check_asking(const Branch& branch) const;
  bool has_nobody_left(Turn& turn);

  // ── voting.cc
  void list_requested(Turn& turn, const RequestedBranch& requested);
  void take(Turn& turn, Branch& branch, const VoteYes& vote);
  void take(Turn& turn, Branch& branch, const VoteNo& vote);
  void take(Turn& turn, Branch& branch, const VoteReadOnly& vote);
  void take(Turn& turn, Branch& branch, const VoteCommitted& vote);
  void after_vote(Turn& turn, Branch& branch, const StatementResults& results);
  void release_writer(Turn& turn, Branch& writer);
  Branch* held();
  [[nodiscard]] Branch* silent();
  void become_one_phase(Turn& turn, Branch& writer);
  void give_up(Turn& turn, Error reason);
  void become_settling(Turn& turn, Error reason);
  void become_committed_in_one_phase(Turn& turn);
  void give_up_unsent(Turn& turn);
  void stop_asking();
  void send_prepare(Turn& turn, Branch& branch);
  void send_settle(Turn& turn);
  [[nodiscard]] bool row_may_be_lost(const Turn& turn) const;

  // ── answers.cc
  bool admit(Turn& turn, Token token, const Caller& caller);
  void answer_callers(Turn& turn);
  bool try_answer(Turn& turn, const Finishing& state, const CommitCaller& caller);
  bool try_answer(Turn& turn, const Finishing& state, const AbortCaller& caller);
  [[nodiscard]] CommitAnswer commit_answer(const Turn& turn, const Finishing& state,
                                           const CommitCaller& caller) const;
  void add_results(CommitAnswer& answer, const CommitCaller& caller) const;
  [[nodiscard]] bool has_left(const std::string& participant, const Finishing& state) const;
  void part_with_late_callers(Turn& turn);
  [[nodiscard]] std::string_view writers_last_loss() const;
  // True when T may have committed in one phase, as far as this driver knew while it was undecided.
  [[nodiscard]] bool may_be_one_phase() const { return !writer_.empty() && (told_ || repeated_); }

  TransactionId transaction_;
  std::uint64_t request_hash_ = 0;  // 0: not of a client's commit; fits every request
  std::string writer_;              // its participant (R12); empty: T never commits in one phase
  bool repeated_ = false;           // an earlier office may have told the writer to commit
  bool told_ = false;               // this driver has told the writer to commit
  bool presumed_ = false;           // aborted by recovery
  std::variant<Preparing, OnePhase, Settling, Proposing, Finishing> state_;
  std::vector<Branch> branches_;
  std::vector<Caller> callers_;  // not yet answered
};

}  // namespace assent::commit
