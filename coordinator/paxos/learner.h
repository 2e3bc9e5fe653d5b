// The learner: which slots are chosen, and their values, strictly in order.
#pragma once

#include <cstddef>
#include <deque>

#include "base/ids.h"
#include "coordinator/paxos/record.h"

namespace assent::paxos {

class Learner {
 public:
  // `log` outlives the learner. It keeps the latest `bytes_max` of chosen values in memory, for
  // peers that are a little behind; `log` has the older ones.
  Learner(const ChosenLog& log, std::size_t bytes_max) : log_(log), bytes_max_(bytes_max) {}

  // The chosen mark: every slot up to it is chosen and its value known here.
  [[nodiscard]] Slot chosen_through() const { return chosen_through_; }

  // The slot after the mark is chosen, with this value.
  void learn(AcceptedValue chosen);

  // At a start: a snapshot has all up to this slot; the log may have some of them too.
  void restore(Slot through) { chosen_through_ = through; }

  // A snapshot brought all up to this slot; what led to it was never here.
  // Precondition: it is above the mark.
  void skip_to(Slot through);

  // The lowest slot from which on all up to the mark can be read; above the mark when none can.
  [[nodiscard]] Slot first() const;

  // Precondition: slot is from first() to the mark.
  [[nodiscard]] AcceptedValue read(Slot slot) const;

 private:
  const ChosenLog& log_;
  const std::size_t bytes_max_;
  Slot chosen_through_;
  Slot skipped_through_;              // values up to here are not in the log
  std::deque<AcceptedValue> recent_;  // the last ones, ending at the mark
  std::size_t recent_bytes_ = 0;
};

}  // namespace assent::paxos
