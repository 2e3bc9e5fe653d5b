#include "coordinator/storage/replica_log.h"

#include <utility>

#include "base/check.h"
#include "base/overloaded.h"
#include "coordinator/storage/consensus_record.h"

namespace assent::storage {
namespace {

tl::unexpected<Error> impossible(std::string what) {
  return failure(ErrorCode::kInternal, std::move(what) +
                                           ", which no replica writes: the log is damaged. Nothing "
                                           "was changed; restore the files.");
}

Slot slot_of(const paxos::Record& record) {
  const auto* accepted = std::get_if<paxos::Accepted>(&record);
  return accepted == nullptr ? Slot(0) : accepted->slot;
}

}  // namespace

ReplicaLog::ReplicaLog(ReplicaLogOptions options)
    : options_(std::move(options)), reader_(options_.log.directory) {
  CHECK(valid_cluster_name(options_.cluster), "a log belongs to a cluster");
  CHECK_LT(ReplicaId(0), options_.replica, "replicas count from 1");
}

ReplicaLog::~ReplicaLog() = default;

Result<void> ReplicaLog::open(const Restore& restore, OnPersisted persisted) {
  CHECK(log_ == nullptr, "a log is opened once");
  auto opened = WriteAheadLog::open(
      options_.log, [&](const FoundInLog& found) { return replay(found, restore); },
      // The callback may destroy this log: it is kept here, and nothing follows it.
      [this, persisted = std::move(persisted)](const Flushed& flushed) {
        on_flushed(flushed);
        const std::uint64_t through = flushed.through - unnumbered_;
        if (through > 0) persisted(paxos::RecordIndex(through));
      });
  if (!opened) return tl::unexpected(std::move(opened.error()));
  log_ = std::move(opened->log);
  torn_bytes_ = opened->torn_bytes;
  if (identified_) return {};
  const Record identity = encode(Identity{options_.cluster, options_.replica});
  unnumbered_ = 1;
  ++appended_;
  unplaced_.emplace_back();
  log_->append({&identity, 1});
  return {};
}

// ── earlier lives ───────────────────────────────────────────────────────────────────────────────

Result<void> ReplicaLog::replay(const FoundInLog& found, const Restore& restore) {
  if (!identified_) {
    auto checked = check_identity(found);
    identified_ = checked.has_value();
    return checked;
  }
  if (found.type == RecordType::kIdentity) return impossible("a second identity");
  const Result<paxos::Record> record = decode_record(found.type, found.payload);
  if (!record) return tl::unexpected(record.error());
  if (auto taken = take_in(*record, found.place); !taken) return taken;
  ++replayed_;
  restore(*record);
  return {};
}

// Ballots and slots of one replica mean nothing in the log of another: it would keep promises that
// it never gave, and forget its own.
Result<void> ReplicaLog::check_identity(const FoundInLog& found) const {
  if (found.type != RecordType::kIdentity) return impossible("a first record that is no identity");
  const Result<Identity> identity = decode_identity(found.payload);
  if (!identity) return tl::unexpected(identity.error());
  const Identity own{options_.cluster, options_.replica};
  if (*identity == own) return {};
  return failure(ErrorCode::kIdentityMismatch,
                 "the log was written by " + to_string(*identity) + ", and this is " +
                     to_string(own) +
                     ": correct the cluster, the replica id or the data directory.");
}

// What consensus relies on in a record that it restores, and would end the process for.
Result<void> ReplicaLog::take_in(const paxos::Record& record, const Place& place) {
  const auto raise = [&](const Ballot& ballot) -> Result<void> {
    if (ballot < promised_) {
      return impossible("ballot " + to_string(ballot) + " behind the higher ballot " +
                        to_string(promised_));
    }
    promised_ = ballot;
    return {};
  };
  return std::visit(
      Overloaded{
          [&](const paxos::Promised& promised) { return raise(promised.ballot); },
          [&](const paxos::Accepted& accepted) {
            index_.put(accepted.slot, place);
            return raise(accepted.ballot);
          },
          [&](const paxos::ChosenMark& mark) -> Result<void> {
            if (mark.through < chosen_ || index_.contiguous_through() < mark.through) {
              return impossible("slot " + to_string(mark.through) +
                                " as the chosen mark, behind mark " + to_string(chosen_) +
                                " and values of all slots up to " +
                                to_string(index_.contiguous_through()));
            }
            chosen_ = mark.through;
            return {};
          },
      },
      record);
}

// ── this life ───────────────────────────────────────────────────────────────────────────────────

void ReplicaLog::append(const std::vector<paxos::Record>& records) {
  CHECK(log_ != nullptr, "a log is opened before it is appended to");
  std::vector<Record> encoded;
  encoded.reserve(records.size());
  for (const paxos::Record& record : records) {
    encoded.push_back(encode(record));
    queue(record);
  }
  log_->append(encoded);
}

void ReplicaLog::queue(const paxos::Record& record) {
  ++appended_;
  unplaced_.push_back(slot_of(record));
  const auto* accepted = std::get_if<paxos::Accepted>(&record);
  if (accepted == nullptr) return;
  queued_.insert_or_assign(accepted->slot, Queued{appended_, {accepted->ballot, accepted->value}});
}

// What was queued has its place now, unless the slot has a later value in the queue.
void ReplicaLog::on_flushed(const Flushed& flushed) {
  std::uint64_t record = flushed.through - flushed.places.size();
  for (const Place& place : flushed.places) {
    ++record;
    const Slot slot = unplaced_.front();
    unplaced_.pop_front();
    if (slot == Slot(0)) continue;
    index_.put(slot, place);
    const auto queued = queued_.find(slot);
    if (queued->second.behind == record) queued_.erase(queued);
  }
}

// A slot can be chosen by others before this disk has its value: then it is still queued here.
paxos::AcceptedValue ReplicaLog::read(Slot slot) const {
  const auto queued = queued_.find(slot);
  if (queued != queued_.end()) return queued->second.accepted;
  const std::optional<Place> place = index_.find(slot);
  CHECK(place, "slot " + to_string(slot) + " has no value in this log");
  const auto found = reader_.read(*place);
  CHECK(found, found.error().message + " The process ends; start it again to check the whole log.");
  const Result<paxos::Record> record =
      decode_record(static_cast<RecordType>(found->header.type), found->bytes);
  const auto* accepted = record ? std::get_if<paxos::Accepted>(&*record) : nullptr;
  CHECK(accepted != nullptr && accepted->slot == slot,
        "The record in " + reader_.where(*place) + " is not the value of slot " + to_string(slot));
  return {accepted->ballot, accepted->value};
}

const WriteAheadLogCounters& ReplicaLog::counters() const {
  CHECK(log_ != nullptr, "an open log counts");
  return log_->counters();
}

}  // namespace assent::storage
