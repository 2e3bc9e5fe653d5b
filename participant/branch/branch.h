// One branch of this life of the agent: its states, and what each of them carries.
#pragma once

#include <concepts>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "base/overloaded.h"
#include "participant/branch/answers.h"
#include "participant/branch/branch_table.h"

namespace assent::branch {

// Names the states that a table's cell stands for, so that a new state fails to compile until every
// table has a cell for it.
template <class State, class... Named>
concept OneOf = (std::same_as<State, Named> || ...);

// Who waits for a vote, a finish or a settle, and the ballot that it asked under.
struct Caller {
  Token token;
  Ballot ballot;
  bool one_phase = false;  // how it asked for a vote
};
using Callers = std::vector<Caller>;

// A reason is boxed: it is rare and large, and tens of thousands of ended branches are remembered.
// Results are dropped when the branch ends.
using Vote = std::variant<Yes, ReadOnly, Committed, std::shared_ptr<const No>>;

// How a branch ended.
enum class Fate : std::uint8_t {
  kRolledBack,
  kCommitted,
  kUnknown,  // it is gone, and nothing tells how
  kLeft,     // it had only read, so either outcome has been carried out
};

// What a branch of that fate answers when it is asked for `asked`.
FinishResult result_of(Fate fate, Outcome asked);
// What has become of a branch that was to be finished as `asked`.
Fate fate_of(Outcome asked, FinishResult result);

// A RunFinish on its way. `ballot` is the highest of those who asked before it was sent.
struct FinishRun {
  Outcome outcome = Outcome::kAborted;
  Ballot ballot;
  std::optional<Evidence> evidence;
  Callers callers;
  bool maybe_lost = false;
  Epoch kept_in = {};
};

// ── states ──────────────────────────────────────────────────────────────────────────────────────

// A connection has been asked for. Left when it is granted (Open), when it is refused (the branch
// is forgotten), or when the branch is to end first (RollingBack).
struct Waiting {
  std::vector<RunStatement> queue;  // sent as soon as there is a connection
};
// A one-shot has asked for a connection. Left when it is granted (Preparing, or Ended when every
// caller's ballot is stale by then), when it is refused (Ended), or when the branch is to end first
// (RollingBack).
struct Queued {
  OneShotWork work;
  Callers callers;
};
// A transaction is open on the branch's connection. Left by a prepare (Draining, Preparing), by
// whatever rolls it back (RollingBack), or when the connection is lost (Ended).
struct Open {};
// It was asked to prepare while statements are in flight whose row counts decide the vote: only
// this table compares those, and does so before PREPARE. Left by the last answer (Preparing;
// RollingBack after a NO; Open when every caller's ballot is stale by then), by whatever rolls it
// back (RollingBack), or when the connection is lost (Ended).
struct Draining {
  Callers callers;
};
// Why RunRollback was asked for, as far as it is counted.
enum class Cause : std::uint8_t { kOther, kIdle, kLifetime, kClient };
// RunRollback is on its way; PREPARE is not and never will be. Left when it is done (Ended).
struct RollingBack {
  Fate fate = Fate::kRolledBack;  // kUnknown when the transaction was gone before
  Cause cause = Cause::kOther;
  std::vector<Token> callers = {};     // of finishes that asked for it
  std::vector<Token> cancellers = {};  // clients that did
};
// RunPrepare is on its way. Left by its result: Prepared, Ended, or, when its ballot was stale and
// nothing was sent, Open again (a one-shot ends).
struct Preparing {
  Ballot ballot;
  bool one_phase = false;
  Callers callers;
  bool cancelled = false;         // RunCancel was asked for
  Callers rollback_callers = {};  // not empty: roll back as soon as it is known whether it prepared
  std::optional<Fate> gone = std::nullopt;  // the transaction was found gone before PREPARE ran
};
// Prepared: it voted YES, or NO in vain, and has no connection. Left by a finish (Finishing).
struct Prepared {
  Evidence evidence;
};
// RunFinish is on its way. Left by its result: Ended, or Prepared again when nothing is known yet.
struct Finishing {
  FinishRun run;  // with evidence
};
// Nothing of it is left in PostgreSQL. Forgotten after a while.
struct Ended {
  Fate fate = Fate::kRolledBack;
};

using State = std::variant<Waiting, Queued, Open, Draining, RollingBack, Preparing, Prepared,
                           Finishing, Ended>;

std::string_view name(const State& state);  // "open", for messages

// How the branch was opened. Of a one-shot, or one that was buried, nothing is said.
struct Opened {
  std::string nonce = {};
  Millis idle_timeout = {};
  Millis lifetime = {};
  BranchMode mode = {};
  MonoTime at = {};
};

struct Branch {
  BranchId id;
  Opened opened;
  Answers answers;
  State state;
  bool connected = false;  // between ConnectionGranted and Release or ConnectionLost
  // Of the first statement that failed; cleared by ROLLBACK TO SAVEPOINT alone. Other statements
  // may well succeed behind one that affected a wrong number of rows.
  std::unique_ptr<const Error> failure = nullptr;
  bool last = false;                        // none of its transaction may be opened after it
  std::optional<Vote> vote = std::nullopt;  // never changes
  std::string ended_because = {};           // set on the way to Ended; for messages
  std::optional<MonoTime> idle_deadline = std::nullopt;  // set while open with nothing in flight
  std::optional<MonoTime> life_deadline = std::nullopt;  // set while waiting or open

  [[nodiscard]] bool ended() const { return std::holds_alternative<Ended>(state); }
  [[nodiscard]] bool one_shot() const { return one_shot_serial(id.attempt).has_value(); }
  // True when it is known to have committed in one phase.
  [[nodiscard]] bool committed_one_phase() const {
    return vote && std::holds_alternative<Committed>(*vote);
  }
};

}  // namespace assent::branch
