// A stage for one replica's consensus, or a few: every message and every flush is the test's to let
// through, in its order.
#pragma once

#include <gtest/gtest.h>

#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "coordinator/paxos/consensus.h"

namespace assent::paxos {

inline ReplicaId replica(std::uint32_t id) {
  return ReplicaId(id);
}
inline Ballot ballot(std::uint64_t round, std::uint32_t id) {
  return {Incarnation(1), Round(round), ReplicaId(id)};
}

// "123/4": members 1, 2 and 3, and a learner.
Group group_of(const std::string& text);

// The log of one replica, whole; it outlives the replica's lives.
class RecordedLog final : public ChosenLog {
 public:
  [[nodiscard]] Slot first() const override { return kept_from; }
  [[nodiscard]] AcceptedValue read(Slot slot) const override;

  Slot kept_from{1};  // values below it are gone, as after a truncation
  std::vector<Record> durable;
  std::vector<Record> written;  // not durable yet
  // Records in front of each of these are lost, from there to what is kept before it.
  std::set<std::size_t> lost_before;
};

// One life of a replica, and its state machine: a value "=123/4" changes the group, one member at a
// time, and not while an earlier change does not govern yet.
struct Player {
  Executed execute(const std::vector<ChosenValue>& values);

  RecordedLog log;
  std::unique_ptr<Consensus> consensus;
  std::uint64_t recorded = 0;       // records of this life
  std::vector<ChosenValue> chosen;  // of all lives
  std::vector<ReadReady> reads;
  std::vector<ReadToken> reads_lost;
  std::optional<SnapshotOffered> offered;  // the last one
  Slot governs_from{1};                    // the latest change
  Group group;                             // that it led to
  bool recovered = false;                  // it said so in this life
};

class Stage {
 public:
  // Replicas 1 to `count`, started.
  explicit Stage(std::uint32_t count, Options options = options_of({1}));
  static Options options_of(std::vector<std::uint32_t> members);

  Consensus& at(std::uint32_t id) { return *players_.at(id).consensus; }
  Player& player(std::uint32_t id) { return players_.at(id); }

  // Steps the replica; its messages join the wire.
  void step(std::uint32_t id, const Input& input);
  // What it has written becomes durable, and it is told.
  void persist(std::uint32_t id);
  // Time passes for everybody; whoever is due gets a tick.
  void pass(Millis time);

  // The messages on the wire, oldest first. Taking one takes it off.
  [[nodiscard]] std::size_t on_the_wire() const { return wire_.size(); }
  // The oldest of this kind and sender; fails the test when there is none.
  template <class M>
  M take(std::uint32_t from, std::uint32_t to) {
    for (auto at = wire_.begin(); at != wire_.end(); ++at) {
      const auto* message = std::get_if<M>(&at->message);
      if (message == nullptr || at->from != ReplicaId(from) || at->to != ReplicaId(to)) continue;
      M out = *message;
      wire_.erase(at);
      return out;
    }
    ADD_FAILURE() << "no such message from " << from << " to " << to;
    return {};
  }
  template <class M>
  [[nodiscard]] bool has(std::uint32_t from, std::uint32_t to) const {
    for (const auto& one : wire_) {
      if (one.from == ReplicaId(from) && one.to == ReplicaId(to) &&
          std::holds_alternative<M>(one.message)) {
        return true;
      }
    }
    return false;
  }
  void drop_all() { wire_.clear(); }
  // Takes the message at this place off the wire, and brings it where it is to go, or nowhere.
  void deliver(std::size_t place, bool arrives);
  // Who sent the message at this place, and to whom.
  [[nodiscard]] std::pair<std::uint32_t, std::uint32_t> ends_of(std::size_t place) const {
    return {wire_.at(place).from.value, wire_.at(place).to.value};
  }
  // Comes in as if it had been on its way for long.
  void deliver(std::uint32_t from, std::uint32_t to, Message message) {
    step(to, Arrived{ReplicaId(from), std::move(message)});
  }

  // Delivers and persists until nothing moves; messages of or to `cut` are lost.
  void settle(const std::vector<std::uint32_t>& cut = {});
  // Passes time and settles until this replica leads.
  void elect(std::uint32_t id, const std::vector<std::uint32_t>& cut = {});
  void propose(std::uint32_t id, const std::string& value);

  // Starts a replica that knows no group yet.
  void join(std::uint32_t id);
  // The records from `first` to before `end` of its log rot; the next life finds that, and takes no
  // Repaired behind them for one.
  void rot(std::uint32_t id, std::size_t first, std::size_t end);
  // Begins the next life from what is durable.
  void restart(std::uint32_t id);
  [[nodiscard]] std::vector<std::string> values(std::uint32_t id) const;
  [[nodiscard]] MonoTime now() const { return now_; }

 private:
  struct OnTheWire {
    ReplicaId from;
    ReplicaId to;
    Message message;
  };

  void start(std::uint32_t id);
  void take_in(std::uint32_t id, Effects effects);

  Options options_;
  std::set<std::uint32_t> joined_;
  MonoTime now_{1'000'000};
  std::map<std::uint32_t, Player> players_;
  std::deque<OnTheWire> wire_;
};

}  // namespace assent::paxos
