// What a client sets out to do: a transfer over several databases, or a look at them.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/statement.h"
#include "coordinator/commit/office.h"
#include "tests/simulation/dice.h"

namespace assent::simulation::system {

struct PlannedBranch {
  std::string participant;
  std::vector<Statement> statements;
  bool reads = true;  // as the client's hints say
};

struct Plan {
  std::vector<PlannedBranch> branches;
  bool one_shot = false;
  bool aborts = false;     // the client changes its mind
  bool dies = false;       // and is never heard of again, somewhere on the way
  bool miscounts = false;  // a statement expects more rows than it gets: it must not commit
  commit::Acknowledge acknowledge = commit::Acknowledge::kApplied;
  Millis timeout{};
};

inline constexpr std::int64_t kAccounts = 20;  // from 1, in each database
inline constexpr std::int64_t kBalance = 200;  // of each, at first; none falls below 0

// `calm`: nobody dies or changes its mind.
Plan make_plan(Dice& dice, const std::vector<std::string>& participants, bool calm);

}  // namespace assent::simulation::system
