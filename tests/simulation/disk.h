// A replica's disk: what was written becomes durable later and in order, and a crash loses a tail
// of what had not.
#pragma once

#include <cstddef>
#include <deque>
#include <functional>
#include <unordered_map>
#include <vector>

#include "coordinator/paxos/record.h"
#include "tests/simulation/dice.h"
#include "tests/simulation/scheduler.h"

namespace assent::simulation {

class Disk final : public paxos::ChosenLog {
 public:
  // `on_durable` is called for each record that becomes durable, a crash's survivors included;
  // `on_flushed` when a flush has ended, with the number of records of this life that are durable.
  // `scheduler` outlives the disk.
  Disk(Scheduler& scheduler, Dice dice, std::function<void(const paxos::Record&)> on_durable,
       std::function<void(std::uint64_t)> on_flushed);

  void append(paxos::Record record);
  [[nodiscard]] paxos::AcceptedValue read(Slot slot) const override;

  // A random tail of what was not durable is lost; what is left is the next life's past.
  void crash();
  // Every record that is durable, of all lives, in order. Precondition: nothing is being written.
  [[nodiscard]] const std::vector<paxos::Record>& records() const { return durable_; }

  // Until then every flush is slow.
  void slow_until(Micros until) { slow_until_ = until; }
  // No flush ends before then. A time that is past ends a stall.
  void stall_until(Micros until);

 private:
  void flush();
  void end_flush_at(Micros when);
  void end_flush();
  void make_durable(std::size_t count);
  [[nodiscard]] Micros flush_time();

  Scheduler& scheduler_;
  Dice dice_;
  const std::function<void(const paxos::Record&)> on_durable_;
  const std::function<void(std::uint64_t)> on_flushed_;
  std::vector<paxos::Record> durable_;
  std::deque<paxos::Record> written_;  // not durable yet
  // The last value written in each slot, durable or not.
  std::unordered_map<Slot, paxos::AcceptedValue> values_;
  std::uint64_t durable_of_life_ = 0;
  std::uint64_t flushes_ = 0;
  std::size_t flushing_ = 0;  // records of the flush that is at work; 0: none is
  Micros slow_until_ = 0;
  Micros stalled_until_ = 0;
};

}  // namespace assent::simulation
