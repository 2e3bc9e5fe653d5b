#include "coordinator/paxos/learner.h"

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

AcceptedValue Learner::read(Slot slot) const {
  CHECK(Slot(0) < slot && slot <= chosen_through_, "only what is chosen can be read");
  const std::uint64_t back = chosen_through_.value - slot.value;
  if (back < recent_.size()) return recent_[recent_.size() - 1 - back];
  return log_.read(slot);
}

}  // namespace assent::paxos
