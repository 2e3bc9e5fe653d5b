#include "coordinator/state/participants.h"

#include <algorithm>
#include <utility>

#include "base/canary.h"

namespace assent::state {
namespace {

// Epochs that a lost log may have issued at most above the one that `life` has found in its
// database.
// 1. Each of them is of a life whose claim of the database is on its way, has come since `life` has
//    looked, or was never made: as many lives in a row are more than there ever are.
// 2. Were such an epoch issued again, two lives would claim it, and neither notice the other; what
//    the first has prepared for the lost log would be taken for the second's, and presumed aborted
//    (seed 20,104 of the whole system, R15, R16).
// 3. Fewer than the lives whose landmarks a database keeps (identity.cc): those of before are there
//    to prove what became of their branches.
constexpr std::uint64_t kEpochsLostMax = 500;

std::string text_of(std::uint32_t timeline, std::uint64_t position) {
  return "timeline " + std::to_string(timeline) + ", WAL position " + std::to_string(position);
}

std::string text_of(const Landmark& landmark) {
  return "the landmark of epoch " + to_string(landmark.epoch) + " at WAL position " +
         std::to_string(landmark.wal_position);
}

Error went_back(const Enrolled& life, const std::string& from, const std::string& to) {
  return enrolment_refusal(
      ErrorCode::kIdentityMismatch, life,
      "its database went back, from " + from + ", to " + to +
          ": an older copy was restored, or a standby was promoted that lacked the last "
          "transactions, and acknowledged ones may be lost. If this is the database to go on with, "
          "start its agent once with --takeover: what it lacks is then told as heuristic ends "
          "(assentctl heuristic list). Otherwise bring the right one back, or name it to the "
          "agent");
}

Landmark landmark_of(const Enrolled& life) {
  if (!life.landmark) return {};
  return {life.stored_epoch, *life.landmark};
}

// Whether the history goes on as another one, in which what earlier lives did may be gone in part.
// The first life has no earlier ones. Of a life that tells no landmarks the database may also have
// gone back on its timeline, for then that is no objection.
bool breaks(const ParticipantRecord& known, const Enrolled& life) {
  if (known.nonce.empty() || life.tracks_history == Tracking::kNone) return false;
  if (life.timeline != known.timeline || life.takeover) return true;
  return life.tracks_history == Tracking::kBreaks && life.wal_position < known.proven_position;
}

// How far the history that `life` has found is that of the life before.
// 1. Who has the landmark (e, U) has all WAL before U of the history in which life e wrote it.
// 2. A promoted standby tells where it left the timeline of that landmark: `left_at`, M. It has all
//    of *its* primary's WAL before M. That is what life e did up to M if its primary was e's.
// 3. The primary may have been another one: a copy of e's database, restored on the same timeline,
//    which has grown, with what is none of e's, until the standby took its place. No life of an
//    agent has seen it. Such a copy ends before M, and may end right behind U.
// 4. The log knows a landmark (e, K) of the original. A standby of the original that has replayed
//    up to M has the row of every landmark that was written before M. With U below K there are two
//    explanations, that of 3, and a standby of the original that was promoted before it had K's
//    row. Which one is true nobody tells: what is behind U is not proven.
// 5. With K at or below U the copy of 3 would lack nothing that the log knows of a landmark, which
//    follows within a second of what is done. Less than that cannot be told from nothing, by
//    whatever the log knows (docs/operations.md): M counts.
// 6. A life above e that is proven to have claimed the database was lost with its row, like a K.
// 7. The landmarks that a log has lost were perhaps above U (R15).
Landmark survived_of(const ParticipantRecord& known, const Enrolled& life, bool log_was_lost) {
  Landmark survived = landmark_of(life);
  const bool lacks_landmark =
      (survived < known.landmark || life.stored_epoch < known.proven_epoch) &&
      !canary(Canary::kSwitchBelieved);
  if (!life.left_at || lacks_landmark || log_was_lost) return survived;
  survived.wal_position = std::max(survived.wal_position, *life.left_at);
  return survived;
}

}  // namespace

Error enrolment_refusal(ErrorCode code, const Enrolled& life, std::string why) {
  return Error{code, "participant '" + life.participant + "' is not enrolled: " + std::move(why),
               life.participant};
}

std::optional<Error> went_back(const ParticipantRecord& known, const Enrolled& life) {
  if (life.takeover) return std::nullopt;
  const std::string here = text_of(life.timeline, life.wal_position);
  // A lower position means lost WAL on a higher timeline too: the new timeline left the old one
  // before the recorded point.
  if (life.timeline < known.timeline || life.wal_position < known.wal_position) {
    return went_back(life, text_of(known.timeline, known.wal_position), here);
  }
  // 1. The log issues epoch e; only then may the agent write e to the database; it may die before.
  //    So a stored epoch below the recorded one is usual, by one for each life that died like that.
  // 2. Stored epochs only grow in one history of a database (compare-and-set under R16).
  // 3. An epoch is proven to have been stored when a life reported it, or its landmark, or when a
  //    branch of it was committed: an agent opens branches only after it stored its epoch.
  // So a stored epoch below a proven one means that the write of the proven one is lost.
  if (life.stored_epoch < known.proven_epoch) {
    return went_back(life, "epoch " + to_string(known.proven_epoch),
                     "epoch " + to_string(life.stored_epoch));
  }
  // What the timeline had durable it has for good: a crash takes nothing that was flushed, and a
  // vote of YES and a landmark are told only when they are.
  if (life.tracks_history < Tracking::kLandmarks || life.timeline != known.timeline) {
    return std::nullopt;
  }
  if (canary(Canary::kCloneLetIn)) return std::nullopt;
  if (life.wal_position < known.proven_position) {
    return went_back(life, text_of(known.timeline, known.proven_position), here);
  }
  if (life.landmark && landmark_of(life) < known.landmark) {
    return went_back(life, text_of(known.landmark), text_of(landmark_of(life)));
  }
  return std::nullopt;
}

// Whether the history behind the break `one` has what `branch` prepared before it.
// 1. Lives between two breaks worked in one history. The last one of them that is known in the
//    history of now, `one.survived.epoch`, has claimed the database in it, and the history of now
//    has all WAL of that one before `one.survived.wal_position`: the landmark of that life proves
//    it for every life before it, too.
// 2. So it has what such a life prepared before that position. That of the evidence is behind the
//    PREPARE.
// 3. A life after that one has left nothing in it: its claim would stand there.
// 4. Where breaks may have been missed, only the life itself that has left the landmark is proven.
// 5. Without evidence nothing is proven.
bool ParticipantRecord::is_in(const Break& one, const DecidedBranch& branch) const {
  if (branch.evidence == Evidence{}) return false;
  if (branch.evidence.wal_position > one.survived.wal_position) return false;
  if (branch.epoch == one.survived.epoch) return true;
  return tracks_history == Tracking::kEveryBreak && linear_from <= branch.epoch &&
         branch.epoch < one.survived.epoch;
}

bool ParticipantRecord::is_older(const DecidedBranch& branch) const {
  return tracks_history >= Tracking::kLandmarks && branch.epoch < broken_below;
}

// A branch can be lost only at the first break behind it: what is in the history behind that one is
// before the claim of the life that found it, and so before what survived of every later one.
bool ParticipantRecord::may_have_lost(const DecidedBranch& branch) const {
  if (!is_older(branch)) return false;
  for (const Break& one : earlier) {
    if (branch.epoch < one.below) return !is_in(one, branch);
  }
  return !is_in({survived, broken_below}, branch);
}

// Nothing of what this version remembers must follow from commands of earlier ones, whose snapshots
// do not hold it.
void ParticipantRecord::forget_breaks(Epoch until) {
  earlier.clear();
  linear_from = until;
}

// The present history is that of the life `stored`, which has ended in another break, and has it up
// to `is_left`, as far as that life goes. Returns what of that is proven.
// 1. Of the breaks that the log knows those are in it which were before that life began.
// 2. Each other break was behind that life, and is not in the past of the present history: a copy
//    from before it was restored. Or that life itself was lost by it, and its database is back. Of
//    the breaks before that life nothing is known then: some may have been dropped with it.
// 3. Or the life that found a break of this same life's history has left no claim. The present
//    history may be the one behind that break, which has grown since, or another one from before
//    it: only what is in both is proven.
Landmark ParticipantRecord::remember_breaks(Epoch stored, Landmark is_left) {
  if (broken_below != Epoch()) earlier.push_back({survived, broken_below});
  for (const Break& one : earlier) {
    if (one.survived.epoch == stored && stored < one.below) {
      is_left = std::min(is_left, one.survived);
    }
  }
  const bool came_back = std::ranges::any_of(
      earlier, [&](const Break& one) { return one.survived.epoch < stored && stored < one.below; });
  if (came_back) {
    forget_breaks(stored);
    return is_left;
  }
  std::erase_if(earlier, [&](const Break& one) { return stored < one.below; });
  if (earlier.size() == kBreaksMax) {
    linear_from = std::max(linear_from, earlier.front().below);
    earlier.erase(earlier.begin());
  }
  return is_left;
}

void ParticipantRecord::begin(const Enrolled& life, LogTime time, bool log_was_lost) {
  const bool broken = breaks(*this, life);
  Landmark is_left = survived_of(*this, life, log_was_lost);
  identity = life.identity;
  if (log_was_lost) epoch = std::max(epoch, life.stored_epoch);
  // Enrolments of earlier versions are executed as they were.
  if (log_was_lost && life.tracks_history == Tracking::kEveryBreak) {
    epoch = Epoch(epoch.value + kEpochsLostMax);
  }
  epoch = epoch.next();
  if (log_was_lost) quarantined_below = epoch;
  if (life.tracks_history != Tracking::kEveryBreak) {
    forget_breaks(Epoch());
  } else if (tracks_history != Tracking::kEveryBreak || log_was_lost) {
    forget_breaks(epoch);
  } else if (broken) {
    is_left = remember_breaks(life.stored_epoch, is_left);
  }
  if (broken) {
    broken_below = epoch;
    survived = is_left;
    landmark = landmark_of(life);
    proven_position = 0;
    proven_epoch = life.stored_epoch;
    if (life.tracks_history >= Tracking::kLandmarks) broken_at = time;
  }
  landmark = std::max(landmark, landmark_of(life));
  tracks_history = life.tracks_history;
  proven_epoch = std::max(proven_epoch, life.stored_epoch);
  nonce = life.nonce;
  timeline = life.timeline;
  wal_position = life.wal_position;
  client_address = life.client_address;
  peer_address = life.peer_address;
  one_phase = life.one_phase;
}

void ParticipantRecord::prove(const DecidedBranch& branch) {
  proven_epoch = std::max(proven_epoch, branch.epoch);
  if (tracks_history == Tracking::kNone || branch.evidence.timeline != timeline) return;
  proven_position = std::max(proven_position, branch.evidence.wal_position);
}

// Of an earlier life it may be a landmark that a break has taken away.
void ParticipantRecord::note(const Landmark& written) {
  if (tracks_history < Tracking::kLandmarks || written.epoch != epoch) return;
  landmark = std::max(landmark, written);
  proven_epoch = std::max(proven_epoch, epoch);
}

}  // namespace assent::state
