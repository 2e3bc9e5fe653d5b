// The state × event table of a branch, as text.
#pragma once

#include <cstdint>
#include <functional>
#include <ostream>
#include <string>
#include <vector>

#include "tests/participant/branch/table_fixture.h"

namespace assent::branch {

// One state of the branch `Table::id`, and a cell for every event: "event: effects -> state", one a
// line. "impossible": the shell contradicts what it was asked for, and the process ends.
struct StateCase {
  std::string name;
  std::uint32_t statements;  // seen so far
  std::function<void(Table&)> reach;
  std::string cells;  // "event: effects -> state", one a line
};

inline void PrintTo(const StateCase& state, std::ostream* out) {
  *out << state.name;
}

const std::vector<StateCase>& state_cases();

}  // namespace assent::branch
