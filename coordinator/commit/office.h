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
#include "base/time.h"
#include "coordinator/state/command.h"
#include "coordinator/state/state_machine.h"

namespace assent::commit {

// Names a caller that waits for an answer. Issued by the shell, never reused within an office.
using Token = Strong<struct TokenTag>;

// A branch as the client named it at commit.
struct RequestedBranch {
  std::string participant;
  Epoch epoch;
  Attempt attempt;
  std::uint32_t statements = 0;  // how many the client sent (R13)

  bool operator==(const RequestedBranch&) const = default;
};

enum class Acknowledge : std::uint8_t { kApplied = 1, kDecided = 2 };

// ── votes and results ───────────────────────────────────────────────────────────────────────────

struct VoteYes {
  Evidence evidence;
};
struct VoteNo {
  Error reason;
};
using Vote = std::variant<VoteYes, VoteNo>;

using assent::FinishResult;

// ── inputs ──────────────────────────────────────────────────────────────────────────────────────

// A client asks for commit. May be repeated (R9): every caller gets the one outcome.
struct CommitAsked {
  Token token;
  TransactionId transaction;
  std::vector<RequestedBranch> branches;
  Acknowledge acknowledge = Acknowledge::kApplied;
  Millis timeout{10'000};
};
// A client asks for abort.
struct AbortAsked {
  Token token;
  TransactionId transaction;
  std::vector<RequestedBranch> branches;
};
struct VoteArrived {
  BranchId branch;
  Vote vote;
};
// A prepare had no answer. Whether the agent received it is unknown.
struct PrepareLost {
  BranchId branch;
  Error why;
};
// A decision that this office proposed has been executed.
struct DecisionExecuted {
  TransactionId transaction;
  state::CommandResult result;
};
struct FinishArrived {
  BranchId branch;
  FinishResult result = FinishResult::kDone;
};
// A finish had no answer, or a refusal that may pass. It is sent again.
struct FinishLost {
  BranchId branch;
};
// What an agent found prepared in its database, asked for at `asked`.
struct InventoryArrived {
  std::string participant;
  MonoTime asked;
  std::vector<BranchId> prepared;
};
// The participant's agent can be reached (again): what waits for it is sent at once.
struct AgentUp {
  std::string participant;
};
// Time has passed; due at next_deadline().
struct Tick {};

using Input = std::variant<CommitAsked, AbortAsked, VoteArrived, PrepareLost, DecisionExecuted,
                           FinishArrived, FinishLost, InventoryArrived, AgentUp, Tick>;

// ── effects ─────────────────────────────────────────────────────────────────────────────────────

struct SendPrepare {
  BranchId branch;
  std::uint32_t statements = 0;
};
struct SendFinish {
  BranchId branch;
  Outcome outcome = Outcome::kAborted;
  std::optional<Evidence> evidence;  // absent: the branch never voted YES to this office
};
struct CommitAnswer {
  Outcome outcome = Outcome::kAborted;
  std::vector<std::string> pending;    // committed, not yet confirmed
  std::optional<Error> reason;         // of an abort
  std::vector<std::string> heuristic;  // ended by someone else
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
  std::vector<state::Command> propose;  // every decision's result comes back as DecisionExecuted
  std::vector<SendPrepare> prepares;
  std::vector<SendFinish> finishes;
  std::vector<Reply> replies;
  std::vector<Warning> warnings;
};

// The two clocks at the time of an input.
struct Now {
  MonoTime mono;
  LogTime log;
};

struct OfficeOptions {
  Millis retry_min{50};                   // first pause before a lost message is sent again
  Millis retry_max{1'000};                // the pause doubles up to this
  Millis forget_every{200};               // Forgotten is proposed at most this often
  Millis clock_skew_max{60'000};          // ids further ahead of the log's time are refused (R17)
  std::size_t transactions_max = 20'000;  // driven at once; one more is refused as OVERLOADED
  std::size_t finishes_remembered = 65'536;  // against inventories that were asked for before
};

// Counts since the office was taken.
struct OfficeCounters {
  std::uint64_t committed = 0;
  std::uint64_t aborted = 0;
  std::uint64_t presumed_aborted = 0;  // of `aborted`: by recovery, without a client's request
  std::uint64_t heuristic = 0;         // branches ended by someone else, hazards included
};

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

  [[nodiscard]] std::size_t driven_count() const;
  [[nodiscard]] const OfficeCounters& counters() const;

  // Aborts the process when an invariant is broken. Cost: linear.
  void check_invariants() const;

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace assent::commit
