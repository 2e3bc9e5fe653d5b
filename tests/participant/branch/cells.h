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
  BranchId branch = {transaction(1), "orders", Epoch(3), Attempt(1)};  // Table::id
};

inline void PrintTo(const StateCase& state, std::ostream* out) {
  *out << state.name;
}

std::vector<StateCase> open_cases();
std::vector<StateCase> ending_cases();
std::vector<StateCase> voting_cases();
std::vector<StateCase> voted_cases();
std::vector<StateCase> one_shot_cases();

}  // namespace assent::branch
