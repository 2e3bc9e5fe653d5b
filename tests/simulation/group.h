// A group of replicas with what is around each: the network, the checkers, those who look after it,
// and what breaks.
#pragma once

#include <functional>

#include "tests/simulation/faults.h"
#include "tests/simulation/history.h"
#include "tests/simulation/host.h"
#include "tests/simulation/ledger.h"
#include "tests/simulation/network.h"
#include "tests/simulation/operators.h"
#include "tests/simulation/scheduler.h"
#include "tests/simulation/setting.h"
#include "tests/simulation/trace.h"
#include "tests/simulation/witness.h"

namespace assent::simulation {

class Group {
 public:
  using Answered = std::function<void(std::uint64_t operation, const Answer& answer)>;
  // See Surroundings::office.
  using OfficeChanged = std::function<void(ReplicaId, const replica::OfficeChange*)>;

  // All outlive this. `answered`: a replica answers what it was asked.
  Group(Scheduler& scheduler, Trace& trace, const Setting& setting, Answered answered,
        OfficeChanged office_changed);
  Group(const Group&) = delete;
  Group& operator=(const Group&) = delete;

  // Founds it.
  void boot();
  // Every replica and its disk are lost, and begin anew from a backup (Ledger::back_up). Nothing
  // boots by that. Precondition: the group does not change, and no disk was lost alone.
  void restore(const std::string& backup);

  Ledger ledger;
  Witness witness;
  History history;
  Network network;

 private:
  const Setting& setting_;
  Surroundings around_;

 public:
  Hosts hosts;
  Operators operators;
  Faults faults;
};

}  // namespace assent::simulation
