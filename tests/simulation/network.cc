#include "tests/simulation/network.h"

#include <memory>
#include <utility>

namespace assent::simulation {
namespace {

constexpr Micros kVeryLate = 8 * kSecond;

}  // namespace

Network::Network(Scheduler& scheduler, Dice dice, Deliver deliver, Lose lose)
    : scheduler_(scheduler), dice_(dice), deliver_(std::move(deliver)), lose_(std::move(lose)) {}

void Network::send(const Sender& from, const paxos::Envelope& envelope) {
  ++counts_.sent;
  if (!connected(from.replica.value, envelope.to.value)) {
    ++counts_.cut;
    return;
  }
  if (dice_.permille(weather_.lost)) {
    ++counts_.lost;
    return;
  }
  fly(from, envelope, dice_.permille(weather_.late) ? kVeryLate : 0);
  if (std::holds_alternative<paxos::RecoveryAnswer>(envelope.message)) echo(from, envelope);
  if (!dice_.permille(weather_.doubled)) return;
  ++counts_.doubled;
  fly(from, envelope, dice_.permille(weather_.late) ? kVeryLate : 0);
}

// What answers a recovering replica is to reach its next life as well: there it may do harm.
void Network::echo(const Sender& from, const paxos::Envelope& envelope) {
  if (!dice_.percent(50)) return;
  ++counts_.doubled;
  fly(from, envelope, 2 * kSecond);
}

void Network::carry(ReplicaId from, ReplicaId to, std::function<void()> arrive) {
  if (!connected(from.value, to.value) || dice_.permille(weather_.lost)) return;
  const std::uint64_t connection = link(from.value, to.value).connection;
  scheduler_.after(dice_.skewed(weather_.delay_min, weather_.delay_max),
                   [this, from, to, connection, arrive = std::move(arrive)] {
                     if (link(from.value, to.value).connection == connection) arrive();
                   });
}

// A partition takes what is on its way too; a message that is late by seconds comes over another
// path, whatever happened to the connection.
void Network::fly(const Sender& from, const paxos::Envelope& envelope, Micros late_max) {
  Micros delay = dice_.skewed(weather_.delay_min, weather_.delay_max);
  const bool late = late_max > 0;
  if (late) {
    ++counts_.late;
    delay += dice_.between(200 * kMillisecond, late_max);
  }
  const std::uint64_t connection = link(from.replica.value, envelope.to.value).connection;
  const auto message = std::make_shared<const paxos::Message>(envelope.message);
  scheduler_.after(delay, [this, from, to = envelope.to, message, connection, late] {
    if (!late && link(from.replica.value, to.value).connection != connection) {
      ++counts_.lost;
      return;
    }
    deliver_(from, to, *message);
  });
}

void Network::cut(std::uint32_t from, std::uint32_t to) {
  ++link(from, to).cuts;
  if (dice_.percent(50)) ++link(from, to).connection;
  if (dice_.percent(70)) notice(from, to);
  if (dice_.percent(70)) notice(to, from);
}

void Network::mend(std::uint32_t from, std::uint32_t to) {
  if (link(from, to).cuts > 0) --link(from, to).cuts;
}

void Network::reset(std::uint32_t a, std::uint32_t b) {
  ++link(a, b).connection;
  ++link(b, a).connection;
  notice(a, b);
  notice(b, a);
}

void Network::ended(std::uint32_t replica, std::uint32_t replicas) {
  for (std::uint32_t peer = 1; peer <= replicas; ++peer) {
    if (peer == replica) continue;
    // What it sent may still arrive; what is sent to it may reach its next life.
    if (dice_.percent(50)) ++link(peer, replica).connection;
    if (dice_.percent(90)) notice(peer, replica);
  }
}

void Network::notice(std::uint32_t at, std::uint32_t peer) {
  scheduler_.after(dice_.skewed(100, 50 * kMillisecond),
                   [this, at, peer] { lose_(ReplicaId(at), ReplicaId(peer)); });
}

}  // namespace assent::simulation
