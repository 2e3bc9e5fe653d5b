#include "coordinator/state/state_machine.h"

#include <xxhash.h>

#include <algorithm>
#include <utility>

#include "base/canary.h"
#include "base/check.h"
#include "base/codec.h"
#include "coordinator/state/encoding.h"

namespace assent::state {
namespace {

constexpr std::size_t kNonceMax = 64;

// Only the log issues epochs, each before it is stored (R4, R16): a higher stored one comes from
// another log, or from a part of this one that is gone.
std::optional<Error> from_another_log(Epoch issued, const Enrolled& life) {
  if (life.stored_epoch <= issued) return std::nullopt;
  return enrolment_refusal(
      ErrorCode::kWrongCluster, life,
      "its database has epoch " + to_string(life.stored_epoch) +
          ", and this coordinator issued none above " + to_string(issued) +
          "; the database belongs to another cluster, or the coordinator's log was lost");
}

std::optional<Error> malformed(const Enrolled& life) {
  if (!valid_participant_name(life.participant)) {
    return Error{ErrorCode::kInvalidArgument,
                 "a participant's name is 1 to 63 characters of [a-z0-9_-]", life.participant};
  }
  if (life.nonce.empty() || life.nonce.size() > kNonceMax) {
    return enrolment_refusal(ErrorCode::kInvalidArgument, life,
                             "its nonce is not 1 to 64 bytes long");
  }
  return std::nullopt;
}

}  // namespace

StateMachine::StateMachine(StateOptions options) : options_(options) {
  CHECK_LE(Millis(0), options_.retention, "the floor must not run ahead of time");
  CHECK_LE(Millis(0), options_.retention_min, "the floor must not run ahead of time");
}

std::vector<CommandResult> StateMachine::execute(Slot slot, const Entry& entry) {
  CHECK_EQ(slot, executed_.next(), "slots are executed strictly in order (R1)");
  executed_ = slot;
  advance_time(entry.time);
  std::vector<CommandResult> results;
  results.reserve(entry.commands.size());
  for (const Command& command : entry.commands) {
    results.push_back(std::visit([&](const auto& one) { return on(slot, one); }, command));
  }
  return results;
}

// Time and floor never go back, whatever a leader's clock says (R14, R17).
void StateMachine::advance_time(LogTime time) {
  time_ = std::max(time_, time);
  raise_floor(time_ - options_.retention);
}

void StateMachine::raise_floor(LogTime floor) {
  floor_ = std::max(floor_, floor);
  drop_expired();
}

// A record leaves only when it is below the floor and forgotten (R14). The set is in order of the
// ids' times, so those to leave are at its front.
void StateMachine::drop_expired() {
  while (!forgotten_.empty() && forgotten_.begin()->time() <= floor_) {
    if (time_ < held_until_ && forgotten_.size() <= options_.forgotten_max) return;
    drop(*forgotten_.begin());
    forgotten_.erase(forgotten_.begin());
  }
}

// What may be lost with a break is owed a second finish, or is told to operators: who looks for it
// needs the records that there were when the log learnt of the break. Records that have left
// before cannot be had back; they are of the time before the retention.
void StateMachine::hold_records() {
  held_until_ = LogTime();
  for (const auto& [name, record] : participants_) {
    if (record.tracks_history != Tracking::kEveryBreak || record.broken_below == Epoch()) continue;
    held_until_ = std::max(held_until_, record.broken_at + kHeldAfterBreak);
  }
}

// A snapshot under way still wants what it has not handed out.
void StateMachine::drop(const TransactionId& transaction) {
  auto record = records_.extract(transaction);
  if (!snapshot_ || transaction <= snapshot_->handed_out) return;
  if (snapshot_->through < record.mapped().decided_in) return;
  snapshot_->departed.emplace(transaction, std::move(record.mapped()));
}

// An OfficeTaken of a lower ballot can still be executed after a higher one's: a new leader
// proposes again what it finds accepted in later slots. It is then a no-op, and nobody waits for
// it. It is counted all the same: the count after each one's execution is like no other's.
CommandResult StateMachine::on(Slot /*slot*/, const OfficeTaken& command) {
  ++offices_;
  office_ = std::max(office_, command.ballot);
  begin_incarnation(command.ballot);
  return TookEffect{};
}

// The lost log can have decided ids up to kIdsAhead in front of its time, which lay behind the time
// that the first leader of the new incarnation has brought along (R17). Log time goes on from above
// them, so that new ids are above the floor at once.
void StateMachine::begin_incarnation(const Ballot& ballot) {
  if (restoration_.begun || ballot.incarnation < restoration_.incarnation) return;
  restoration_.begun = true;
  restoration_.ahead = restoration_.ahead + kIdsAhead;
  time_ = time_ + kIdsAhead;
  raise_floor(time_);
}

void StateMachine::restore(std::uint64_t backup) {
  CHECK_LT(0u, backup, "a backup is named by its content");
  const std::uint64_t before = std::max(restoration_.incarnation.value, office_.incarnation.value);
  restoration_.incarnation = Incarnation(before + 1);
  restoration_.backup = backup;
  restoration_.begun = false;
  offices_ += kOfficesLostMax;
  membership_ = Membership();
  for (auto& [name, record] : participants_) {
    record.quarantined_below = kNotSinceRestore;
    record.tracks_history = std::max(record.tracks_history, Tracking::kBreaks);
  }
}

// The log that issued this participant's epochs is lost in part, as far as this state knows (R15).
bool StateMachine::log_was_lost(const std::string& participant) const {
  if (!restoration_.restored()) return false;
  const ParticipantRecord* known = this->participant(participant);
  return known == nullptr || known->quarantined_below == kNotSinceRestore;
}

CommandResult StateMachine::on(Slot slot, const Committed& command) {
  if (auto result = undecidable(command.transaction, command.branches)) return *result;
  if (auto loser = loser_of(command.branches)) return BranchLost{std::move(*loser)};
  keep(command.transaction, {.outcome = Outcome::kCommitted,
                             .request_hash = command.request_hash,
                             .reason = {},
                             .branches = command.branches,
                             .decided_in = slot,
                             .decided_at = time_,
                             .forgotten_in = {}});
  prove(command.branches);
  return TookEffect{};
}

CommandResult StateMachine::on(Slot slot, const Aborted& command) {
  if (auto result = undecidable(command.transaction, command.branches)) return *result;
  keep(command.transaction, {.outcome = Outcome::kAborted,
                             .request_hash = command.request_hash,
                             .reason = command.reason,
                             .branches = with_participants(command.branches),
                             .decided_in = slot,
                             .decided_at = time_,
                             .forgotten_in = {}});
  return TookEffect{};
}

// Those whose participants were not removed: to the others no outcome is owed.
std::vector<DecidedBranch> StateMachine::with_participants(
    std::vector<DecidedBranch> branches) const {
  std::erase_if(branches, [&](const DecidedBranch& branch) {
    return withdrawals_.removed(branch.participant) != nullptr;
  });
  return branches;
}

// R1: a decision expects no record of T, and is a no-op otherwise.
// R14: no record is made for an id at or below the floor. One that stood there may have left, so
// absence proves nothing about what T's outcome was.
std::optional<CommandResult> StateMachine::undecidable(
    const TransactionId& transaction, const std::vector<DecidedBranch>& branches) const {
  if (const TransactionRecord* record = find(transaction)) return AlreadyDecided{record->outcome};
  if (transaction.time() <= floor_ || quarantined(branches)) return BelowFloor{};
  return std::nullopt;
}

// A YES is a promise of the database that gave it. Another one answers since, and it is not proven
// to have what was promised: T could be COMMITTED with a branch that is nowhere.
std::optional<std::string> StateMachine::loser_of(
    const std::vector<DecidedBranch>& branches) const {
  if (canary(Canary::kCommittedOverBreak)) return std::nullopt;
  for (const DecidedBranch& branch : branches) {
    const ParticipantRecord* record = participant(branch.participant);
    if (record != nullptr && record->may_have_lost(branch)) return branch.participant;
    // Nobody is there any more who could carry it out.
    if (withdrawals_.removed(branch.participant) != nullptr) return branch.participant;
  }
  return std::nullopt;
}

void StateMachine::keep(const TransactionId& transaction, TransactionRecord record) {
  records_.emplace(transaction, std::move(record));
  unforgotten_.insert(transaction);
}

// R15: the lost log may have decided otherwise. The floor says the same as long as the clocks of
// its hosts and of these agree within the time that the restore took; this needs no clock.
bool StateMachine::quarantined(const std::vector<DecidedBranch>& branches) const {
  return std::ranges::any_of(branches, [&](const DecidedBranch& branch) {
    const ParticipantRecord* known = participant(branch.participant);
    return known != nullptr && branch.epoch < known->quarantined_below;
  });
}

CommandResult StateMachine::on(Slot slot, const Forgotten& command) {
  for (const TransactionId& transaction : command.transactions) forget(slot, transaction);
  return TookEffect{};
}

void StateMachine::forget(Slot slot, const TransactionId& transaction) {
  // Not there: forgotten before, or never decided.
  if (unforgotten_.erase(transaction) == 0) return;
  records_.at(transaction).forgotten_in = slot;
  if (canary(Canary::kRecordDroppedEarly)) return drop(transaction);
  forgotten_.insert(transaction);
  drop_expired();
  // Memory is bounded. The floor must follow: what left may not be decided a second time (R14).
  if (forgotten_.size() > options_.forgotten_max) {
    raise_floor(std::min(forgotten_.begin()->time(), time_ - options_.retention_min));
  }
}

void StateMachine::prove(const std::vector<DecidedBranch>& branches) {
  for (const DecidedBranch& branch : branches) {
    const auto found = participants_.find(branch.participant);
    if (found != participants_.end()) found->second.prove(branch);
  }
}

CommandResult StateMachine::on(Slot /*slot*/, const Enrolled& life) {
  if (std::optional<Error> error = objection(life)) return EnrolmentRefused{std::move(*error)};
  const bool log_is_lost = log_was_lost(life.participant);
  ParticipantRecord& record = participants_[life.participant];
  // The same life asks again: it has its epoch.
  if (record.nonce != life.nonce || log_is_lost) record.begin(life, time_, log_is_lost);
  hold_records();
  drop_expired();
  return EpochIssued{record.epoch};
}

CommandResult StateMachine::on(Slot /*slot*/, const LandmarkNoted& command) {
  const auto found = participants_.find(command.participant);
  if (found != participants_.end()) found->second.note(command.landmark);
  return TookEffect{};
}

namespace {

CommandResult result_of(Result<Slot> changed) {
  if (!changed) return ChangeRefused{std::move(changed.error())};
  return GroupGoverns{*changed};
}

}  // namespace

CommandResult StateMachine::on(Slot /*slot*/, const GroupFounded& command) {
  return GroupGoverns{membership_.found(command.members)};
}

CommandResult StateMachine::on(Slot slot, const ReplicaAdded& command) {
  return result_of(membership_.add(slot, command.replica));
}

CommandResult StateMachine::on(Slot slot, const ReplicaPromoted& command) {
  return result_of(membership_.promote(slot, command.replica));
}

CommandResult StateMachine::on(Slot slot, const ReplicaRemoved& command) {
  return result_of(membership_.remove(slot, command.replica));
}

CommandResult StateMachine::on(Slot /*slot*/, const ReplicaMoved& command) {
  return result_of(membership_.move(command.replica));
}

CommandResult StateMachine::on(Slot slot, const HeuristicFound& command) {
  heuristics_.found(slot, time_, command);
  return TookEffect{};
}

CommandResult StateMachine::on(Slot /*slot*/, const HeuristicForgotten& command) {
  if (!heuristics_.forget(command.transaction)) return NothingKept{};
  return TookEffect{};
}

// R1: what the log has decided stands.
CommandResult StateMachine::on(Slot /*slot*/, const HeuristicResolved& command) {
  if (const TransactionRecord* record = find(command.transaction)) {
    return AlreadyDecided{record->outcome};
  }
  const std::optional<Outcome> outcome = heuristics_.resolve(time_, command);
  if (!outcome) return NothingKept{};
  if (*outcome != command.outcome) return AlreadyDecided{*outcome};
  return TookEffect{};
}

// Why this life may not begin; none when it may (R16).
std::optional<Error> StateMachine::objection(const Enrolled& life) const {
  if (std::optional<Error> error = malformed(life)) return error;
  if (withdrawals_.removed(life.participant) != nullptr) {
    return enrolment_refusal(
        ErrorCode::kUnknownParticipant, life,
        "it was removed (assentctl participants remove), and its name is never "
        "used again; use another name");
  }
  const ParticipantRecord* known = participant(life.participant);
  if (known != nullptr && known->identity != life.identity) {
    return enrolment_refusal(ErrorCode::kIdentityMismatch, life,
                             "its name is bound to another database for ever; use another name");
  }
  if (known != nullptr && known->nonce == life.nonce) return std::nullopt;
  // One database, one name: two agents would end each other's backends and share one epoch row.
  for (const auto& [name, other] : participants_) {
    if (name == life.participant || other.identity != life.identity) continue;
    return enrolment_refusal(ErrorCode::kIdentityMismatch, life,
                             "its database is already enrolled as '" + name + "'");
  }
  if (!log_was_lost(life.participant)) {
    auto error = from_another_log(known != nullptr ? known->epoch : Epoch(), life);
    if (error) return error;
  }
  return known == nullptr ? std::nullopt : went_back(*known, life);
}

const TransactionRecord* StateMachine::find(const TransactionId& transaction) const {
  const auto found = records_.find(transaction);
  return found == records_.end() ? nullptr : &found->second;
}

const ParticipantRecord* StateMachine::participant(const std::string& name) const {
  const auto found = participants_.find(name);
  return found == participants_.end() ? nullptr : &found->second;
}

const std::map<std::string, ParticipantRecord>& StateMachine::participants() const {
  return participants_;
}

std::vector<TransactionId> StateMachine::unforgotten() const {
  return {unforgotten_.begin(), unforgotten_.end()};
}

std::size_t StateMachine::record_count() const {
  return records_.size();
}

std::optional<TransactionId> StateMachine::next_record(const TransactionId& after) const {
  const auto unforgotten = unforgotten_.upper_bound(after);
  const auto forgotten = forgotten_.upper_bound(after);
  if (unforgotten == unforgotten_.end() && forgotten == forgotten_.end()) return std::nullopt;
  if (unforgotten == unforgotten_.end()) return *forgotten;
  if (forgotten == forgotten_.end()) return *unforgotten;
  return std::min(*unforgotten, *forgotten);
}

// The records are visited through the two ordered indexes: the order of a hash map may differ
// between replicas.
std::uint64_t StateMachine::state_hash() const {
  Encoder out;
  out.put_u64(executed_.value);
  out.put_u64(static_cast<std::uint64_t>(time_.value));
  out.put_u64(static_cast<std::uint64_t>(floor_.value));
  put(out, office_);
  out.put_varint(offices_);
  out.put_varint(unforgotten_.size());
  for (const TransactionId& id : unforgotten_) put_record(out, id, records_.at(id));
  out.put_varint(forgotten_.size());
  for (const TransactionId& id : forgotten_) put_record(out, id, records_.at(id));
  out.put_varint(participants_.size());
  for (const auto& [name, record] : participants_) {
    put_participant(out, name, record, kSnapshotFormat);
  }
  put(out, membership_);
  put(out, heuristics_, kSnapshotFormat);
  put(out, restoration_);
  put(out, withdrawals_);
  return XXH3_64bits(out.bytes().data(), out.bytes().size());
}

void StateMachine::check_invariants() const {
  CHECK_LE(floor_, time_, "the floor never runs ahead of time (R14)");
  check_records();
  check_participants();
  membership_.check_invariants();
  heuristics_.check_invariants();
  withdrawals_.check_invariants();
}

void StateMachine::check_records() const {
  CHECK_EQ(records_.size(), unforgotten_.size() + forgotten_.size(),
           "every record stands in exactly one index");
  for (const auto& [id, record] : records_) {
    CHECK_EQ(forgotten_.count(id), record.forgotten() ? 1u : 0u,
             "the index agrees with the record");
    CHECK_EQ(unforgotten_.count(id), record.forgotten() ? 0u : 1u,
             "the index agrees with the record");
    CHECK(!record.forgotten() || floor_ < id.time() || time_ < held_until_,
          "a forgotten record left at the floor (R14)");
    CHECK_LE(record.decided_in, executed_, "records come from executed slots (R1)");
    CHECK_LE(record.decided_at, time_, "records come from executed slots (R1)");
  }
}

void StateMachine::check_participants() const {
  for (const auto& [name, record] : participants_) {
    CHECK(valid_participant_name(name), "only valid names are enrolled");
    CHECK_LT(Epoch(0), record.epoch, "an enrolled participant has an epoch");
    CHECK_LE(record.proven_epoch, record.epoch, "only issued epochs are stored");
    CHECK(restoration_.restored() || record.quarantined_below == Epoch(),
          "only a restore puts branches under quarantine");
    CHECK(!record.nonce.empty(), "every life has a nonce");
    CHECK_LE(record.landmark.epoch, record.epoch, "only lives write landmarks");
    CHECK_LE(record.broken_below, record.epoch, "a life finds that what came before is broken");
    CHECK(record.broken_below == Epoch(0) || record.survived.epoch < record.broken_below,
          "what survived is of an earlier life");
    CHECK_LT(record.earlier.size(), ParticipantRecord::kBreaksMax, "memory is bounded");
    Epoch behind;
    for (const Break& one : record.earlier) {
      CHECK(behind <= one.survived.epoch && one.survived.epoch < one.below,
            "breaks are in the order in which they were found");
      behind = one.below;
    }
    CHECK(record.earlier.empty() || behind <= record.survived.epoch,
          "only what is in the past of the present history is remembered");
  }
}

}  // namespace assent::state
