// Random lives of a group in which logs are truncated, snapshots are offered and taken in, and
// processes die with what they had not flushed: nobody ever learns two values of a slot, no read is
// stale, and once all is well everyone catches up.
#include "coordinator/paxos/random.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <deque>
#include <iterator>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "coordinator/paxos/consensus.h"

namespace assent::paxos {
namespace {

// What one replica has on its disk: a snapshot's slot stands for the whole of it.
class Disk final : public ChosenLog {
 public:
  [[nodiscard]] Slot first() const override { return kept_from; }
  [[nodiscard]] AcceptedValue read(Slot slot) const override {
    EXPECT_LE(kept_from, slot) << "it is not kept any more";
    for (const auto* records : {&written, &durable}) {
      for (auto at = records->rbegin(); at != records->rend(); ++at) {
        const auto* accepted = std::get_if<Accepted>(&*at);
        if (accepted != nullptr && accepted->slot == slot)
          return {accepted->ballot, accepted->value};
      }
    }
    ADD_FAILURE() << "slot " << slot.value << " is not in the log";
    return {{}, make_value({})};
  }
  // The mark that the records tell.
  [[nodiscard]] Slot mark() const {
    Slot out;
    for (const Record& record : durable) {
      if (const auto* mark = std::get_if<ChosenMark>(&record)) out = mark->through;
    }
    return out;
  }

  Slot kept_from{1};
  SnapshotInfo snapshot;
  std::vector<Record> durable;
  std::vector<Record> written;  // not durable yet
};

struct Replica {
  Disk disk;
  std::unique_ptr<Consensus> consensus;
  std::uint64_t recorded = 0;  // records of this life that are durable
  std::optional<SnapshotInfo> fetched;
  std::optional<Ballot> office;
  Slot first_own;  // of this office
};

struct OnTheWire {
  ReplicaId from;
  Envelope envelope;
};

// What happened, over all seeds: a test in which nothing does proves nothing.
struct Seen {
  std::uint64_t chosen = 0;
  std::uint64_t installs = 0;
  std::uint64_t offices = 0;
  std::uint64_t reads = 0;
  std::uint64_t restarts = 0;
};

class Lives {
 public:
  Lives(std::uint64_t seed, std::uint32_t count, Seen& seen) : random_(seed), seen_(seen) {
    std::vector<ReplicaId> members;
    for (std::uint32_t id = 1; id <= count; ++id) members.emplace_back(id);
    options_.group = Group(members);
    options_.recent_bytes_max = 8;
    options_.accept_bytes_max = 200;
    options_.messages_in_flight_max = 3;
    options_.lag_max = 20;
    for (const ReplicaId id : members) start(id);
  }

  void live(int steps) {
    for (int i = 0; i < steps && !testing::Test::HasFailure(); ++i) something();
  }

  // Nothing is lost any more: everyone comes as far as the furthest, and further.
  void heal() {
    calm_ = true;
    const Slot goal(furthest_.value + 20);
    for (int i = 0; i < 6'000 && !testing::Test::HasFailure(); ++i) {
      if (std::all_of(replicas_.begin(), replicas_.end(), [&](const auto& one) {
            return goal <= one.second.consensus->chosen_through();
          })) {
        return;
      }
      pass(Millis(10));
      for (auto& [id, one] : replicas_) {
        flush(id);
        take_snapshot_in(id);
        if (one.consensus->can_propose()) propose(id);
        if (random_.below(40) == 0) truncate(id);
      }
      for (std::size_t n = wire_.size(); n > 0; --n) deliver(0, false);
    }
    for (auto& [id, one] : replicas_) {
      ADD_FAILURE() << "replica " << id.value << " is " << one.consensus->role_name() << " at "
                    << one.consensus->chosen_through().value << " of " << goal.value;
    }
  }

 private:
  void start(ReplicaId id) {
    Replica& one = replicas_[id];
    Options options = options_;
    options.self = id;
    options.seed = random_.next();
    one.consensus = std::make_unique<Consensus>(options, one.disk);
    one.recorded = 0;
    one.office.reset();
    const Slot loaded = one.disk.snapshot.through;
    // The log's marks end before the snapshot: values up to it need not be chosen ones.
    if (one.disk.mark() < loaded) one.disk.kept_from = loaded.next();
    one.consensus->restore_snapshot({loaded});
    for (const Record& record : one.disk.durable) restore(id, one, loaded, record);
    if (loaded != Slot(0)) (void)one.consensus->step(now_, SnapshotKept{one.disk.snapshot});
    one.consensus->start(now_);
    one.consensus->check_invariants();
  }
  void restore(ReplicaId id, Replica& one, Slot loaded, const Record& record) {
    Record taken = record;
    if (const auto* accepted = std::get_if<Accepted>(&record)) {
      if (accepted->slot <= loaded) taken = Promised{accepted->ballot};
    } else if (const auto* mark = std::get_if<ChosenMark>(&record)) {
      if (mark->through <= loaded) return;
    }
    for (const ChosenValue& chosen : one.consensus->restore(taken)) learn(id, chosen);
    one.consensus->restore(Executed{one.consensus->chosen_through()});
  }

