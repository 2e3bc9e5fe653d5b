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

// Who waits for a vote or a finish, and the ballot that it asked under.
struct Caller {
  Token token;
  Ballot ballot;
};
using Callers = std::vector<Caller>;

// A reason is boxed: it is rare and large, and tens of thousands of ended branches are remembered.
using Vote = std::variant<Yes, std::shared_ptr<const No>>;

// How a branch ended.
enum class Fate : std::uint8_t {
  kRolledBack,
  kCommitted,
  kUnknown,  // it is gone, and nothing tells how
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
};

// ── states ──────────────────────────────────────────────────────────────────────────────────────

// A connection has been asked for. Left when it is granted (Open), when it is refused (the branch
// is forgotten), or when the branch is to end first (RollingBack).
struct Waiting {
  std::vector<RunStatement> queue;  // sent as soon as there is a connection
};
// A transaction is open on the branch's connection. Left by a prepare (Preparing), by whatever
// rolls it back (RollingBack), or when the connection is lost (Ended).
struct Open {};
// RunRollback is on its way; PREPARE is not and never will be. Left when it is done (Ended).
struct RollingBack {
  Fate fate = Fate::kRolledBack;    // kUnknown when the transaction was gone before
  bool idle = false;                // it is the idle deadline that ends the branch
  std::vector<Token> callers = {};  // who asked for it
};
// RunPrepare is on its way. Left by its result: Prepared, Ended, or, when its ballot was stale and
// nothing was sent, Open again.
struct Preparing {
  Ballot ballot;
  Callers callers;
  Callers rollback_callers = {};  // not empty: roll back as soon as it is known whether it prepared
  std::optional<Fate> gone = std::nullopt;  // the transaction was found gone before PREPARE ran
};
// Prepared: it voted YES and has no connection. Left by a finish (Finishing).
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

using State = std::variant<Waiting, Open, RollingBack, Preparing, Prepared, Finishing, Ended>;

std::string_view name(const State& state);  // "open", for messages

struct Branch {
  BranchId id;
  std::string nonce;
  Millis idle_timeout;
  Answers answers;
  State state;
  bool connected = false;  // between ConnectionGranted and Release or ConnectionLost
  // Of the first statement that failed; cleared by the next that succeeds, because only a ROLLBACK
  // TO SAVEPOINT can, and after it the transaction is sound again.
  std::unique_ptr<const Error> failure = nullptr;
  bool last = false;                        // none of its transaction may be opened after it
  std::optional<Vote> vote = std::nullopt;  // never changes
  std::string ended_because = {};           // set on the way to Ended; for messages
  std::optional<MonoTime> idle_deadline = std::nullopt;  // set while open with nothing in flight

  [[nodiscard]] bool ended() const { return std::holds_alternative<Ended>(state); }
};

}  // namespace assent::branch
