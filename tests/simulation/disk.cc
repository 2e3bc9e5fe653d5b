#include "tests/simulation/disk.h"

#include <algorithm>
#include <utility>

#include "base/check.h"

namespace assent::simulation {

Disk::Disk(Scheduler& scheduler, Dice dice, std::function<void(const paxos::Record&)> on_durable,
           std::function<void(std::uint64_t)> on_flushed)
    : scheduler_(scheduler),
      dice_(dice),
      on_durable_(std::move(on_durable)),
      on_flushed_(std::move(on_flushed)) {}

void Disk::append(paxos::Record record) {
  if (const auto* accepted = std::get_if<paxos::Accepted>(&record)) {
    values_[accepted->slot] = {accepted->ballot, accepted->value};
  }
  written_.push_back(std::move(record));
  if (flushing_ == 0) flush();
}

paxos::AcceptedValue Disk::read(Slot slot) const {
  const auto found = values_.find(slot);
  CHECK(found != values_.end(), "what is chosen here has a record");
  return found->second;
}

// Everything written so far shares the flush; what comes meanwhile waits for the next.
void Disk::flush() {
  flushing_ = written_.size();
  ++flushes_;
  end_flush_at(scheduler_.now() + flush_time());
}

void Disk::end_flush_at(Micros when) {
  scheduler_.at(when, [this, number = flushes_] {
    if (flushing_ != 0 && number == flushes_) end_flush();
  });
}

void Disk::end_flush() {
  if (scheduler_.now() < stalled_until_) return end_flush_at(stalled_until_);
  make_durable(flushing_);
  durable_of_life_ += flushing_;
  flushing_ = 0;
  if (!written_.empty()) flush();
  on_flushed_(durable_of_life_);
}

void Disk::stall_until(Micros until) {
  stalled_until_ = until;
  if (flushing_ != 0 && until <= scheduler_.now()) end_flush_at(scheduler_.now());
}

void Disk::make_durable(std::size_t count) {
  for (std::size_t i = 0; i < count; ++i) {
    on_durable_(written_.front());
    durable_.push_back(std::move(written_.front()));
    written_.pop_front();
  }
}

void Disk::crash() {
  make_durable(dice_.below(written_.size() + 1));
  written_.clear();
  values_.clear();
  for (const paxos::Record& record : durable_) {
    if (const auto* accepted = std::get_if<paxos::Accepted>(&record)) {
      values_[accepted->slot] = {accepted->ballot, accepted->value};
    }
  }
  durable_of_life_ = 0;
  flushing_ = 0;
}

Micros Disk::flush_time() {
  if (scheduler_.now() < slow_until_) return dice_.skewed(2 * kMillisecond, 200 * kMillisecond);
  return dice_.skewed(100, 5 * kMillisecond);
}

}  // namespace assent::simulation
