// Snapshots of the state: handed out in chunks while entries are executed, and taken in again
// (docs/adr/0007). What happens after the slot of a snapshot must not show in it:
//
// 1. a record that was made later has a later `decided_in`, and is left out;
// 2. a record that was forgotten later has a later `forgotten_in`, and is written as not forgotten;
// 3. a record that left later (R14) and was not handed out waits in `departed`;
// 4. everything else is small, and is copied at the beginning.
#include <algorithm>
#include <utility>

#include "base/check.h"
#include "coordinator/state/encoding.h"
#include "coordinator/state/state_machine.h"

namespace assent::state {
namespace {

// What a chunk holds; the numbers stand in files.
enum class ChunkKind : std::uint8_t { kBeginning = 1, kRecords = 2 };

tl::unexpected<Error> refuse(const std::string& what, ErrorCode code = ErrorCode::kInternal) {
  return failure(code, "a snapshot's chunk " + what);
}

}  // namespace

void StateMachine::begin_snapshot() {
  snapshot_ = Snapshot{beginning(), executed_, {}, {}};
}

std::string StateMachine::beginning() const {
  Encoder out;
  out.put_u8(static_cast<std::uint8_t>(ChunkKind::kBeginning));
  out.put_u8(options_.formats.snapshot);
  out.put_varint(executed_.value);
  put_time(out, time_);
  put_time(out, floor_);
  put(out, office_);
  out.put_varint(offices_);
  out.put_varint(participants_.size());
  for (const auto& [name, record] : participants_) {
    put_participant(out, name, record, options_.formats.snapshot);
  }
  if (options_.formats.snapshot >= kSnapshotFormatGroups) put(out, membership_);
  if (options_.formats.snapshot >= kSnapshotFormatHistories) {
    put(out, heuristics_, options_.formats.snapshot);
  }
  if (options_.formats.snapshot >= kSnapshotFormatRestores) put(out, restoration_);
  if (options_.formats.snapshot >= kSnapshotFormatWithdrawals) put(out, withdrawals_);
  return out.take();
}

// The record of the lowest id that was not handed out: in either index, or departed.
std::optional<TransactionId> StateMachine::next_of_snapshot() const {
  const TransactionId& last = snapshot_->handed_out;
  const std::optional<TransactionId> next = next_record(last);
  const auto departed = snapshot_->departed.upper_bound(last);
  if (departed == snapshot_->departed.end()) return next;
  return next ? std::min(*next, departed->first) : departed->first;
}

// What stands in the snapshot of this record, if it is in it; it counts as handed out.
std::optional<TransactionRecord> StateMachine::take_of_snapshot(const TransactionId& id) {
  snapshot_->handed_out = id;
  auto departed = snapshot_->departed.extract(id);
  TransactionRecord record = departed.empty() ? records_.at(id) : std::move(departed.mapped());
  if (snapshot_->through < record.decided_in) return std::nullopt;
  if (snapshot_->through < record.forgotten_in) record.forgotten_in = Slot(0);
  return record;
}

std::optional<std::string> StateMachine::next_chunk(std::size_t records) {
  CHECK(snapshot_, "a snapshot is under way");
  if (snapshot_->beginning) return *std::exchange(snapshot_->beginning, std::nullopt);
  std::optional<TransactionId> next = next_of_snapshot();
  if (!next) {
    snapshot_.reset();
    return std::nullopt;
  }
  Encoder out;
  out.put_u8(static_cast<std::uint8_t>(ChunkKind::kRecords));
  for (std::size_t seen = 0; next && seen < records; ++seen) {
    if (const auto record = take_of_snapshot(*next)) put_record(out, *next, *record);
    next = next_of_snapshot();
  }
  return out.take();
}

Result<void> StateMachine::load(std::string_view chunk) {
  if (chunk.empty()) return refuse("is empty");
  switch (static_cast<ChunkKind>(chunk[0])) {
    case ChunkKind::kBeginning:
      return load_beginning(chunk.substr(1));
    case ChunkKind::kRecords:
      return load_records(chunk.substr(1));
  }
  return refuse("is of a kind that this version does not know");
}

Result<void> StateMachine::load_beginning(std::string_view chunk) {
  Reader in(chunk);
  const std::uint8_t format = in.byte();
  if (in.ok() && (format == 0 || options_.formats.snapshot < format)) {
    return refuse("has format " + std::to_string(format) + ", this program reads up to " +
                      std::to_string(options_.formats.snapshot) +
                      ": run the version that wrote it, or newer",
                  format == 0 ? ErrorCode::kInternal : ErrorCode::kUnsupportedVersion);
  }
  if (executed_ != Slot(0)) return refuse("begins a second time");
  executed_ = Slot(in.varint());
  time_ = read_time(in);
  floor_ = read_time(in);
  office_ = read_ballot(in);
  offices_ = in.varint();
  const std::uint64_t participants = in.varint();
  for (std::uint64_t i = 0; i < participants && in.ok(); ++i) {
    std::string name = in.text();
    in.require(valid_participant_name(name));
    participants_.emplace(std::move(name), read_participant(in, format));
  }
  if (format >= kSnapshotFormatGroups) membership_ = read_membership(in);
  if (format >= kSnapshotFormatHistories) heuristics_ = read_heuristics(in, format);
  if (format >= kSnapshotFormatRestores) restoration_ = read_restoration(in);
  if (format >= kSnapshotFormatWithdrawals) withdrawals_ = read_withdrawals(in);
  hold_records();
  in.require(executed_ != Slot(0) && floor_ <= time_);
  if (!in.finished()) return refuse("does not follow its format");
  return {};
}

Result<void> StateMachine::load_records(std::string_view chunk) {
  if (executed_ == Slot(0)) return refuse("of records comes before the beginning");
  Reader in(chunk);
  while (!in.finished() && in.ok()) {
    const TransactionId id = read_transaction(in);
    TransactionRecord record = read_record(in);
    in.require(record.decided_in <= executed_ && record.forgotten_in <= executed_ &&
               record.decided_at <= time_ &&
               (!record.forgotten() || floor_ < id.time() || time_ < held_until_) &&
               !records_.contains(id));
    if (!in.ok()) break;
    (record.forgotten() ? forgotten_ : unforgotten_).insert(id);
    records_.emplace(id, std::move(record));
  }
  if (!in.finished()) return refuse("of records does not follow its format");
  return {};
}

}  // namespace assent::state
