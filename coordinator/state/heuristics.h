// What is known of branches that ended otherwise than their transactions were decided: somebody
// else committed or rolled them back, or they are lost (DESIGN.md, evidence). Part of the
// replicated state, and kept until an operator has seen it, whatever becomes of the transaction's
// record.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/ids.h"
#include "base/time.h"
#include "coordinator/state/command.h"

namespace assent::state {

struct HeuristicBranch {
  DecidedBranch branch;
  FinishResult result = FinishResult::kHazard;  // kDone: a hazard that has ended well since

  bool operator==(const HeuristicBranch&) const = default;
};

// As X/Open XA names them.
enum class HeuristicKind : std::uint8_t {
  kCommit,    // T was to abort, and every branch that it lists was committed
  kRollback,  // T was to commit, and every branch that it lists was rolled back
  kMixed,     // some of its branches ended as decided, some otherwise
  kHazard,    // how a branch ended is not known
  kSettled,   // every hazard has ended as decided since
};
std::string_view name(HeuristicKind kind);

// What an operator has decided about a transaction without a record.
struct Resolution {
  Outcome outcome = Outcome::kAborted;
  std::string operator_name;
  std::string reason;
  LogTime at;
  // So many branches were known, and are to end so; what is found later was not decided about.
  std::uint64_t branches = 0;

  bool operator==(const Resolution&) const = default;
};

struct Heuristic {
  Outcome outcome = Outcome::kAborted;  // T's
  std::uint64_t listed = 0;             // branches that T's record lists; 0: it has none
  Slot found_in;                        // when the first was found
  LogTime found_at;
  std::vector<HeuristicBranch> branches;   // in the order in which they were found
  std::optional<Resolution> resolution{};  // only of a transaction without a record

  [[nodiscard]] HeuristicKind kind() const;
  // kDone: nothing was found of this branch, or it has ended well.
  [[nodiscard]] FinishResult result_of(const DecidedBranch& branch) const;
  // How an operator has decided that this branch ends; none: nobody has.
  [[nodiscard]] std::optional<Outcome> resolved(const DecidedBranch& branch) const;

  bool operator==(const Heuristic&) const = default;
};

class Heuristics {
 public:
  // Of transactions; what is found of one more is only counted (`untold`), and said on every
  // replica's log by who found it.
  static constexpr std::size_t kMax = 10'000;

  // The first word on a branch stands; only a hazard may end well later.
  void found(Slot slot, LogTime time, const HeuristicFound& command);
  // An operator decides about T: each hazard among its branches is to end so. The outcome that T
  // has then: this one, or an earlier one, of its record or of an operator. None: nothing is kept
  // of T.
  std::optional<Outcome> resolve(LogTime time, const HeuristicResolved& command);
  // False: nothing is kept of T.
  bool forget(const TransactionId& transaction) { return kept_.erase(transaction) == 1; }

  // So many of the untold ones were seen to.
  void forget_untold(std::uint64_t count) { untold_ -= std::min(count, untold_); }

  // Null: nothing is kept of T. The pointer holds until the next change.
  [[nodiscard]] const Heuristic* find(const TransactionId& transaction) const;
  [[nodiscard]] const std::map<TransactionId, Heuristic>& kept() const { return kept_; }
  [[nodiscard]] std::uint64_t untold() const { return untold_; }

  void check_invariants() const;

  bool operator==(const Heuristics&) const = default;

 private:
  friend struct HeuristicsEncoding;

  std::map<TransactionId, Heuristic> kept_;
  std::uint64_t untold_ = 0;
};

}  // namespace assent::state
