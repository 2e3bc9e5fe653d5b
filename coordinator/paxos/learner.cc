#include "coordinator/paxos/learner.h"

#include <algorithm>
#include <utility>

#include "base/check.h"

namespace assent::paxos {

void Learner::learn(AcceptedValue chosen) {
  chosen_through_ = chosen_through_.next();
  recent_bytes_ += chosen.value->size();
  recent_.push_back(std::move(chosen));
  while (recent_bytes_ > bytes_max_ && recent_.size() > 1) {
    recent_bytes_ -= recent_.front().value->size();
    recent_.pop_front();
  }
}

void Learner::skip_to(Slot through) {
  CHECK_LT(chosen_through_, through, "slots are never unlearned");
  chosen_through_ = skipped_through_ = through;
  recent_.clear();
  recent_bytes_ = 0;
}

Slot Learner::first() const {
  const Slot in_memory(chosen_through_.value - recent_.size() + 1);
  return std::min(std::max(log_.first(), skipped_through_.next()), in_memory);
}

AcceptedValue Learner::read(Slot slot) const {
  CHECK(first() <= slot && slot <= chosen_through_, "only what is chosen and kept can be read");
  const std::uint64_t back = chosen_through_.value - slot.value;
  if (back < recent_.size()) return recent_[recent_.size() - 1 - back];
  return log_.read(slot);
}

}  // namespace assent::paxos
