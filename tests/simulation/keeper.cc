#include "tests/simulation/keeper.h"

#include <utility>

#include "base/check.h"
#include "tests/simulation/violation.h"

namespace assent::simulation {
namespace {

constexpr Micros kTurnMax = 2 * kMillisecond;     // between two chunks
constexpr Micros kWriteMax = 300 * kMillisecond;  // of a whole snapshot, with its fsync

}  // namespace

Keeper::Keeper(Trace& trace, Witness& witness, const Setting& setting, ReplicaId id, Disk& disk,
               Process process)
    : trace_(trace),
      witness_(witness),
      setting_(setting),
      id_(id),
      dice_(setting.seed, 300 + id.value),
      disk_(disk),
      process_(std::move(process)),
      schedule_(setting.snapshot_log_bytes) {}

void Keeper::boot(replica::Core& core) {
  core_ = &core;
  schedule_ = replica::SnapshotSchedule(setting_.snapshot_log_bytes);
  schedule_.begun(disk_.bytes(), 0);
  fetch_ = {};
  if (const StoredSnapshot* newest = disk_.shelf().newest()) {
    process_.step(paxos::SnapshotKept{newest->info});
  }
}

// A snapshot that was just being made durable is on the disk, or is not.
void Keeper::crash() {
  if (std::exchange(finishing_, false) && dice_.percent(50) && !disk_.full()) {
    shelve(std::move(writing_->snapshot));
  }
  writing_.reset();
  taking_in_ = false;
  core_ = nullptr;
}

// ── writing ─────────────────────────────────────────────────────────────────────────────────────

void Keeper::stepped() {
  const StoredSnapshot* newest = disk_.shelf().newest();
  const Slot has = newest == nullptr ? Slot() : newest->info.through;
  if (!writing_ && schedule_.due(disk_.bytes(), core_->state().executed(), has)) begin();
}

void Keeper::begin() {
  // More often than in production, where the size of the state counts too: the log is short then.
  schedule_.begun(disk_.bytes(), 0);
  const Slot through = core_->state().executed();
  trace_.event(id_.value, "snapshots", through.value, 0,
               [&] { return "the state after slot " + to_string(through); });
  core_->begin_snapshot();
  writing_ = Writing{{{through, 0, 0}, nullptr, disk_.replay_from(through)},
                     {},
                     checked() ? core_->state().state_hash() : 0};
  process_.later(dice_.skewed(20, kTurnMax), [this] { write_chunk(); });
}

// A state that was fetched meanwhile has taken the place of the one that was being written.
void Keeper::write_chunk() {
  if (!core_->state().snapshot_under_way()) {
    writing_.reset();
    return;
  }
  if (const auto chunk = core_->next_chunk(setting_.snapshot_chunk_records)) {
    add_chunk(writing_->content, *chunk);
    return process_.later(dice_.skewed(20, kTurnMax), [this] { write_chunk(); });
  }
  StoredSnapshot& snapshot = writing_->snapshot;
  snapshot.info.id = id_of(writing_->content);
  snapshot.info.bytes = writing_->content.size();
  snapshot.content = std::make_shared<const std::string>(std::move(writing_->content));
  if (checked()) witness_.snapshot(id_, snapshot, writing_->hash, core_->options().state);
  finishing_ = true;
  process_.later(dice_.skewed(kMillisecond, kWriteMax), [this] { finish(); });
}

void Keeper::finish() {
  finishing_ = false;
  StoredSnapshot snapshot = std::move(writing_->snapshot);
  writing_.reset();
  if (disk_.full()) return schedule_.failed(disk_.bytes());
  ++written_;
  keep(std::move(snapshot));
}

void Keeper::shelve(StoredSnapshot snapshot) {
  witness_.kept(id_, snapshot.info.through);
  disk_.shelf().keep(std::move(snapshot));
}

void Keeper::keep(StoredSnapshot snapshot) {
  const paxos::SnapshotInfo info = snapshot.info;
  shelve(std::move(snapshot));
  disk_.truncate();
  trace_.event(id_.value, "keeps", info.through.value, info.id, [&] {
    return "the snapshot of slot " + to_string(info.through) + ", the log from slot " +
           to_string(disk_.first());
  });
  process_.step(paxos::SnapshotKept{info});
}

// ── fetching ────────────────────────────────────────────────────────────────────────────────────

void Keeper::take_offer(const paxos::SnapshotOffered& offer) {
  // One that finds no room would be fetched in vain.
  if (taking_in_ || disk_.full()) return;
  const StoredSnapshot* newest = disk_.shelf().newest();
  const bool newer = newest == nullptr || newest->info.through < offer.snapshot.through;
  if (fetch_.take(offer, core_->state().executed()) && newer) {
    fetch_.begin(offer, disk_.shelf().incoming(offer.snapshot));
    trace_.event(id_.value, "fetches", offer.snapshot.through.value, fetch_.have(), [&] {
      return "the snapshot of slot " + to_string(offer.snapshot.through) + " from r" +
             to_string(offer.from) + ", of which it has " + std::to_string(fetch_.have());
    });
    if (fetch_.whole()) return complete();
  }
  ask_part();
}

void Keeper::ask_part() {
  if (const auto asked = fetch_.ask()) process_.ask(*asked);
}

void Keeper::got_part(const replica::PartAsked& asked, const std::optional<std::string>& bytes) {
  if (!bytes || disk_.full()) return fetch_.failed(asked);
  if (!fetch_.answered(asked, bytes->size())) return;
  disk_.shelf().add(*bytes);
  if (fetch_.whole()) return complete();
  ask_part();
}

std::optional<std::string> Keeper::part(const replica::PartAsked& asked) const {
  const StoredSnapshot* found = disk_.shelf().find(asked.snapshot);
  if (found == nullptr) return std::nullopt;
  return found->content->substr(asked.offset, setting_.snapshot_part_bytes);
}

void Keeper::complete() {
  const paxos::SnapshotInfo info = *fetch_.snapshot();
  if (info.through <= core_->state().executed()) return fetch_.end();
  taking_in_ = true;
  StoredSnapshot snapshot{info, std::make_shared<const std::string>(disk_.shelf().take_incoming()),
                          disk_.replay_from(info.through)};
  process_.later(dice_.skewed(kMillisecond, kWriteMax), [this, snapshot] {
    if (disk_.full()) {
      taking_in_ = false;
      return fetch_.end();
    }
    shelve(snapshot);
    process_.later(dice_.skewed(20, kTurnMax), [this, snapshot] { install(snapshot); });
  });
}

void Keeper::install(const StoredSnapshot& snapshot) {
  taking_in_ = false;
  fetch_.end();
  const Slot through = snapshot.info.through;
  const bool of_use = core_->state().executed() < through && !core_->consensus().leading();
  if (of_use) {
    trace_.event(id_.value, "installs", through.value, snapshot.info.id,
                 [&] { return "the state after slot " + to_string(through); });
    auto state = state_of(*snapshot.content, core_->options().state);
    // A newer version wrote it, and this one goes on without.
    if (state == nullptr && core_->options().state.formats != state::Formats()) return;
    CHECK(state != nullptr && id_of(*snapshot.content) == snapshot.info.id,
          "what was fetched is what was offered");
    disk_.rebase(through);
    ++installed_;
    process_.step(replica::Install{std::move(state)});
  }
  disk_.truncate();
  process_.step(paxos::SnapshotKept{snapshot.info});
}

}  // namespace assent::simulation
