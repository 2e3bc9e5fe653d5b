#include "coordinator/storage/replica_log.h"

#include <algorithm>
#include <utility>

#include "base/check.h"
#include "base/overloaded.h"

namespace assent::storage {
namespace {

// Of a value that cannot be read while the replica runs.
constexpr const char* kRotRemedy =
    " The process ends; start it again: it reads the whole log, and the others repair what is "
    "lost.";

tl::unexpected<Error> impossible(std::string what) {
  return failure(ErrorCode::kInternal, std::move(what) +
                                           ", which no replica writes: the log is damaged. Nothing "
                                           "was changed; restore the files.");
}

// Why an older snapshot is used, or none, belongs to what follows from it.
Error with_damaged(Error error, const SnapshotStore& snapshots) {
  for (const std::string& sentence : snapshots.damaged()) error.message += " " + sentence;
  return error;
}

}  // namespace

ReplicaLog::ReplicaLog(ReplicaLogOptions options)
    : options_(std::move(options)), reader_(options_.log.directory) {
  CHECK(valid_cluster_name(options_.cluster), "a log belongs to a cluster");
  CHECK_LT(ReplicaId(0), options_.replica, "replicas count from 1");
}

ReplicaLog::~ReplicaLog() = default;

// ── opening ─────────────────────────────────────────────────────────────────────────────────────

Result<void> ReplicaLog::open(const Restore& restore, OnPersisted persisted, const TakeChunk& load,
                              const WriteAheadLog::OnDamage& damaged) {
  CHECK(log_ == nullptr, "a log is opened once");
  return open_directory()
      .and_then([&] { return load_snapshot(load); })
      .and_then([&] { return open_log(restore, std::move(persisted), damaged); })
      .and_then([&] { return begin_life(); });
}

Result<void> ReplicaLog::refuse_snapshots(std::string_view) {
  return failure(ErrorCode::kInternal, "a snapshot was found, and nobody takes it");
}

Result<void> ReplicaLog::open_directory() {
  const std::string& directory = options_.log.directory;
  Result<File> lock = lock_directory(directory);
  if (!lock) return tl::unexpected(std::move(lock.error()));
  lock_ = std::move(*lock);
  auto identity = IdentityFile::open(directory, options_.cluster, options_.replica);
  if (!identity) return tl::unexpected(std::move(identity.error()));
  identity_ = std::move(*identity);
  auto known_disks = KnownDisks::open(directory, options_.cluster);
  if (!known_disks) return tl::unexpected(std::move(known_disks.error()));
  known_disks_ = std::move(*known_disks);
  auto snapshots = SnapshotStore::open(
      {.directory = directory, .cluster = options_.cluster, .post = options_.log.post});
  if (!snapshots) return tl::unexpected(std::move(snapshots.error()));
  snapshots_ = std::move(*snapshots);
  snapshot_ = snapshots_->newest();
  return {};
}

Result<void> ReplicaLog::load_snapshot(const TakeChunk& load) {
  if (!snapshot_) return {};
  index_.begin_at(snapshot_->through);
  base_ = snapshot_->through;
  return snapshots_->load(snapshot_->through, load);
}

Result<void> ReplicaLog::open_log(const Restore& restore, OnPersisted persisted,
                                  const WriteAheadLog::OnDamage& damaged) {
  const Sequence needed_from = snapshot_ ? snapshot_->replay_from : Sequence(1);
  auto opened = WriteAheadLog::open(
      options_.log, *std::exchange(lock_, std::nullopt), needed_from,
      [&](const FoundInLog& found) { return replay(found, restore, damaged); },
      // The callback may destroy this log: it is kept here, and nothing follows it.
      [this, persisted = std::move(persisted)](const Flushed& flushed) {
        if (on_flushed(flushed)) persisted(paxos::RecordIndex(persisted_));
      },
      [&](const LogDamage& found) { return take_damage(found, damaged); });
  if (!opened) return tl::unexpected(with_damaged(std::move(opened.error()), *snapshots_));
  log_ = std::move(opened->log);
  torn_bytes_ = opened->torn_bytes;
  return {};
}

// The mark of this life may be the snapshot's: the log alone does not tell what was chosen up to
// it. Or the log's own, in front of damage: then it goes on below marks that stand there.
Result<void> ReplicaLog::begin_life() {
  if (identity_->fresh() && replayed_ > 0) {
    return impossible("a record beside an identity that is not settled");
  }
  if (auto settled = identity_->settle(); !settled) return settled;
  if (loaded() != Slot(0) && (in_doubt_ || chosen_ < loaded())) write_base(loaded());
  index_.connect();
  truncate();  // what an earlier life had not got to
  return {};
}

// ── earlier lives ───────────────────────────────────────────────────────────────────────────────

Result<void> ReplicaLog::replay(const FoundInLog& found, const Restore& restore,
                                const WriteAheadLog::OnDamage& damaged) {
  if (found.type == RecordType::kBase) {
    return decode_base(found.payload).and_then([&](Slot base) { return take_base(base, damaged); });
  }
  const Result<paxos::Record> record = decode_record(found.type, found.payload);
  if (!record) return tl::unexpected(record.error());
  if (const auto* repaired = std::get_if<paxos::Repaired>(&*record)) {
    return replay_repair(*repaired, *decode_repair_scope(found.payload), restore);
  }
  if (auto taken = take_in(*record, found.place); !taken) return taken;
  ++replayed_;
  const bool needed = !snapshot_ || snapshot_->replay_from <= found.place.segment;
  replayed_bytes_ += needed ? record_bytes(found.payload.size()) : 0;
  restore_above_snapshot(*record, restore);
  return {};
}

void ReplicaLog::restore_above_snapshot(const paxos::Record& record, const Restore& restore) const {
  std::visit(Overloaded{
                 [&](const paxos::Promised&) { restore(record); },
                 [&](const paxos::Accepted& accepted) {
                   const bool above = loaded() < accepted.slot;
                   restore(above ? record : paxos::Promised{accepted.ballot});
                 },
                 [&](const paxos::ChosenMark& mark) {
                   if (loaded() < mark.through && !in_doubt_) restore(record);
                 },
                 [&](const paxos::Repaired& /*repaired*/) {},
             },
             record);
}

// What consensus relies on in a record that it restores, and would end the process for.
Result<void> ReplicaLog::take_in(const paxos::Record& record, const Place& place) {
  return std::visit(
      Overloaded{
          [&](const paxos::Promised& promised) { return take_ballot(promised.ballot, place); },
          [&](const paxos::Accepted& accepted) {
            index_.put(accepted.slot, place);
            return take_ballot(accepted.ballot, place);
          },
          [&](const paxos::ChosenMark& mark) { return take_mark(mark.through); },
          [&](const paxos::Repaired& /*repaired*/) { return Result<void>(); },
      },
      record);
}

Result<void> ReplicaLog::take_ballot(const Ballot& ballot, const Place& place) {
  if (ballot < promised_) {
    return impossible("ballot " + to_string(ballot) + " behind the higher ballot " +
                      to_string(promised_));
  }
  promised_ = ballot;
  last_ballot_ = place.segment;
  return {};
}

// Up to the slot of the snapshot a mark changes nothing.
Result<void> ReplicaLog::take_mark(Slot through) {
  if (in_doubt_ || through < loaded()) return {};
  if (loaded() < through) index_.connect();
  if (through < mark_ || index_.contiguous_through() < through) {
    return impossible("slot " + to_string(through) + " as the chosen mark, behind mark " +
                      to_string(mark_) + " and values of all slots up to " +
                      to_string(index_.contiguous_through()));
  }
  mark_ = through;
  chosen_ = std::max(chosen_, through);
  return {};
}

// The life that wrote it had its state from a snapshot, and went on from there: so its marks do, if
// it could not trust those that stand in front. With an older snapshot, what the log says of the
// slots between is not known to be chosen.
Result<void> ReplicaLog::take_base(Slot through, const WriteAheadLog::OnDamage& damaged) {
  if (in_doubt_) return {};
  if (loaded() < through) {
    LogDamage missing;
    missing.file = options_.log.directory + "/" + snapshot_name(through);
    missing.sentence = "The log goes on from the state after slot " + to_string(through) +
                       ", which only " + missing.file + " has, or a newer one.";
    return take_damage(missing, damaged);
  }
  mark_ = through;
  chosen_ = std::max(chosen_, through);
  index_.restart_behind(through);
  return {};
}

// A lost record may have replaced one that stands in front of it. So from here on it is not known
// what was chosen, and of the slots that a snapshot has, what they were.
Result<void> ReplicaLog::take_damage(const LogDamage& damage,
                                     const WriteAheadLog::OnDamage& damaged) {
  if (auto taken = damage.needed ? damaged(damage) : Result<void>(); !taken) return taken;
  index_.restart_behind(loaded());
  if (!damage.needed) return {};
  in_doubt_ = true;
  damage_.push_back(damage);
  return {};
}

// The life that wrote it had its state from the snapshot of its base, or a later one: with an older
// one the missing snapshot is another damage, which it does not speak of. What lacks elsewhere than
// it says that life still had, and counted on.
bool ReplicaLog::covers_damage(const RepairScope& scope) const {
  if (loaded() < scope.base) return false;
  return std::all_of(damage_.begin() + static_cast<std::ptrdiff_t>(repaired_), damage_.end(),
                     [&](const LogDamage& damage) {
                       const bool is_snapshot = damage.segment == Sequence(0);
                       return is_snapshot || scope.covers({damage.first, damage.next});
                     });
}

Result<void> ReplicaLog::replay_repair(const paxos::Repaired& repaired, const RepairScope& scope,
                                       const Restore& restore) {
  ++replayed_;
  if (!covers_damage(scope)) return {};
  settle_damage();
  if (auto taken = take_mark(repaired.through); !taken) return taken;
  restore(repaired);
  return {};
}

void ReplicaLog::settle_damage() {
  repaired_ = damage_.size();
  in_doubt_ = false;
}

// ── this life ───────────────────────────────────────────────────────────────────────────────────

void ReplicaLog::append(const std::vector<paxos::Record>& records) {
  CHECK(log_ != nullptr, "a log is opened before it is appended to");
  std::vector<Record> encoded;
  encoded.reserve(records.size());
  for (const paxos::Record& record : records) {
    const bool repairs = std::holds_alternative<paxos::Repaired>(record);
    encoded.push_back(encode(record, repairs ? repair_scope() : RepairScope()));
    queue(record);
  }
  log_->append(encoded);
}

void ReplicaLog::queue(const paxos::Record& record) {
  ++appended_;
  const auto* accepted = std::get_if<paxos::Accepted>(&record);
  const bool promises = accepted != nullptr || std::holds_alternative<paxos::Promised>(record);
  unplaced_.push_back({accepted ? accepted->slot : Slot(0), promises, true});
  if (const auto* mark = std::get_if<paxos::ChosenMark>(&record)) chosen_ = mark->through;
  if (const auto* repaired = std::get_if<paxos::Repaired>(&record)) {
    chosen_ = repaired->through;
    settle_damage();
  }
  if (accepted == nullptr) return;
  queued_.insert_or_assign(accepted->slot, Queued{appended_, {accepted->ballot, accepted->value}});
}

// What was queued has its place now, unless the slot has a later value in the queue. True: there
// are records of consensus among them.
bool ReplicaLog::on_flushed(const Flushed& flushed) {
  const std::uint64_t before = persisted_;
  std::uint64_t count = flushed.through - flushed.places.size();
  for (const Place& place : flushed.places) {
    ++count;
    const Unplaced record = unplaced_.front();
    unplaced_.pop_front();
    persisted_ += record.numbered ? 1 : 0;
    if (record.ballot) last_ballot_ = place.segment;
    if (record.slot == Slot(0)) continue;
    index_.put(record.slot, place);
    const auto queued = queued_.find(record.slot);
    if (queued->second.behind == count) queued_.erase(queued);
  }
  return before < persisted_;
}

// A slot can be chosen by others before this disk has its value: then it is still queued here.
// A value that has rotted ends the process: its next start reads the whole log, and is repaired.
paxos::AcceptedValue ReplicaLog::read(Slot slot) const {
  const auto queued = queued_.find(slot);
  if (queued != queued_.end()) return queued->second.accepted;
  const std::optional<Place> place = index_.find(slot);
  CHECK(place, "slot " + to_string(slot) + " has no value in this log");
  const auto found = reader_.read(*place);
  CHECK(found, found.error().message + kRotRemedy);
  const Result<paxos::Record> record =
      decode_record(static_cast<RecordType>(found->header.type), found->bytes);
  const auto* accepted = record ? std::get_if<paxos::Accepted>(&*record) : nullptr;
  CHECK(accepted != nullptr && accepted->slot == slot, "The record in " + reader_.where(*place) +
                                                           " is not the value of slot " +
                                                           to_string(slot) + "." + kRotRemedy);
  return {accepted->ballot, accepted->value};
}

// ── snapshots ───────────────────────────────────────────────────────────────────────────────────

const Identity& ReplicaLog::identity() const {
  CHECK(identity_, "an open log has an identity");
  return identity_->identity();
}

KnownDisks& ReplicaLog::known_disks() {
  CHECK(known_disks_, "an open log knows whom it has met");
  return *known_disks_;
}

SnapshotStore& ReplicaLog::snapshots() {
  CHECK(snapshots_, "an open log has its snapshots");
  return *snapshots_;
}

const SnapshotStore& ReplicaLog::snapshots() const {
  CHECK(snapshots_, "an open log has its snapshots");
  return *snapshots_;
}

// Ballots of the log never go back, and an accepted value implies the promise of its ballot: so the
// last record with a ballot repeats every promise, and no accepted value stands behind it. No such
// record: nothing was ever deleted. While records lack that may matter, a start must come upon the
// place where they stood.
Sequence ReplicaLog::replay_from(Slot through) const {
  CHECK_LE(chosen_, through, "a snapshot is of the state as it is now");
  if (!last_ballot_) return Sequence(1);
  Sequence from = index_.lowest_segment_above(through).value_or(*last_ballot_);
  for (std::size_t i = repaired_; i < damage_.size(); ++i) {
    if (damage_[i].segment != Sequence(0)) from = std::min(from, damage_[i].segment);
  }
  return from;
}

// All that lacks, as far as a record holds it: what one does not name is repaired once more after
// the next start.
RepairScope ReplicaLog::repair_scope() const {
  const std::size_t room = options_.log.record_bytes_max - kRepairedPrefixBytes;
  RepairScope scope{base_, {}};
  for (const LogDamage& damage : damage_) {
    if (damage.segment == Sequence(0)) continue;
    if (room < (scope.lost.size() + 1) * kLostRecordsBytes) break;
    scope.lost.push_back({damage.first, damage.next});
  }
  return scope;
}

bool ReplicaLog::wants_snapshot() const {
  if (in_doubt_ || damage_.empty()) return false;
  const Sequence from = replay_from(chosen_);
  return std::ranges::any_of(damage_, [&](const LogDamage& damage) {
    return snapshots().needed_from() < damage.next && damage.next <= from;
  });
}

void ReplicaLog::rebase(Slot through) {
  CHECK_LT(chosen_, through, "a state is never taken back");
  write_base(through);
}

void ReplicaLog::write_base(Slot through) {
  CHECK(log_ != nullptr, "a log is opened before it is appended to");
  ++appended_;
  unplaced_.emplace_back();
  const Record base = encode_base(through);
  log_->append({&base, 1});
  base_ = std::max(base_, through);
  chosen_ = std::max(chosen_, through);
  index_.restart_behind(through);
}

void ReplicaLog::truncate() {
  const Sequence keep_from = snapshots().needed_from();
  const auto& kept = snapshots().kept();
  index_.forget_before(keep_from, kept.empty() ? Slot(0) : kept.front().through);
  reader_.forget_before(keep_from);
  log_->truncate(keep_from);
}

const WriteAheadLogCounters& ReplicaLog::counters() const {
  CHECK(log_ != nullptr, "an open log counts");
  return log_->counters();
}

}  // namespace assent::storage
