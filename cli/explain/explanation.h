// What became of one transaction, why, what comes next by itself, and what may safely be done. A
// pure function: facts in, explanation out. PURE.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "cli/explain/facts.h"

namespace assent::explain {

enum class Cause : std::uint8_t {
  // ── it goes on, or is over, as it should ──
  kLive = 1,   // the leader works on it, and everybody whom it needs is there
  kOpen,       // branches are open, and nobody has asked to commit yet
  kDone,       // decided, and carried out everywhere
  kFinishing,  // decided, and being carried out
  kRefused,    // aborted: a database or the client did not want it
  kOnePhase,   // committed in one phase: its outcome row stands
  kExpired,    // older than outcomes are kept, and nothing of it is left
  kUnknown,    // nobody has ever heard of it
  // ── something was down ──
  kClientGone,             // its branches were rolled back: nobody asked to commit in time
  kParticipantDownBefore,  // a participant did not vote
  kParticipantDownAfter,   // a participant has not heard the outcome
  kLeaderLostBefore,       // the leader was lost before the decision
  kLeaderLostAfter,  // the leader was lost behind the decision, and the next one carries it out
  kOnePhaseUnknown,  // its only writer was told to commit, and cannot be asked whether it has
  kNoLeader,         // nothing is decided, and nobody can
  // ── somebody has to see to it ──
  kEndedByHand,  // somebody else has ended a branch, against the decision
  kHistoryLost,  // a database was promoted or restored, and lacks a branch
  kHazard,       // a branch is gone, and nothing proves how it ended
  kRestored,     // the coordinator was restored, and what it had decided is lost
  kUndecidable,  // too old for a record, and its database's history broke: nobody knows
  kResolved,     // an operator has decided it
  kSettled,      // it was a hazard, and has ended well since
  kStranger,     // somebody has prepared a transaction under its name
  kForeign,      // the gid is none of ours
  // ── too little is known ──
  kNotReached,  // nothing is known of it, and not everybody could be asked
};
// "live", "participant-down-before", …: stable, for programs.
std::string_view name(Cause cause);

// At a time by the clock of whoever tells it; none: it is not known when.
struct Event {
  std::optional<LogTime> at;
  std::string who;  // "client", "log", a participant
  std::string what;

  bool operator==(const Event&) const = default;
};

// One branch, as the two sides see it.
struct BranchLine {
  std::string branch;    // "db1/3.1": participant, epoch, attempt
  std::string log;       // what the log and the leader say
  std::string database;  // what its database says
};

struct Command {
  std::string text;  // to be typed, but for what stands in capitals
  std::string why;
};

struct Explanation {
  Cause cause = Cause::kUnknown;
  std::optional<Outcome> outcome;  // of T, where it is known
  std::string headline;            // how it is, in a few words
  std::string why;                 // the cause, in full sentences
  std::vector<Event> timeline;     // the earliest first; those without a time at the end
  std::vector<BranchLine> branches;
  std::vector<std::string> waiting;  // who waits for its locks
  std::vector<std::string> next;     // what happens by itself, and when
  std::vector<Command> commands;     // what may safely be done; empty: nothing need be
  std::vector<std::string> missing;  // who was not reached
  bool needs_somebody = false;       // it does not come to rest by itself
};

Explanation explain(const Facts& facts);

}  // namespace assent::explain
