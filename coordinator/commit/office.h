// A leader's term of office: every transaction that it drives, from a client's commit, or from what
// its predecessor left, to the last branch's confirmation. PURE: inputs in, effects out.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "base/error.h"
#include "base/ids.h"
#include "base/statement.h"
#include "base/time.h"
#include "coordinator/commit/budget.h"
#include "coordinator/commit/driven_view.h"
#include "coordinator/state/command.h"
#include "coordinator/state/state_machine.h"

namespace assent::commit {

// Names a caller that waits for an answer. Issued by the shell, never reused within an office.
using Token = Strong<struct TokenTag>;

// A branch as the client named it at commit: one that it opened, or a whole one.
struct RequestedBranch {
  std::string participant;
  Epoch epoch;                   // 0 of a one-shot
  Attempt attempt;               // 0 of a one-shot
  std::uint32_t statements = 0;  // how many the client sent (R13)
  OneShotWork one_shot = nullptr;
  bool reads = false;  // a hint: it is believed to have written nothing

  bool operator==(const RequestedBranch&) const = default;
};

enum class Acknowledge : std::uint8_t { kApplied = 1, kDecided = 2 };

// ── votes and results ───────────────────────────────────────────────────────────────────────────

// `results` are of a one-shot; null when they came too late.
struct VoteYes {
  Evidence evidence;
  StatementResults results = nullptr;
};
struct VoteNo {
  Error reason;
  std::optional<Evidence> evidence = std::nullopt;  // of a branch that is prepared all the same
};
// It has left, whatever the outcome.
struct VoteReadOnly {
  StatementResults results = nullptr;
};
// It has committed in one phase: so has the transaction (R12).
struct VoteCommitted {
  StatementResults results = nullptr;
};
using Vote = std::variant<VoteYes, VoteNo, VoteReadOnly, VoteCommitted>;

using assent::FinishResult;

// ── inputs ──────────────────────────────────────────────────────────────────────────────────────

// A client asks for commit. May be repeated (R9): every caller gets the one outcome.
struct CommitAsked {
  Token token;
  TransactionId transaction;
  std::vector<RequestedBranch> branches;
  Acknowledge acknowledge = Acknowledge::kApplied;
  Millis timeout{10'000};
  // The number of the office to which it was promised that no earlier copy can have been acted
  // upon; 0: not promised. To any other office this may be a repeat: no one-shot is run (R9), and
  // an abort first settles the branch that may have committed in one phase (R12).
  std::uint64_t first_in = 0;
};
// A client asks for abort.
struct AbortAsked {
  Token token;
  TransactionId transaction;
  std::vector<RequestedBranch> branches;
  bool never_committed = false;  // promised: commit was never asked for
};
struct VoteArrived {
  BranchId branch;
  Vote vote;
};
// A prepare had no answer. Whether the agent received it is unknown.
struct PrepareLost {
  BranchId branch;
  Error why;
  bool unsent = false;  // it certainly did not reach the agent
};
// A decision that this office proposed has been executed.
struct DecisionExecuted {
  TransactionId transaction;
  state::CommandResult result;
};
// In the three that follow, `life` is the epoch of the agent's life that says so; 0: it does not
// tell. What another life says than the participant's present one is not of the database of now: it
// does not count, and is asked again.
struct FinishArrived {
  BranchId branch;
  FinishResult result = FinishResult::kDone;
  Epoch life = Epoch(0);
};
// A HeuristicFound that this office proposed has been executed.
struct HeuristicLogged {
  BranchId branch;
};
// A finish had no answer, or a refusal that may pass. It is sent again.
struct FinishLost {
  BranchId branch;
};
// What the participant's outcome row says, which stands for ever (R12).
struct SettleArrived {
  std::string participant;
  TransactionId transaction;
  bool committed = false;
  Epoch life = Epoch(0);
};
// A settle had no answer. It is sent again.
struct SettleLost {
  std::string participant;
  TransactionId transaction;
};
// A branch as its participant's database shows it. An agent of an older version tells no evidence,
// or no age.
struct FoundBranch {
  BranchId branch;
  std::optional<Evidence> evidence = std::nullopt;
  std::optional<PreparedAge> age = std::nullopt;
};
// What an agent found prepared in its database, asked for at `asked`, and which branches it knows
// to have been prepared and are not any more, though it has heard of no outcome.
struct InventoryArrived {
  std::string participant;
  MonoTime asked;
  std::vector<FoundBranch> prepared;
  std::vector<FoundBranch> ended = {};
  Epoch life = Epoch(0);
  std::uint64_t slots = 0;  // for prepared transactions, of its server; 0: not told
};
// The participant's agent can be reached (again), or another life of it: what waits for it is sent
// at once.
struct AgentUp {
  std::string participant;
};
// An operator removes a participant (docs/adr/0009): whoever names it is refused from now on, so
// that nothing new is owed to it. `over`: it was removed, or is not.
struct ParticipantLeaves {
  std::string participant;
  bool over = false;
};
// Time has passed; due at next_deadline().
struct Tick {};

using Input = std::variant<CommitAsked, AbortAsked, VoteArrived, PrepareLost, DecisionExecuted,
                           FinishArrived, FinishLost, HeuristicLogged, SettleArrived, SettleLost,
                           InventoryArrived, AgentUp, ParticipantLeaves, Tick>;

// ── effects ─────────────────────────────────────────────────────────────────────────────────────

struct SendPrepare {
  BranchId branch;
  std::uint32_t statements = 0;
  OneShotWork one_shot = nullptr;
  std::uint64_t low_water = 0;  // of a one-shot: every serial below is finished at this participant
  bool one_phase = false;       // commit instead of preparing (R12)
};
struct SendSettle {
  std::string participant;
  TransactionId transaction;
};
struct SendFinish {
  BranchId branch;
  Outcome outcome = Outcome::kAborted;
  std::optional<Evidence> evidence;  // absent: the branch never voted YES to this office
  bool maybe_lost = false;           // with its database's history, as the log knows it
  Epoch kept_in = {};  // the life whose history has its PREPARE, as the log proves; 0: it does not
};
struct BranchResults {
  std::string participant;
  StatementResults results;
};
struct CommitAnswer {
  Outcome outcome = Outcome::kAborted;
  std::vector<std::string> pending;    // committed, not yet confirmed
  std::optional<Error> reason;         // of an abort
  std::vector<std::string> heuristic;  // ended by someone else
  bool one_phase = false;
  std::vector<std::string> read_only;  // those that left at the vote
  // Of the one-shots of a committed transaction, in the order of the request.
  std::vector<BranchResults> results;
  bool results_unavailable = false;  // there were one-shots, and their results are gone (R9)
};
struct AbortAnswer {
  Outcome outcome = Outcome::kAborted;
};
struct Reply {
  Token token;
  std::variant<CommitAnswer, AbortAnswer, Error> answer;
};
// A line for the operator; the shell logs it at warning level.
struct Warning {
  TransactionId transaction;
  std::string text;
};

// Carried out in the order of the fields: persist, then send, then reply.
struct Effects {
  std::vector<state::Command> propose;  // proposal.h says what comes back
  std::vector<SendPrepare> prepares;
  std::vector<SendFinish> finishes;
  std::vector<SendSettle> settles;
  std::vector<Reply> replies;
  std::vector<Warning> warnings;
  std::vector<Budget::Change> budget_changes;  // the shell logs them, at warning level or info
};

// The two clocks at the time of an input.
struct Now {
  MonoTime mono;
  LogTime log;
};

struct OfficeOptions {
  Millis retry_min{50};        // first pause before a lost message is sent again
  Millis retry_max{1'000};     // the pause doubles up to this
  Millis forget_every{200};    // Forgotten is proposed at most this often
  Millis settle_grace{1'000};  // how long a caller past its deadline waits for a settle
  Millis clock_skew_max = state::kIdsAhead;  // ids further ahead of log time are refused (R17)
  std::size_t transactions_max = 20'000;     // driven at once; one more is refused as OVERLOADED
  std::size_t finishes_remembered = 65'536;  // against inventories that were asked for before
  BudgetLimits budget;                       // of each participant
};

// Counts since the office was taken.
struct OfficeCounters {
  std::uint64_t committed = 0;  // by the log; those in one phase are not in it
  std::uint64_t aborted = 0;
  std::uint64_t one_phase = 0;         // committed in one phase
  std::uint64_t read_only_votes = 0;   // branches that left at the vote
  std::uint64_t one_shots = 0;         // branches whose statements travelled with the commit
  std::uint64_t settles = 0;           // one-phase branches that were settled before an abort
  std::uint64_t presumed_aborted = 0;  // of `aborted`: by recovery, without a client's request
  std::uint64_t heuristic = 0;         // branches ended by someone else, hazards included

  OfficeCounters& operator+=(const OfficeCounters& more);
};

// Participants where a branch of T ended otherwise than decided, as the log knows.
std::vector<std::string> heuristic_participants(const state::StateMachine& state,
                                                const TransactionId& transaction);

class Office {
 public:
  // `state` is the executed state of this replica and outlives the office; the office reads it only
  // inside its own calls.
  Office(const state::StateMachine& state, OfficeOptions options);
  ~Office();
  Office(const Office&) = delete;
  Office& operator=(const Office&) = delete;

  // Goes on with what was decided and not forgotten. Call once, after the office's own OfficeTaken
  // has been executed (R1).
  Effects take_office(Now now);

  Effects step(Now now, const Input& input);

  // When the next Tick is due; none when nothing waits.
  [[nodiscard]] std::optional<MonoTime> next_deadline() const;

  // Participants whose branch of a driven transaction has not confirmed; empty when none or not
  // driven.
  [[nodiscard]] std::vector<std::string> pending(const TransactionId& transaction) const;

  // What the office is doing about T; none: nothing.
  [[nodiscard]] std::optional<DrivenView> view(const TransactionId& transaction,
                                               MonoTime now) const;
  // The driven transaction of the lowest id above `after`.
  [[nodiscard]] std::optional<TransactionId> next_driven(const TransactionId& after) const;

  [[nodiscard]] std::size_t driven_count() const;
  // Entries that it keeps of single transactions beside those that it drives, and those that are to
  // be forgotten, which the log's records bound. `finishes_remembered` and the number of those that
  // are driven bound them, however many have finished.
  [[nodiscard]] std::size_t remembered() const;
  // Branches at this participant of driven transactions that have not ended. Cost: linear.
  [[nodiscard]] std::size_t driven_at(const std::string& participant) const;

  // Why this participant takes no new branch now: it is drained (kUnavailable), or over its
  // in-doubt budget (kOverloaded). None: it takes some.
  [[nodiscard]] std::optional<Error> refuses(const std::string& participant) const;
  [[nodiscard]] const Budget& budget() const;
  [[nodiscard]] const OfficeCounters& counters() const;

  // Aborts the process when an invariant is broken. Cost: linear.
  void check_invariants() const;

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace assent::commit
