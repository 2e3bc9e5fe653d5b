#include "tests/simulation/disk.h"

#include <algorithm>
#include <map>
#include <utility>

#include "base/check.h"
#include "base/overloaded.h"

namespace assent::simulation {
namespace {

constexpr Micros kLookForRoomEvery = 100 * kMillisecond;
constexpr std::uint64_t kRecordBytes = 64;  // of one, beside its value

const paxos::Accepted* accepted_of(const paxos::Record& record) {
  return std::get_if<paxos::Accepted>(&record);
}

}  // namespace

Disk::Disk(Scheduler& scheduler, Dice dice, std::function<void(const paxos::Record&)> on_durable,
           std::function<void(std::uint64_t)> on_flushed, std::function<void(bool)> on_space)
    : scheduler_(scheduler),
      dice_(dice),
      on_durable_(std::move(on_durable)),
      on_flushed_(std::move(on_flushed)),
      on_space_(std::move(on_space)) {}

void Disk::append(paxos::Record record) {
  bytes_ += kRecordBytes;
  if (const auto* repaired = std::get_if<paxos::Repaired>(&record)) {
    doubtful_.reset();
    unrepaired_.clear();
    return write(Repair{*repaired, base_, lost_});
  }
  if (const auto* accepted = accepted_of(record)) {
    queued_[accepted->slot] = {accepted->ballot, accepted->value};
    bytes_ += accepted->value->size();
  }
  write(std::move(record));
}

void Disk::write(Written written) {
  written_.push_back(std::move(written));
  if (flushing_ == 0) flush();
}

paxos::AcceptedValue Disk::read(Slot slot) const {
  const auto queued = queued_.find(slot);
  if (queued != queued_.end()) return queued->second;
  const auto found = held_.find(slot);
  CHECK(found != held_.end(), "what is chosen here, and kept, has a record");
  return found->second.value;
}

// ── flushes ─────────────────────────────────────────────────────────────────────────────────────

// Everything written so far shares the flush; what comes meanwhile waits for the next.
void Disk::flush() {
  flushing_ = written_.size();
  ++flushes_;
  end_flush_at(scheduler_.now() + flush_time());
}

void Disk::end_flush_at(Micros when) {
  scheduler_.at(when, [this, number = flushes_] {
    if (flushing_ != 0 && number == flushes_) end_flush();
  });
}

void Disk::end_flush() {
  if (scheduler_.now() < stalled_until_) return end_flush_at(stalled_until_);
  const std::uint64_t before = durable_of_life_;
  make_durable(std::min(flushing_, room_.value_or(flushing_)));
  flushing_ = 0;
  if (!written_.empty()) flush();
  if (before < durable_of_life_) on_flushed_(durable_of_life_);
}

void Disk::stall_until(Micros until) {
  stalled_until_ = until;
  if (flushing_ != 0 && until <= scheduler_.now()) end_flush_at(scheduler_.now());
}

void Disk::make_durable(std::size_t count) {
  if (room_) *room_ -= count;
  for (std::size_t i = 0; i < count; ++i) {
    if (const auto* record = std::get_if<paxos::Record>(&written_.front())) {
      on_durable_(*record);
      ++durable_of_life_;
    } else if (const auto* repair = std::get_if<Repair>(&written_.front())) {
      on_durable_(repair->record);
      ++durable_of_life_;
    }
    durable_.push_back(std::move(written_.front()));
    written_.pop_front();
    place(gone_ + durable_.size() - 1, durable_.back());
  }
}

void Disk::place(RecordNumber number, const Written& written) {
  const auto* base = std::get_if<Base>(&written);
  if (base != nullptr) return drop_through(base->through);
  if (!std::holds_alternative<paxos::Record>(written)) return;
  const auto& record = std::get<paxos::Record>(written);
  if (!std::holds_alternative<paxos::ChosenMark>(record)) last_ballot_ = number;
  const auto* accepted = accepted_of(record);
  if (accepted == nullptr || accepted->slot <= dropped_) return;
  held_[accepted->slot] = {number, {accepted->ballot, accepted->value}};
}

void Disk::drop_through(Slot slot) {
  if (slot <= dropped_) return;
  dropped_ = slot;
  std::erase_if(held_, [&](const auto& one) { return one.first <= slot; });
  std::erase_if(queued_, [&](const auto& one) { return one.first <= slot; });
}

Micros Disk::flush_time() {
  if (room_ == std::size_t{0}) return kLookForRoomEvery;
  if (scheduler_.now() < slow_until_) return dice_.skewed(2 * kMillisecond, 200 * kMillisecond);
  return dice_.skewed(100, 5 * kMillisecond);
}

// ── lives ───────────────────────────────────────────────────────────────────────────────────────

void Disk::crash() {
  const auto survive = static_cast<std::size_t>(dice_.below(written_.size() + 1));
  make_durable(std::min(survive, room_.value_or(survive)));
  written_.clear();
  flushing_ = 0;
}

// Behind lost records neither marks nor bases count: one of them may have replaced what stands in
// front of them.
void Disk::open(const Restore& restore, const std::function<void()>& lost) {
  queued_.clear();
  held_.clear();
  durable_of_life_ = 0;
  dropped_ = Slot();
  doubtful_.reset();
  lost_.clear();
  unrepaired_.clear();
  const StoredSnapshot* snapshot = shelf_.newest();
  const Slot loaded = snapshot == nullptr ? Slot() : snapshot->info.through;
  base_ = loaded;
  const RecordNumber from = snapshot == nullptr ? 0 : snapshot->replay_from;
  CHECK_LE(gone_, from, "what a start needs is kept");
  Slot chosen;
  for (std::size_t i = 0; i < durable_.size(); ++i) {
    const RecordNumber number = gone_ + i;
    if (std::holds_alternative<Lost>(durable_[i])) {
      drop_through(loaded);
      if (number < from) continue;
      doubtful_ = doubtful_.value_or(number);
      lost_.insert(number);
      unrepaired_.insert(number);
      lost();
      continue;
    }
    if (const auto* repair = std::get_if<Repair>(&durable_[i])) {
      if (!covers(*repair, unrepaired_, loaded)) continue;
      doubtful_.reset();
      unrepaired_.clear();
      chosen = std::max(chosen, repair->record.through);
      restore(repair->record);
      continue;
    }
    const auto* base = std::get_if<Base>(&durable_[i]);
    if (base != nullptr && doubtful_) continue;
    place(number, durable_[i]);
    if (base != nullptr) chosen = std::max(chosen, base->through);
    const auto* record = std::get_if<paxos::Record>(&durable_[i]);
    if (record == nullptr) continue;
    const auto* mark = std::get_if<paxos::ChosenMark>(record);
    if (mark != nullptr && !doubtful_) chosen = std::max(chosen, mark->through);
    if (number < from || (mark != nullptr && mark->through <= loaded)) continue;
    const auto* accepted = accepted_of(*record);
    const bool settled = accepted != nullptr && accepted->slot <= loaded;
    restore(settled ? paxos::Record(paxos::Promised{accepted->ballot}) : *record);
  }
  if (chosen < loaded || (doubtful_ && loaded != Slot())) rebase(loaded);
  first_ = std::max(chosen, loaded).next();
  while (held_.contains(Slot(first_.value - 1))) first_ = Slot(first_.value - 1);
  truncate();
}

// ── room, and whose disk it is ──────────────────────────────────────────────────────────────────

void Disk::fill(std::size_t records) {
  const bool was_full = full();
  room_ = std::min(records, room_.value_or(records));
  if (!was_full) on_space_(true);
}

void Disk::make_room() {
  if (!full()) return;
  room_.reset();
  on_space_(false);
}

void Disk::wipe() {
  CHECK(written_.empty(), "who loses its disk is down");
  durable_.clear();
  gone_ = last_ballot_ = 0;
  shelf_ = {};
  met_.clear();
  doubtful_.reset();
  incarnation_ = DiskIncarnation(incarnation_.value + 1);
}

// What was sent from the lost disks is not heard any more.
void Disk::begin_from(const StoredSnapshot& snapshot, std::uint32_t replicas) {
  wipe();
  begun_ = incarnation_;
  for (std::uint32_t id = 1; id <= replicas; ++id) met_.emplace(ReplicaId(id), begun_);
  shelf_.keep(snapshot);
}

// ── damage ──────────────────────────────────────────────────────────────────────────────────────

// What lacks elsewhere than the record says, the life that wrote it still had, and counted on.
bool Disk::covers(const Repair& repair, const std::set<RecordNumber>& lost, Slot loaded) {
  return repair.base <= loaded && std::ranges::includes(repair.lost, lost);
}

bool Disk::has_ballot(std::size_t at) const {
  const auto* record = std::get_if<paxos::Record>(&durable_[at]);
  return record != nullptr && !std::holds_alternative<paxos::ChosenMark>(*record);
}

// The latest record that took the place of another value of its slot and stands in front of a mark
// that covers it: without it that mark seems to be of the value in front of it.
std::optional<std::size_t> Disk::replacement() const {
  std::unordered_map<Slot, std::pair<std::size_t, const paxos::Value*>> seen;
  std::map<Slot, std::size_t> unmarked;
  std::optional<std::size_t> out;
  for (std::size_t i = first_needed(); i < durable_.size(); ++i) {
    const auto* record = std::get_if<paxos::Record>(&durable_[i]);
    if (record == nullptr) continue;
    if (const auto* mark = std::get_if<paxos::ChosenMark>(record)) {
      const auto end = unmarked.upper_bound(mark->through);
      for (auto one = unmarked.begin(); one != end; ++one) {
        out = std::max(out.value_or(0), one->second);
      }
      unmarked.erase(unmarked.begin(), end);
    }
    const auto* accepted = accepted_of(*record);
    if (accepted == nullptr) continue;
    const auto [found, first] = seen.try_emplace(accepted->slot, i, &accepted->value);
    if (!first && **found->second.second != *accepted->value) unmarked[accepted->slot] = i;
    found->second = {i, &accepted->value};
  }
  return out;
}

// Mostly of the latest records: they matter most.
bool Disk::rot() {
  std::size_t end = durable_.size();
  while (end > 0 && !has_ballot(end - 1)) --end;
  if (end < 2) return false;
  const std::optional<std::size_t> replacing = replacement();
  if (replacing && *replacing + 1 < end && dice_.percent(50)) {
    durable_[*replacing] = Lost{};
    return true;
  }
  end -= 1 + (dice_.percent(50) ? 0 : dice_.below(end - 1));
  const std::size_t first = end - 1 - dice_.below(std::min<std::size_t>(end, 12));
  for (std::size_t i = first; i < end; ++i) durable_[i] = Lost{};
  return true;
}

// Of the records that are there.
std::size_t Disk::first_needed() const {
  const StoredSnapshot* snapshot = shelf_.newest();
  const RecordNumber from = snapshot == nullptr ? 0 : snapshot->replay_from;
  return from <= gone_ ? 0 : from - gone_;
}

bool Disk::lacks_records() const {
  for (std::size_t i = first_needed(); i < durable_.size(); ++i) {
    if (std::holds_alternative<Lost>(durable_[i])) return true;
  }
  return false;
}

bool Disk::damaged() const {
  const StoredSnapshot* snapshot = shelf_.newest();
  const Slot loaded = snapshot == nullptr ? Slot() : snapshot->info.through;
  std::set<RecordNumber> lost;
  for (std::size_t i = first_needed(); i < durable_.size(); ++i) {
    if (std::holds_alternative<Lost>(durable_[i])) lost.insert(gone_ + i);
    const auto* repair = std::get_if<Repair>(&durable_[i]);
    if (repair != nullptr && covers(*repair, lost, loaded)) lost.clear();
  }
  return !lost.empty();
}

// ── snapshots ───────────────────────────────────────────────────────────────────────────────────

RecordNumber Disk::replay_from(Slot through) const {
  std::optional<RecordNumber> lowest;
  for (const auto& [slot, held] : held_) {
    if (through < slot) lowest = std::min(lowest.value_or(held.number), held.number);
  }
  const RecordNumber from = lowest.value_or(last_ballot_);
  return doubtful_ ? std::min(from, *doubtful_) : from;
}

void Disk::rebase(Slot through) {
  drop_through(through);
  base_ = std::max(base_, through);
  first_ = std::max(first_, through.next());
  write(Base{through});
}

void Disk::truncate() {
  const RecordNumber needed = shelf_.needed_from();
  while (gone_ < needed) {
    const auto* record = std::get_if<paxos::Record>(&durable_.front());
    const auto* accepted = record == nullptr ? nullptr : accepted_of(*record);
    if (accepted != nullptr) {
      const auto held = held_.find(accepted->slot);
      if (held != held_.end() && held->second.number == gone_) {
        held_.erase(held);
        first_ = std::max(first_, accepted->slot.next());
      }
    }
    durable_.pop_front();
    ++gone_;
  }
}

}  // namespace assent::simulation
