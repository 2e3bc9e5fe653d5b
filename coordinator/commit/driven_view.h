// What the leader's office is doing about a transaction, as operators are shown it. PURE.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/ids.h"
#include "base/time.h"

namespace assent::commit {

// The driver's state; driver.h has the diagram.
enum class DrivenStage : std::uint8_t {
  kPreparing = 1,
  kOnePhase,
  kSettling,
  kProposing,
  kFinishing,
};

enum class BranchStage : std::uint8_t {
  kHeld = 1,  // the writer: it is asked when the others have voted (R11)
  kAsked,     // to prepare; it has not voted
  kVoted,     // YES
  kLeft,      // it had only read
  kStray,     // not named by the request: it rolls back once T is decided (R5)
  kEnding,    // it is told the outcome, and has not confirmed
  kEnded,
};

struct BranchView {
  BranchId branch;
  BranchStage stage = BranchStage::kAsked;
  std::string last_loss;           // why its last prepare had no answer
  std::optional<Millis> next_try;  // until its message is sent again; none: it is in flight
  FinishResult result = FinishResult::kDone;  // of one that has ended
};

struct DrivenView {
  DrivenStage stage = DrivenStage::kPreparing;
  std::optional<Outcome> outcome;     // proposed, or decided
  std::string reason;                 // of an abort
  std::optional<Millis> deadline_in;  // until it is given up; negative: it has passed
  std::vector<BranchView> branches;
  std::string writer;  // participant where T may have committed in one phase; empty: nowhere
  std::size_t callers = 0;
  bool expired = false;   // below the floor without a record (R14)
  bool resolved = false;  // by an operator
};

}  // namespace assent::commit
