// The network between the replicas: it loses, repeats, delays and reorders messages, and parts.
#pragma once

#include <array>
#include <cstdint>
#include <functional>

#include "base/ids.h"
#include "coordinator/paxos/message.h"
#include "tests/simulation/dice.h"
#include "tests/simulation/scheduler.h"

namespace assent::simulation {

inline constexpr std::uint32_t kReplicasMax = 9;

// How the network treats a message, in thousandths of them and in time.
struct Weather {
  std::uint64_t lost = 0;
  std::uint64_t doubled = 0;
  std::uint64_t late = 0;  // by seconds: of an old term when it arrives
  Micros delay_min = 50;
  Micros delay_max = 2 * kMillisecond;
};

// Every message says whose it is, and from which of its disks.
struct Sender {
  ReplicaId replica;
  DiskIncarnation disk;
};

struct NetworkCounts {
  std::uint64_t sent = 0;
  std::uint64_t lost = 0;
  std::uint64_t cut = 0;  // lost to a partition
  std::uint64_t doubled = 0;
  std::uint64_t late = 0;

  NetworkCounts& operator+=(const NetworkCounts& more) {
    sent += more.sent;
    lost += more.lost;
    cut += more.cut;
    doubled += more.doubled;
    late += more.late;
    return *this;
  }
};

class Network {
 public:
  using Deliver = std::function<void(const Sender& from, ReplicaId to, const paxos::Message&)>;
  using Lose = std::function<void(ReplicaId at, ReplicaId peer)>;

  // `lose`: a replica notices that its connection to a peer broke. `scheduler` outlives this.
  Network(Scheduler& scheduler, Dice dice, Deliver deliver, Lose lose);

  void send(const Sender& from, const paxos::Envelope& envelope);
  // What goes over a connection of its own, as questions and their answers do: it arrives once or,
  // when that breaks, not at all.
  void carry(ReplicaId from, ReplicaId to, std::function<void()> arrive);

  void set_weather(const Weather& weather) { weather_ = weather; }
  // Cuts and mends one direction; cuts add up. A cut breaks the connection, mostly.
  void cut(std::uint32_t from, std::uint32_t to);
  void mend(std::uint32_t from, std::uint32_t to);
  // The connection breaks and is made anew: what was on its way is lost.
  void reset(std::uint32_t a, std::uint32_t b);
  // This replica's process ended: its peers see their connections break, mostly.
  void ended(std::uint32_t replica, std::uint32_t replicas);

  [[nodiscard]] bool connected(std::uint32_t from, std::uint32_t to) const {
    return link(from, to).cuts == 0;
  }
  [[nodiscard]] const NetworkCounts& counts() const { return counts_; }

 private:
  struct Link {
    std::uint32_t cuts = 0;
    std::uint64_t connection = 0;
  };

  [[nodiscard]] const Link& link(std::uint32_t from, std::uint32_t to) const {
    return links_[from * (kReplicasMax + 1) + to];
  }
  Link& link(std::uint32_t from, std::uint32_t to) {
    return links_[from * (kReplicasMax + 1) + to];
  }
  // `late_max` is 0 for a message that is not late.
  void fly(const Sender& from, const paxos::Envelope& envelope, Micros late_max);
  void echo(const Sender& from, const paxos::Envelope& envelope);
  void notice(std::uint32_t at, std::uint32_t peer);

  Scheduler& scheduler_;
  Dice dice_;
  const Deliver deliver_;
  const Lose lose_;
  Weather weather_;
  NetworkCounts counts_;
  std::array<Link, (kReplicasMax + 1) * (kReplicasMax + 1)> links_;
};

}  // namespace assent::simulation
