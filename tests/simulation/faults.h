// What breaks, and when: faults strike again and again until the world is healed.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include "tests/simulation/dice.h"
#include "tests/simulation/fault_kinds.h"
#include "tests/simulation/host.h"
#include "tests/simulation/ledger.h"
#include "tests/simulation/network.h"
#include "tests/simulation/operators.h"
#include "tests/simulation/setting.h"
#include "tests/simulation/trace.h"

namespace assent::simulation {

using Hosts = std::vector<std::unique_ptr<Host>>;

class Faults {
 public:
  // All outlive this.
  Faults(Scheduler& scheduler, Trace& trace, const Setting& setting, Network& network, Hosts& hosts,
         const Operators& operators, const Ledger& ledger);

  void start();
  // Nothing strikes any more, and everything is mended: the network, the disks, the processes.
  void heal();
  // A minority stays dead, or a partition stays in which somebody hears a quorum both ways.
  void heal_but(Healing healing);
  // A replica has lost records, and is not whole again or will begin so: with another one away
  // there may be no leader who makes it whole.
  [[nodiscard]] bool somebody_recovers() const;
  // The leader, which is cut off, or whose disk stalls or is full. Precondition: healed, and
  // somebody serves.
  Host& wound_leader(Healing wound);

  void moment(ReplicaId replica, Moment moment);

  [[nodiscard]] const FaultCounts& counts() const { return counts_; }
  // Those that count: not what only disturbs.
  [[nodiscard]] std::uint64_t total() const;

 private:
  using Order = std::vector<std::uint32_t>;                            // replicas
  using Pairs = std::vector<std::pair<std::uint32_t, std::uint32_t>>;  // from, to

  void next();
  void strike(Fault fault);
  void count(Fault fault);
  void crash(Host& host, Micros down_max);
  void power_cut();
  void leave_for_long(Host& host);
  void rot(Host& host);
  void wipe(Host& host);
  void fill(Host& host);
  [[nodiscard]] bool others_impaired(const Host& host) const;
  void restart_repaired(Host& host);
  void change_version(Host& host);
  void upgrade(Host& host);
  void part(const Pairs& pairs);
  void reset_connection();
  void bad_weather(const Weather& weather);
  void jump_clock();
  [[nodiscard]] Pairs halves(const Order& order);
  [[nodiscard]] Pairs cut_off(std::uint32_t one) const;
  [[nodiscard]] Pairs one_way(const Order& order);
  [[nodiscard]] static Pairs bridge(const Order& order);
  [[nodiscard]] static Pairs chain(const Order& order);
  [[nodiscard]] Order shuffled();
  [[nodiscard]] Order shuffled(const std::vector<ReplicaId>& replicas);
  [[nodiscard]] Host& anyone();
  [[nodiscard]] Host& leader();
  [[nodiscard]] Host& host(ReplicaId replica) { return *hosts_[replica.value - 1]; }
  void later(Micros delay, std::function<void()> act);
  void mend_all();
  void cut_for_good(const Pairs& pairs);

  Scheduler& scheduler_;
  Trace& trace_;
  const Setting& setting_;
  Network& network_;
  Hosts& hosts_;
  const Operators& operators_;
  const Ledger& ledger_;
  Dice dice_;
  bool calm_ = false;
  bool trap_for_candidates_ = false;
  bool trap_for_leaders_ = false;
  Pairs cuts_;
  Slot executed_;  // when a version was changed last
  FaultCounts counts_{};
};

}  // namespace assent::simulation
