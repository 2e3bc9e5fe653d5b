#include "coordinator/state/participants.h"

#include <algorithm>
#include <utility>

namespace assent::state {
namespace {

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
  if (life.tracks_history != Tracking::kLandmarks || life.timeline != known.timeline) {
    return std::nullopt;
  }
  if (life.wal_position < known.proven_position) {
    return went_back(life, text_of(known.timeline, known.proven_position), here);
  }
  if (life.landmark && landmark_of(life) < known.landmark) {
    return went_back(life, text_of(known.landmark), text_of(landmark_of(life)));
  }
  return std::nullopt;
}

// 1. Which row of assent.landmark the present database has was read in that database. So what
//    `survived` says is true of the history of now, whatever was lost on the way to it, in one
//    break or in several.
// 2. Of the lives before that one nothing is known, though they may have been lost in part only by
//    an earlier break, or not at all.
bool ParticipantRecord::may_have_lost(const DecidedBranch& branch) const {
  if (tracks_history != Tracking::kLandmarks || branch.epoch >= broken_below) return false;
  return branch.epoch != survived.epoch || branch.evidence.wal_position > survived.wal_position;
}

void ParticipantRecord::begin(const Enrolled& life, LogTime time, bool log_was_lost) {
  const bool broken = breaks(*this, life);
  identity = life.identity;
  // The lost log may have issued more: epochs go on above the database's own.
  if (log_was_lost) epoch = std::max(epoch, life.stored_epoch);
  epoch = epoch.next();
  if (log_was_lost) quarantined_below = epoch;
  if (broken) {
    broken_below = epoch;
    survived = landmark_of(life);
    landmark = survived;
    proven_position = 0;
    proven_epoch = life.stored_epoch;
    if (life.tracks_history == Tracking::kLandmarks) broken_at = time;
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
  if (tracks_history != Tracking::kLandmarks || written.epoch != epoch) return;
  landmark = std::max(landmark, written);
  proven_epoch = std::max(proven_epoch, epoch);
}

}  // namespace assent::state