  ReplicaId anyone() {
    return ReplicaId(static_cast<std::uint32_t>(1 + random_.below(replicas_.size())));
  }

  void something() {
    const ReplicaId id = anyone();
    const std::uint64_t dice = random_.below(1'000);
    if (dice < 500) return deliver_any();
    if (dice < 680) return flush(id);
    if (dice < 800) return pass(Millis(static_cast<std::int64_t>(random_.below(30))));
    if (dice < 920) return propose(id);
    if (dice < 945) return read(id);
    if (dice < 955) return truncate(id);
    if (dice < 975) return take_snapshot_in(id);
    if (dice < 980) return restart(id);
    if (dice < 983) return cut();
    if (dice < 988) return lose(id);
    if (dice < 990) return transfer(id);
    if (dice < 992) return pass(Millis(static_cast<std::int64_t>(random_.below(900))));
    step(id, Tick{});
  }

  void step(ReplicaId id, const Input& input) {
    Replica& one = replicas_.at(id);
    take_in(id, one.consensus->step(now_, input));
    one.consensus->check_invariants();
    look_at_office(one);
  }

  void take_in(ReplicaId id, Effects effects) {
    Replica& one = replicas_.at(id);
    std::move(effects.persist.begin(), effects.persist.end(), std::back_inserter(one.disk.written));
    for (Envelope& envelope : effects.send) {
      note_proposals(envelope.message);
      wire_.push_back({id, std::move(envelope)});
    }
    for (const ChosenValue& chosen : effects.chosen) learn(id, chosen);
    if (effects.offered) one.fetched = effects.offered->snapshot;
    for (const ReadReady& ready : effects.reads) {
      ++seen_.reads;
      EXPECT_LE(asked_at_.at(ready.token), ready.index) << "a stale read";
    }
    if (effects.chosen.empty()) return;
    take_in(id, one.consensus->step(now_, Executed{effects.chosen.back().slot}));
  }

  void look_at_office(Replica& one) {
    const auto leads = one.consensus->leading();
    if (leads != one.office) {
      one.office = leads;
      if (!leads) return;
      ++seen_.offices;
      EXPECT_TRUE(ballots_.insert(*leads).second) << "two offices under one ballot";
      one.first_own = one.consensus->last_proposed().next();
    }
  }

  void note_proposals(const Message& message) {
    const auto* accept = std::get_if<Accept>(&message);
    if (accept == nullptr) return;
    Slot slot = accept->first;
    for (const Value& value : accept->values) {
      const auto [at, added] = proposed_.try_emplace({accept->ballot, slot}, *value);
      EXPECT_EQ(at->second, *value) << "two values in slot " << slot.value << " under one ballot";
      slot = slot.next();
    }
  }

  void learn(ReplicaId id, const ChosenValue& chosen) {
    const auto [at, added] = chosen_.try_emplace(chosen.slot, *chosen.value);
    if (added) ++seen_.chosen;
    EXPECT_EQ(at->second, *chosen.value) << "slot " << chosen.slot.value << " at " << id.value;
    furthest_ = std::max(furthest_, chosen.slot);
  }

  void deliver_any() {
    if (wire_.empty()) return;
    // Mostly in order.
    const bool late = random_.below(5) == 0;
    deliver(late ? random_.below(wire_.size()) : 0, random_.below(20) == 0);
  }
  void deliver(std::size_t index, bool again) {
    if (wire_.size() <= index) return;
    OnTheWire next = wire_[index];
    if (!again) wire_.erase(wire_.begin() + static_cast<std::ptrdiff_t>(index));
    if (!calm_ && (random_.below(25) == 0 || cut_.count({next.from, next.envelope.to}) != 0))
      return;
    step(next.envelope.to, Arrived{next.from, next.envelope.message});
  }

  void flush(ReplicaId id) {
    Disk& disk = replicas_.at(id).disk;
    const std::size_t count = calm_ ? disk.written.size() : random_.below(disk.written.size() + 1);
    if (count == 0) return;
    const auto end = disk.written.begin() + static_cast<std::ptrdiff_t>(count);
    std::move(disk.written.begin(), end, std::back_inserter(disk.durable));
    disk.written.erase(disk.written.begin(), end);
    replicas_.at(id).recorded += count;
    step(id, Persisted{RecordIndex(replicas_.at(id).recorded)});
  }

  void pass(Millis time) {
    now_ = now_ + time;
    for (auto& [id, one] : replicas_) {
      if (one.consensus->next_deadline() <= now_) step(id, Tick{});
    }
  }

  void propose(ReplicaId id) {
    if (!replicas_.at(id).consensus->can_propose()) return;
    step(id, Propose{make_value(std::string(random_.below(30) + 1, 'v') +
                                std::to_string(++last_value_))});
  }

  void read(ReplicaId id) {
    Replica& one = replicas_.at(id);
    if (!one.office || one.consensus->chosen_through() < one.first_own) return;
    const ReadToken token(++last_read_);
    asked_at_[token] = furthest_;
    step(id, ReadAsked{token});
  }

  void truncate(ReplicaId id) {
    Replica& one = replicas_.at(id);
    const Slot mark = one.consensus->chosen_through();
    if (mark <= one.disk.snapshot.through) return;
    // Kept from the snapshot before on, as the storage does.
    one.disk.kept_from = std::max(one.disk.kept_from, one.disk.snapshot.through.next());
    one.disk.snapshot = {mark, random_.next(), 1};
    step(id, SnapshotKept{one.disk.snapshot});
  }

  void take_snapshot_in(ReplicaId id) {
    Replica& one = replicas_.at(id);
    if (!one.fetched) return;
    const SnapshotInfo snapshot = *std::exchange(one.fetched, std::nullopt);
    if (snapshot.through <= one.disk.snapshot.through) return;
    if (snapshot.through <= one.consensus->chosen_through()) return;
    one.disk.snapshot = snapshot;
    step(id, SnapshotInstalled{snapshot.through});
    if (one.consensus->chosen_through() != snapshot.through) return;
    ++seen_.installs;
    one.disk.kept_from = snapshot.through.next();
    step(id, SnapshotKept{snapshot});
  }

  void restart(ReplicaId id) {
    if (random_.below(3) != 0) return;
    ++seen_.restarts;
    Replica& one = replicas_.at(id);
    const std::size_t survive = random_.below(one.disk.written.size() + 1);
    std::move(one.disk.written.begin(),
              one.disk.written.begin() + static_cast<std::ptrdiff_t>(survive),
              std::back_inserter(one.disk.durable));
    one.disk.written.clear();
    start(id);
  }

  // One way between two, or everything of one; or the network is whole again.
  void cut() {
    const std::uint64_t kind = random_.below(4);
    const ReplicaId one = anyone();
    if (kind == 0) cut_.clear();
    if (kind == 1) cut_.insert({one, anyone()});
    if (kind < 2) return;
    for (const auto& [other, unused] : replicas_) {
      cut_.insert({one, other});
      cut_.insert({other, one});
    }
  }

  void lose(ReplicaId id) {
    const ReplicaId other = anyone();
    if (other != id) step(id, PeerLost{other});
  }

  void transfer(ReplicaId id) { step(id, TransferAsked{anyone()}); }

  Random random_;
  Seen& seen_;
  Options options_{.self = ReplicaId(1), .group = Group({ReplicaId(1)})};
  MonoTime now_{1'000'000};
  std::map<ReplicaId, Replica> replicas_;
  std::deque<OnTheWire> wire_;
  std::set<std::pair<ReplicaId, ReplicaId>> cut_;
  bool calm_ = false;

  std::map<Slot, std::string> chosen_;
  Slot furthest_;
  std::map<std::pair<Ballot, Slot>, std::string> proposed_;
  std::set<Ballot> ballots_;
  std::map<ReadToken, Slot> asked_at_;
  std::uint64_t last_read_ = 0;
  std::uint64_t last_value_ = 0;
};

// More of them: ASSENT_PAXOS_SEEDS=5000.
TEST(RandomLives, WithTruncatedLogsAgreeAndCatchUp) {
  const char* more = std::getenv("ASSENT_PAXOS_SEEDS");
  const std::uint64_t seeds = more != nullptr ? std::stoull(more) : 100;
  Seen seen;
  for (std::uint64_t seed = 1; seed <= seeds && !HasFailure(); ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    Lives lives(seed, seed % 2 == 0 ? 3 : 5, seen);
    lives.live(12'000);
    lives.heal();
  }
  EXPECT_LT(100 * seeds, seen.chosen);
  EXPECT_LT(seeds, seen.installs);
  EXPECT_LT(5 * seeds, seen.offices);
  EXPECT_LT(5 * seeds, seen.restarts);
  EXPECT_LT(10 * seeds, seen.reads);
}

}  // namespace
}  // namespace assent::paxos
