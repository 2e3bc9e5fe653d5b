#include "coordinator/server/enrolment.h"

#include <utility>

#include "base/check.h"
#include "base/overloaded.h"
#include "runtime/logging.h"

namespace assent::coordinator {

namespace {

Error displaced(const std::string& participant, const state::ParticipantRecord& life,
                Millis silence) {
  return {ErrorCode::kDisplaced,
          "another agent serves participant " + participant + " (epoch " + to_string(life.epoch) +
              ", at " + life.peer_address +
              "); stop it first, or wait until it has been silent for " +
              std::to_string(silence.value) + " ms",
          participant};
}

}  // namespace

Enrolment::Enrolment(state::ReplicatedLog& log, Millis silence, MonoTime now, Callbacks callbacks)
    : log_(log), silence_(silence), callbacks_(std::move(callbacks)) {
  for (const auto& [name, participant] : log_.state().participants()) heard_[name] = now;
}

bool Enrolment::alive(MonoTime now, const std::string& participant) const {
  const auto found = heard_.find(participant);
  return found != heard_.end() && now - found->second < silence_;
}

std::optional<Enrolment::Heard> Enrolment::heard(const std::string& participant) const {
  const state::ParticipantRecord* record = log_.state().participant(participant);
  const auto found = beats_.find(participant);
  if (record == nullptr || found == beats_.end()) return std::nullopt;
  if (found->second.first != record->epoch) return std::nullopt;
  return found->second.second;
}

void Enrolment::enrol(MonoTime now, const state::Enrolled& request, Done<Epoch> done) {
  const state::ParticipantRecord* record = log_.state().participant(request.participant);
  const bool same_life = record != nullptr && record->nonce == request.nonce;
  if (record == nullptr || same_life || !alive(now, request.participant)) {
    return propose(now, request, std::move(done));
  }
  if (callbacks_.ask_life) return ask_for(now, request, *record, std::move(done));
  done(tl::unexpected(displaced(request.participant, *record, silence_)));
}

// A life that was killed says nothing, and its successor is there long before the silence counts.
void Enrolment::ask_for(MonoTime now, const state::Enrolled& request,
                        const state::ParticipantRecord& life, Done<Epoch> done) {
  const std::uint64_t waiter = ++last_waiter_;
  waiting_.emplace(waiter, [done](Error error) { done(tl::unexpected(std::move(error))); });
  callbacks_.ask_life(request.participant, life,
                      [this, alive = std::weak_ptr<char>(alive_), waiter, now, request,
                       nonce = life.nonce, done](Presence presence) {
                        if (alive.expired() || waiting_.erase(waiter) == 0) return;
                        const state::ParticipantRecord* record =
                            log_.state().participant(request.participant);
                        // It was removed meanwhile: the log says so.
                        if (record == nullptr) return propose(now, request, done);
                        // Another one may have enrolled since: of that one nothing is known.
                        const bool gone = presence == Presence::kGone && record->nonce == nonce;
                        if (gone || record->nonce == request.nonce)
                          return propose(now, request, done);
                        done(tl::unexpected(displaced(request.participant, *record, silence_)));
                      });
}

void Enrolment::propose(MonoTime now, const state::Enrolled& request, Done<Epoch> done) {
  // Two lives whose enrolments are on their way at once would both get an epoch, and the one that
  // is dead by now perhaps the higher.
  const auto [proposed, first] = proposed_.try_emplace(request.participant, request.nonce);
  if (!first && proposed->second != request.nonce) {
    return done(tl::unexpected(
        Error{ErrorCode::kDisplaced,
              "another agent of participant " + request.participant + " is just being enrolled",
              request.participant}));
  }
  if (log_.congested()) {
    proposed_.erase(request.participant);
    return done(failure(ErrorCode::kOverloaded, "too much waits for the log; try again"));
  }
  const std::uint64_t waiter = ++last_waiter_;
  waiting_.emplace(waiter, [done](Error error) { done(tl::unexpected(std::move(error))); });
  log_.propose(request, [this, waiter, now, request, done](const state::CommandResult& result) {
    waiting_.erase(waiter);
    take_result(now, request, result, done);
  });
}

void Enrolment::take_result(MonoTime now, const state::Enrolled& request,
                            const state::CommandResult& result, const Done<Epoch>& done) {
  proposed_.erase(request.participant);
  if (const auto* refused = std::get_if<state::EnrolmentRefused>(&result)) {
    log::warning("enrolment refused",
                 {{"participant", request.participant}, {"why", refused->error.message}});
    return done(tl::unexpected(refused->error));
  }
  const auto* issued = std::get_if<state::EpochIssued>(&result);
  CHECK(issued != nullptr, "an enrolment is answered with an epoch or a refusal");
  heard_[request.participant] = now;
  log::info("agent enrolled", {{"participant", request.participant},
                               {"epoch", to_string(issued->epoch)},
                               {"address", request.peer_address}});
  callbacks_.enrolled(request.participant, request.peer_address, request.nonce);
  done(issued->epoch);
}

void Enrolment::heartbeat(MonoTime now, const std::string& participant, Epoch epoch, Beat beat,
                          Done<void> done) {
  const state::ParticipantRecord* record = log_.state().participant(participant);
  // Epochs only grow: what is too low here is too low everywhere.
  if (record != nullptr && epoch <= record->epoch) {
    return done(take_heartbeat(now, participant, epoch, beat));
  }
  const std::uint64_t waiter = ++last_waiter_;
  waiting_.emplace(waiter, [done](Error error) { done(tl::unexpected(std::move(error))); });
  log_.read([this, alive = std::weak_ptr<char>(alive_), waiter, now, participant, epoch, beat,
             done](bool current) {
    if (alive.expired() || waiting_.erase(waiter) == 0) return;
    if (current) return done(take_heartbeat(now, participant, epoch, beat));
    done(failure(ErrorCode::kUnavailable, "this replica has no quorum now; ask again"));
  });
}

Result<void> Enrolment::take_heartbeat(MonoTime now, const std::string& participant, Epoch epoch,
                                       Beat beat) {
  const state::ParticipantRecord* record = log_.state().participant(participant);
  if (record == nullptr) {
    return failure(ErrorCode::kUnknownParticipant,
                   "no participant " + participant + " has enrolled");
  }
  if (record->quarantined_below == state::kNotSinceRestore) {
    return failure(ErrorCode::kUnknownParticipant,
                   "the coordinator was restored from a backup, and participant " + participant +
                       " has not enrolled since: its agent has to begin a new life");
  }
  if (epoch != record->epoch) {
    return tl::unexpected(Error{ErrorCode::kDisplaced,
                                "epoch " + to_string(epoch) + " of participant " + participant +
                                    " is over: epoch " + to_string(record->epoch) + " serves at " +
                                    record->peer_address,
                                participant});
  }
  if (beat.leaving) {
    heard_.erase(participant);
  } else {
    heard_[participant] = now;
  }
  beats_[participant] = {epoch, {now, beat.admin_address}};
  if (beat.landmark > 0) note_landmark(participant, {epoch, beat.landmark});
  if (beat.recovered) callbacks_.recovered(participant);
  return {};
}

// One at a time for each participant, and nothing waits for it: the next heartbeat tells it again.
void Enrolment::note_landmark(const std::string& participant, const state::Landmark& landmark) {
  const state::ParticipantRecord& record = *log_.state().participant(participant);
  if (record.tracks_history < state::Tracking::kLandmarks) return;
  if (landmark <= record.landmark || log_.congested()) return;
  if (!noting_.insert(participant).second) return;
  log_.propose(state::LandmarkNoted{participant, landmark},
               [this, participant](const state::CommandResult&) { noting_.erase(participant); });
}

void Enrolment::lose_office() {
  for (auto& [waiter, tell] : std::exchange(waiting_, {})) {
    tell({ErrorCode::kNotLeader, "this replica has just lost the office; ask again"});
  }
}

}  // namespace assent::coordinator
