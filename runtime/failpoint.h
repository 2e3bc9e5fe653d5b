// Failpoints: named places between two steps of the protocol where a process can be made to end or
// to stand still, so that integration/faults can crash it there and nowhere else. Compiled in by
// the CMake option ASSENT_FAILPOINTS; without it, as in a release, a failpoint is nothing at all.
//
// ASSENT_FAILPOINT=[NAME,]...NAME[:NTH][:kill|stop] in the environment arms one: each NAME that
// ends with a comma must be passed first, in this order; then the NTH passage (default 1) of the
// last one writes its name to the file ASSENT_FAILPOINT_HITS, durably, and raises SIGKILL (default)
// or SIGSTOP. It happens once in a process's life.
//
// ASSENT_FAILPOINT_ORDERS=FILE lets a process be armed while it runs: SIGUSR2 says that FILE holds
// a plan of the same grammar, or nothing, in the place of the plan before. The signal is
// acknowledged by the line "ordered" in the file of hits; no passage after that line counts for an
// older plan.
#pragma once

#include <algorithm>
#include <array>
#include <atomic>
#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "assent/failpoints_compiled_in.h"
#include "base/error.h"

namespace assent {

// Every one that there is. They stand in shells only: a core has no moment of its own.
inline constexpr std::array<std::string_view, 34> kFailpoints = {
    // ── the leader, in the order of a transaction
    "leader.commit.asked",         // a client's commit has arrived, nothing is done
    "leader.abort.asked",          // a client's abort has arrived, nothing is done
    "leader.prepare.sending",      // before each prepare
    "leader.vote.arrived",         // each vote, not yet acted upon
    "leader.settle.sending",       // before each settle of a one-phase commit
    "leader.settle.answered",      // each answer, not yet acted upon
    "leader.decision.proposing",   // before a Committed or Aborted is given to the log
    "leader.decision.executed",    // it has taken effect, and nobody is told
    "leader.answer.sending",       // before each answer to a client's commit or abort
    "leader.finish.sending",       // before each commit or rollback to an agent
    "leader.finish.confirmed",     // each confirmation, not yet acted upon
    "leader.forgotten.proposing",  // before a Forgotten that names transactions
    "leader.forgotten.executed",
    // ── any replica's log
    "log.received",   // each message of another replica, not yet acted upon
    "log.sending",    // before a turn's messages to the others are handed to their connections
    "log.persisted",  // own records are durable, and nobody is told
    // ── any program's wire
    "wire.written",  // after each write to a connection that has taken all that it had
    // ── the agent
    "agent.execute.asked",        // a statement has arrived, nothing is done
    "agent.execute.answering",    // before the answer to each statement is sent
    "agent.prepare.asked",        // a prepare has arrived, nothing is done
    "agent.prepare.sending",      // before PREPARE, or a one-phase COMMIT, goes to PostgreSQL
    "agent.prepared",             // PostgreSQL has prepared, and nobody is told
    "agent.one_phase.committed",  // PostgreSQL has committed in one phase, and nobody is told
    "agent.read_only.left",       // a reader has left, and nobody is told
    "agent.vote.answering",       // before each vote is sent
    "agent.finish.sending",       // before COMMIT PREPARED or ROLLBACK PREPARED goes to PostgreSQL
    "agent.finish.done",          // PostgreSQL has finished, and nobody is told
    "agent.settle.sending",       // before an outcome row is looked for
    "agent.settle.done",          // the row stands, and nobody is told
    "agent.sql.sent",             // after each batch of commands that PostgreSQL was sent whole
    // ── the start of an agent
    "agent.epoch.issued",   // by the coordinator's log, and not yet claimed in the database
    "agent.epoch.claimed",  // in the database, and nothing is served
    "agent.enrolled",       // it finishes, and the fence is not complete
    "agent.fence.complete"  // no older backend is left, and no new branch is taken
};

// A name of the list above: another one does not compile.
class Failpoint {
 public:
  // Implicit, so that a call reads failpoint("leader.commit.asked").
  consteval Failpoint(const char* name) : index_(find(name)) {
    if (index_ == kFailpoints.size()) throw "there is no failpoint of this name";
  }

  [[nodiscard]] constexpr std::size_t index() const { return index_; }

  // Its place in the list; the list's size when it is not there.
  static constexpr std::size_t find(std::string_view name) {
    return std::find(kFailpoints.begin(), kFailpoints.end(), name) - kFailpoints.begin();
  }

 private:
  std::size_t index_;
};

namespace failpoints {

// True when this program was built with them.
constexpr bool compiled_in() {
  return ASSENT_FAILPOINTS;
}

// What ASSENT_FAILPOINT says.
struct Plan {
  enum class Action { kKill, kStop };

  std::vector<std::size_t> path;  // to be passed in this order, the last one `nth` times
  std::size_t nth = 1;
  Action action = Action::kKill;
};

// kInvalidArgument: names what is wrong, and what there is.
Result<Plan> parse(std::string_view text);

// Arms what the environment says; nothing when it says nothing. An error when it cannot be done, or
// when this program has no failpoints: a test that believes to crash it must not go on. Call once,
// before the process does anything: SIGUSR2 may come from then on.
Result<void> arm();

#if ASSENT_FAILPOINTS && !defined(ASSENT_CANARIES)
// The one whose next passage counts; kFailpoints.size(): none.
inline std::size_t awaited = kFailpoints.size();
// Set by the signal handler: the next passage, whichever it is, takes the order first.
inline std::atomic<bool> ordered = false;
void pass(std::size_t point);
#endif

}  // namespace failpoints

// Called by the thread of the event loop alone.
#if ASSENT_FAILPOINTS && !defined(ASSENT_CANARIES)
inline void failpoint(Failpoint point) {
  if (point.index() == failpoints::awaited || failpoints::ordered.load(std::memory_order_relaxed)) {
    failpoints::pass(point.index());
  }
}
#else
constexpr void failpoint(Failpoint /*point*/) {}
#endif

}  // namespace assent
