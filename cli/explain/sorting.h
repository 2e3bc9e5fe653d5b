// Whose a prepared transaction is, against the log, and what becomes of it. PURE.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "cli/explain/facts.h"

namespace assent::explain {

enum class Sort : std::uint8_t {
  kOurs = 1,   // of a transaction that is decided, or that the leader works on: it ends by itself
  kOrphan,     // ours, and nobody works on it: recovery aborts it, unless it is left to an operator
  kOperators,  // ours, and nobody knows its outcome: an operator decides
  kStranger,   // under our name, and somebody else's: left alone (R8)
  kForeign,    // under another name: none of Assent's business
  kNotKnown,   // ours, and no leader has told what the log knows
};
// "ours", "orphan", "operator's", "stranger", "foreign", "not known"
std::string_view name(Sort sort);

// What the log knows of the transaction that a gid names.
struct Known {
  std::optional<Record> record;
  std::optional<commit::DrivenView> driven;
  std::optional<state::Heuristic> heuristic;
};

struct Sorted {
  Sort sort = Sort::kForeign;
  std::string
      comes;  // what becomes of it, and who has to do what; a sentence without its full stop
};

// `log`: null when no leader has told. `participant`: null when the log knows none of that name.
Sorted sort(const Prepared& one, const Known& known, const Viewpoint* log,
            const Participant* participant);

// `listed` is in the log's record of its transaction with another xid (R8).
bool is_strangers(const Prepared& one, const Record& record);

}  // namespace assent::explain
