// One transaction's two-phase commit, from the first prepare to the last confirmation. PURE; the
// office owns the drivers and brings them their inputs.
//
//   Preparing ──► Proposing ──► Finishing ──► done
//                    ▲              ▲
//    abort, presumed abort     a record that an earlier office left
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
#include "coordinator/state/state_machine.h"

namespace assent::commit {

// One input: when it came, what its handlers may read, and where their effects go.
struct Turn {
  Now now;
  const state::StateMachine& state;
  const OfficeOptions& options;
  OfficeCounters& counters;
  Effects effects = {};
};

struct CommitCaller {
  Token token;
  std::uint64_t request_hash = 0;
  Acknowledge acknowledge = Acknowledge::kApplied;
  MonoTime deadline;
};
struct AbortCaller {
  Token token;
};

// ── states ──────────────────────────────────────────────────────────────────────────────────────

// Every listed branch has been asked to prepare. Left by the last YES, or by the first of a NO, the
// deadline and a client's abort.
struct Preparing {
  MonoTime deadline;  // the earliest of its callers'
};
// The decision is on its way through the log and its fate is unknown: nobody is told anything (R3).
// Left by DecisionExecuted only.
struct Proposing {
  Outcome outcome = Outcome::kAborted;
};
// T is decided, as the state says. Left, for good, when every branch has confirmed.
struct Finishing {
  Outcome outcome = Outcome::kAborted;
  Error reason;          // of an abort
  bool expired = false;  // below the floor without a record: it can never commit (R14)
};

class Driver {
 public:
  // Asks every branch to prepare. Precondition: the request is valid, T has no record.
  static Driver commit(Turn& turn, const TransactionId& transaction, const CommitAsked& asked,
                       CommitCaller caller);
  // Proposes Aborted at once, on a client's request.
  static Driver abort(Turn& turn, const TransactionId& transaction,
                      const std::vector<BranchId>& branches, AbortCaller caller);
  // Proposes Aborted at once: `found` is prepared, and nobody is committing it.
  static Driver presume_abort(Turn& turn, const BranchId& found);
  // Carries the record's outcome out at these branches; each commits iff the record lists it (R5).
  static Driver finish(Turn& turn, const TransactionId& transaction,
                       const state::TransactionRecord& record,
                       const std::vector<BranchId>& branches);
  // Rolls back a branch of a transaction below the floor that has no record (R14).
  static Driver expire(Turn& turn, const BranchId& found);

  // Another client's call for the same transaction. `branches` are those that it names.
  void join(Turn& turn, const CommitCaller& caller, const std::vector<BranchId>& branches);
  void join(Turn& turn, const AbortCaller& caller, const std::vector<BranchId>& branches);

  void on(Turn& turn, const VoteArrived& arrived);
  void on(Turn& turn, const PrepareLost& lost);
  void on(Turn& turn, const DecisionExecuted& executed);
  void on(Turn& turn, const FinishArrived& arrived);
  void on(Turn& turn, const FinishLost& lost);
  void on(Turn& turn, const AgentUp& up);
  void on(Turn& turn, const Tick& tick);
  // An inventory asked for at `asked` has this branch of T.
  void on_found(Turn& turn, const BranchId& found, MonoTime asked);

  // Every branch has confirmed and every caller is answered.
  [[nodiscard]] bool done() const;
  // When Tick is due.
  [[nodiscard]] std::optional<MonoTime> next_due() const;
  // Participants of the transaction's own branches that have not confirmed.
  [[nodiscard]] std::vector<std::string> pending() const;
  [[nodiscard]] std::string_view state_name() const;

  // Aborts the process when an invariant is broken.
  void check_invariants() const;

 private:
  struct Branch {
    BranchId id;
    // Named by the request or the record. Any other only ever rolls back, once T is decided (R5).
    bool listed = false;
    std::uint32_t statements = 0;
    std::optional<Evidence> evidence;   // present: it voted YES
    std::optional<MonoTime> confirmed;  // when it said that it has carried the outcome out
    FinishResult result = FinishResult::kDone;
    // When its message is sent again; none: it is in flight, or there is nothing to send.
    std::optional<MonoTime> resend_at;
    Millis pause;           // before the next time that its message is sent again
    std::string last_loss;  // why its last prepare had no answer
  };
  using Caller = std::variant<CommitCaller, AbortCaller>;

  explicit Driver(const TransactionId& transaction) : transaction_(transaction) {}

  Branch* find(const BranchId& id);
  Branch& find_or_add(const BranchId& id);
  [[nodiscard]] Outcome outcome_of(const Branch& branch) const;
  void add_strays(Turn& turn, const std::vector<BranchId>& branches);
  void add_named(Turn& turn, const std::vector<BranchId>& branches);
  bool admit(Turn& turn, Token token, const Caller& caller);

  void propose_commit(Turn& turn);
  void propose_abort(Turn& turn, Error reason);
  void become_proposing(Outcome outcome);
  void become_finishing(Turn& turn, Finishing state);
  void become_expired(Turn& turn);
  void follow_record(Turn& turn);
  void adopt(const state::TransactionRecord& record);
  [[nodiscard]] std::vector<state::DecidedBranch> decided_branches(bool with_strays) const;
  [[nodiscard]] Error deadline_reason() const;

  void send_prepare(Turn& turn, Branch& branch);
  void send_finish(Turn& turn, Branch& branch);
  void send_again(Turn& turn, Branch& branch);
  void send_again_later(Turn& turn, Branch& branch);

  void answer_callers(Turn& turn);
  bool try_answer(Turn& turn, const Finishing& state, const CommitCaller& caller);
  bool try_answer(Turn& turn, const Finishing& state, const AbortCaller& caller);
  [[nodiscard]] CommitAnswer commit_answer(const Finishing& state) const;

  TransactionId transaction_;
  std::uint64_t request_hash_ = 0;  // 0: not of a client's commit; fits every request
  bool presumed_ = false;           // aborted by recovery
  std::variant<Preparing, Proposing, Finishing> state_;
  std::vector<Branch> branches_;
  std::vector<Caller> callers_;  // not yet answered
};

}  // namespace assent::commit
