// Watches one group's disks and wires from outside: what was told against what was durable when it
// was told, and who used which ballot.
#pragma once

#include <cstdint>
#include <map>
#include <vector>

#include "coordinator/paxos/consensus.h"
#include "tests/simulation/ledger.h"
#include "tests/simulation/shelf.h"

namespace assent::simulation {

class Witness {
 public:
  // `ledger` outlives this.
  Witness(const Ledger& ledger, std::size_t replicas);

  // A replica's next life begins with what its disk holds.
  void booted(ReplicaId replica);
  // It has lost all that was on its disk, and what it said from it.
  void wiped(ReplicaId replica);
  void written(ReplicaId replica, const paxos::Record& record);
  void durable(ReplicaId replica, const paxos::Record& record);
  void sent(ReplicaId replica, const paxos::Message& message);
  void heard(ReplicaId replica, const paxos::Message& message);
  // It says that what its log has lost matters no more.
  void recovered(ReplicaId replica) const;
  // The leader of this ballot proposes in the slot.
  void proposed(const Ballot& ballot, Slot slot) const;
  // A snapshot was made of a state with this hash: it holds that state.
  void snapshot(ReplicaId by, const StoredSnapshot& snapshot, std::uint64_t hash,
                const state::StateOptions& options) const;
  // It is durable at this replica.
  void kept(ReplicaId replica, Slot through);
  // All disks are lost, and each replica begins with the state after this slot.
  void restore(Slot through);
  // The replica leads under this ballot.
  void led(ReplicaId replica, const Ballot& ballot);

 private:
  struct Life {
    ReplicaId replica;
    std::uint64_t number = 0;

    bool operator==(const Life&) const = default;
  };
  struct Known {
    std::uint64_t life = 0;
    bool spoke = false;  // of consensus
    // Of the questions of this life after what was lost; and whether one was answered.
    std::uint64_t nonce = 0;
    bool answered = false;
    bool forgot = false;  // it spoke from a disk that it has no more
    Ballot promised_written;
    Ballot promised_durable;
    // The ballots durably accepted in each slot, and the value of the last.
    std::vector<std::vector<Ballot>> ballots;
    std::vector<paxos::Value> values;
    Slot snapshot;                        // the state after this slot is on its disk
    std::map<Ballot, Slot> told_through;  // every slot up to here was checked for the ballot
  };

  void told(ReplicaId replica, const paxos::Promise& promise);
  void told(ReplicaId replica, const paxos::AcceptedThrough& accepted);
  [[nodiscard]] static bool has(const Known& known, Slot slot, const Ballot& ballot);
  [[nodiscard]] bool holds_chosen(const Known& known, Slot slot) const;
  [[nodiscard]] Life life(ReplicaId replica) const { return {replica, of(replica).life}; }
  std::map<Ballot, std::uint32_t> promised_;  // whole, by whom: a bit for each replica
  Known& of(ReplicaId replica) { return replicas_[replica.value]; }
  [[nodiscard]] const Known& of(ReplicaId replica) const { return replicas_[replica.value]; }

  const Ledger& ledger_;
  std::vector<Known> replicas_;  // by id
  std::map<Ballot, Life> candidates_;
  std::map<Ballot, Life> leaders_;
};

}  // namespace assent::simulation
