// How one run's world is made: everything follows from the seed.
#pragma once

#include <cstdint>
#include <vector>

#include "coordinator/replica/core.h"
#include "tests/simulation/fault_kinds.h"
#include "tests/simulation/network.h"

namespace assent::simulation {

// What is whole when the faults end and life is demanded.
enum class Healing {
  kWhole,         // everything
  kMinorityDown,  // a minority stays dead for a while
  kPartial,       // a partition stays in which somebody hears a quorum both ways
  kLeaderCutOff,  // everything, and then the leader is cut off from everybody
  kLeaderStalls,  // everything, and then the leader's disk stands still
  kLeaderFull,    // everything, and then the leader's disk is full
};

struct Setting {
  std::uint64_t seed = 0;
  std::uint32_t replicas = 3;  // that found the group: 1 to this
  std::uint32_t spares = 0;    // that may join it, with the ids behind; 0: the group never changes
  replica::Options options;    // of every replica; `self` and the election seed are each one's own
  std::uint32_t clients = 4;
  Micros think_max = 0;
  std::uint64_t burst_percent = 0;  // of operations that come as many at once
  Micros turn_max = 0;              // of a replica's event loop
  Weather weather{};                // on a usual day
  std::vector<Fault> faults{};      // those that happen
  Micros fault_gap_max = 0;
  Millis wall_offset_max{};
  std::uint64_t snapshot_log_bytes = 1;  // of records between two snapshots
  std::size_t snapshot_chunk_records = 1;
  std::size_t snapshot_part_bytes = 1;
  Healing healing = Healing::kWhole;

  [[nodiscard]] std::uint32_t hosts() const { return replicas + spares; }
  // Until the faults end, replicas are run by this version of the program and by the first one,
  // which knows no changes of the group.
  [[nodiscard]] bool mixes_versions() const;
  // The fault budget of rot and of lost disks. One replica at a time has lost records; it gives no
  // promise before a leader has made it whole, or ever again when it has lost them all; and there
  // is no leader without the promises of a quorum. So a quorum
  // of every group that may ever govern must be of others: n / 2 + 1 <= n - 1, which begins at
  // three. A group of two, or of one, with such a replica in it stands still for ever, and rightly:
  // nobody else knows what it has accepted.
  [[nodiscard]] std::size_t members_at_least() const;
};

Setting setting_of(std::uint64_t seed);

}  // namespace assent::simulation
