#include "tests/simulation/postgres/wal.h"

#include <algorithm>

#include "base/check.h"
#include "base/overloaded.h"

namespace assent::model {
namespace {

constexpr Lsn kRecordBytes = 64;
constexpr std::uint32_t kFirstNormalXid = 3;

bool is_one_phase_commit(const Change& change) {
  return change.value && change.row.table == "assent.outcome" && change.value->at(1) == "t";
}

}  // namespace

Xid xid_after(Xid xid) {
  ++xid;
  while (static_cast<std::uint32_t>(xid) < kFirstNormalXid) ++xid;
  return xid;
}

// ── State ───────────────────────────────────────────────────────────────────────────────────────

void State::see(Xid xid) {
  if (xid >= next_xid) next_xid = xid_after(xid);
}

void State::end(Xid xid, bool committed, const std::vector<Change>& changes) {
  ended[xid] = committed;
  if (!committed) return;
  for (const Change& change : changes) {
    if (is_one_phase_commit(change)) one_phase.insert(change.row.key);
    Table& table = tables[change.row.table];
    if (change.value) {
      table[change.row.key] = *change.value;
    } else {
      table.erase(change.row.key);
    }
  }
}

void State::apply(const Record& record) {
  std::visit(Overloaded{
                 [&](const WriteRecord& one) {
                   see(one.xid);
                   see(one.change.xid);
                   running[one.xid].push_back(one.change);
                 },
                 [&](const RollbackToRecord& one) { running[one.xid].resize(one.changes); },
                 [&](const EndRecord& one) {
                   see(one.xid);
                   end(one.xid, one.committed, running[one.xid]);
                   running.erase(one.xid);
                 },
                 [&](const PrepareRecord& one) {
                   see(one.prepared.xid);
                   running.erase(one.prepared.xid);
                   prepared[one.prepared.gid] = one.prepared;
                 },
                 [&](const FinishRecord& one) {
                   const auto found = prepared.find(one.gid);
                   CHECK(found != prepared.end(), "only what is prepared is finished");
                   end(found->second.xid, one.committed, found->second.changes);
                   prepared.erase(found);
                 },
                 [&](const MessageRecord& one) { see(one.xid); },
             },
             record);
}

// ── Wal ─────────────────────────────────────────────────────────────────────────────────────────

Lsn Wal::append(Record record) {
  end_ += kRecordBytes;
  entries_.push_back({end_, std::move(record)});
  return end_;
}

std::vector<Lsn> Wal::unflushed() const {
  std::vector<Lsn> ends;
  for (const Entry& entry : entries_) {
    if (entry.end > flushed_) ends.push_back(entry.end);
  }
  return ends;
}

void Wal::flush_to(Lsn position) {
  flushed_ = std::max(flushed_, std::min(position, end_));
}

void Wal::cut(Lsn position) {
  CHECK(position >= begin_ && position <= end_, "only what is in the log can be its end");
  while (!entries_.empty() && entries_.back().end > position) entries_.pop_back();
  end_ = entries_.empty() ? begin_ : entries_.back().end;
  flushed_ = std::min(flushed_, end_);
}

void Wal::trim_to(std::size_t kept, Lsn position) {
  CHECK(position <= flushed_, "what is trimmed must not be lost");
  if (entries_.size() < 2 * kept) return;
  while (entries_.size() > kept && entries_.front().end <= position) {
    base_.apply(entries_.front().record);
    begin_ = entries_.front().end;
    entries_.pop_front();
  }
}

State Wal::fold() const {
  State state = base_;
  for (const Entry& entry : entries_) state.apply(entry.record);
  state.running.clear();
  return state;
}

Lsn Wal::boundary(Lsn position) const {
  Lsn found = begin_;
  for (const Entry& entry : entries_) {
    if (entry.end > position) break;
    found = entry.end;
  }
  return found;
}

Lsn Wal::before(std::size_t records) const {
  if (records >= entries_.size()) return begin_;
  return entries_[entries_.size() - records - 1].end;
}

}  // namespace assent::model
