// The people who look after the group: they add replicas, promote, remove and replace them, and
// switch off those that have left.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <set>
#include <vector>

#include "coordinator/state/command.h"
#include "tests/simulation/dice.h"
#include "tests/simulation/host.h"
#include "tests/simulation/ledger.h"
#include "tests/simulation/scheduler.h"
#include "tests/simulation/setting.h"

namespace assent::simulation {

// A replica as the log is told of it.
state::Member member_of(ReplicaId replica);

class Operators {
 public:
  // All outlive this.
  Operators(Scheduler& scheduler, const Setting& setting, const Ledger& ledger,
            std::vector<std::unique_ptr<Host>>& hosts);

  void start();
  // Nothing is changed any more.
  void stop() { stopped_ = true; }

  // The next change, if there is one to make now: to be asked of the leader like any command.
  std::optional<state::Command> next_change();
  // From now on only what a lost disk makes necessary.
  void only_replace() { only_replaces_ = true; }

  // It may be removed, whatever else is on its way. Who is in no group may be, too.
  [[nodiscard]] bool can_spare(ReplicaId replica) const;
  // It was never in the group; or it has left, and a leader has said that it is needed no more.
  [[nodiscard]] bool is_released(ReplicaId replica) const;
  // Of the group, one that never comes back, and has to be removed: its disk was lost; or, where
  // only that is left to do, nobody is left who would let it in.
  [[nodiscard]] std::optional<ReplicaId> lost_one() const;

  // Members and learners, as of the latest change; the founders before there is one.
  [[nodiscard]] std::vector<ReplicaId> replicas() const;

 private:
  [[nodiscard]] std::optional<state::Command> add();
  [[nodiscard]] bool all_have_begun() const;
  std::optional<state::Command> remove(ReplicaId replica);
  std::optional<state::Command> promote(ReplicaId replica);
  [[nodiscard]] const Host& host(ReplicaId replica) const { return *hosts_[replica.value - 1]; }
  void switch_off_those_who_left();
  [[nodiscard]] bool needed_no_more(ReplicaId replica) const;

  Scheduler& scheduler_;
  const Setting& setting_;
  const Ledger& ledger_;
  std::vector<std::unique_ptr<Host>>& hosts_;
  Dice dice_;
  // Asked to be removed at any time: an order that came to nothing may still be on its way.
  std::set<ReplicaId> doomed_;
  std::set<ReplicaId> released_;
  bool only_replaces_ = false;
  bool stopped_ = false;
};

}  // namespace assent::simulation
