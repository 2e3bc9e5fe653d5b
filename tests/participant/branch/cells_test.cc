// The state × event table of a branch, cell by cell. "impossible": the shell contradicts what it
// was asked for, and the process ends.
#include "tests/participant/branch/cells.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <functional>
#include <map>
#include <sstream>
#include <string>
#include <vector>

namespace assent::branch {
namespace {

// What happens, given how many statements the branch has seen. Its caller's token is 9.
struct Event {
  std::string name;
  std::function<std::string(Table&, std::uint32_t)> happen;
};

const std::vector<Event> kEvents = {
    {"open again", [](Table& t, std::uint32_t) { return t.open(9); }},
    {"open with another nonce", [](Table& t, std::uint32_t) { return t.open(9, "other"); }},
    {"next statement", [](Table& t, std::uint32_t n) { return t.execute(9, n + 1); }},
    {"duplicate statement", [](Table& t, std::uint32_t) { return t.execute(9, 1); }},
    {"statement after a gap", [](Table& t, std::uint32_t n) { return t.execute(9, n + 2); }},
    {"prepare", [](Table& t, std::uint32_t n) { return t.prepare(9, n); }},
    {"prepare with another count", [](Table& t, std::uint32_t n) { return t.prepare(9, n + 1); }},
    {"prepare in one phase", [](Table& t, std::uint32_t n) { return t.prepare_one_phase(9, n); }},
    {"one-shot", [](Table& t, std::uint32_t) { return t.one_shot(9); }},
    {"settle", [](Table& t, std::uint32_t) { return t.settle(9); }},
    {"cancel", [](Table& t, std::uint32_t) { return t.cancel_by_name(9); }},
    {"cancel by another nonce", [](Table& t, std::uint32_t) { return t.cancel(9, "other"); }},
    {"commit", [](Table& t, std::uint32_t) { return t.commit(9); }},
    {"roll back", [](Table& t, std::uint32_t) { return t.roll_back(9); }},
    {"connection granted", [](Table& t, std::uint32_t) { return t.granted(); }},
    {"connection refused", [](Table& t, std::uint32_t) { return t.refused(); }},
    {"statement done", [](Table& t, std::uint32_t n) { return t.done(n, "DONE"); }},
    {"statement miscounts",
     [](Table& t, std::uint32_t n) {
       return t.step(StatementDone{t.id, n, counted("DONE", 7), true});
     }},
    {"statement failed", [](Table& t, std::uint32_t n) { return t.failed(n, "22012"); }},
    {"transaction gone",
     [](Table& t, std::uint32_t n) {
       return t.step(StatementDone{t.id, n, tagged("COMMIT"), false});
     }},
    {"prepared", [](Table& t, std::uint32_t) { return t.prepared(); }},
    {"left read-only", [](Table& t, std::uint32_t) { return t.left(); }},
    {"committed in one phase", [](Table& t, std::uint32_t) { return t.committed_one_phase(); }},
    {"not prepared", [](Table& t, std::uint32_t) { return t.not_prepared(sql_error("40001")); }},
    {"prepare not sent",
     [](Table& t, std::uint32_t) {
       t.table().observe(ballot(2));
       return t.not_prepared(coded(ErrorCode::kStaleBallot));
     }},
    {"rolled back", [](Table& t, std::uint32_t) { return t.rolled_back(); }},
    {"finished", [](Table& t, std::uint32_t) { return t.finished(FinishResult::kDone); }},
    {"not finished",
     [](Table& t, std::uint32_t) { return t.not_finished(coded(ErrorCode::kUnavailable)); }},
    {"finish not sent",
     [](Table& t, std::uint32_t) {
       t.table().observe(ballot(2));
       return t.not_finished(coded(ErrorCode::kStaleBallot));
     }},
    {"settled", [](Table& t, std::uint32_t) { return t.settled(false); }},
    {"not settled",
     [](Table& t, std::uint32_t) { return t.not_settled(coded(ErrorCode::kUnavailable)); }},
    {"settle not sent",
     [](Table& t, std::uint32_t) {
       t.table().observe(ballot(2));
       return t.not_settled(coded(ErrorCode::kStaleBallot));
     }},
    {"connection lost", [](Table& t, std::uint32_t) { return t.lost(); }},
    {"idle deadline",
     [](Table& t, std::uint32_t) {
       t.pass(Millis(60'000));
       return t.tick();
     }},
    {"end of its lifetime",
     [](Table& t, std::uint32_t) {
       t.pass(Millis(3'600'000));
       return t.tick();
     }},
};

std::map<std::string, std::string> parse(const std::string& cells) {
  std::map<std::string, std::string> parsed;
  std::istringstream lines(cells);
  for (std::string line; std::getline(lines, line);) {
    if (const auto colon = line.find(": "); colon != std::string::npos) {
      EXPECT_TRUE(parsed.emplace(line.substr(0, colon), line.substr(colon + 2)).second) << line;
    }
  }
  return parsed;
}

class CellsDeathTest : public ::testing::TestWithParam<StateCase> {};

TEST_P(CellsDeathTest, EveryEventHasItsCell) {
  const StateCase& state = GetParam();
  const auto cells = parse(state.cells);
  ASSERT_EQ(cells.size(), kEvents.size());
  for (const Event& event : kEvents) {
    SCOPED_TRACE(state.name + " × " + event.name);
    ASSERT_TRUE(cells.contains(event.name));
    Table table(state.branch);
    state.reach(table);
    if (cells.at(event.name) == "impossible") {
      EXPECT_DEATH(event.happen(table, state.statements), "CHECK failed");
      continue;
    }
    const std::string effects = event.happen(table, state.statements);
    EXPECT_EQ(effects + " -> " + table.state(), cells.at(event.name));
  }
}

std::vector<StateCase> all_cases() {
  std::vector<StateCase> all;
  for (const auto& cases :
       {open_cases(), ending_cases(), voting_cases(), voted_cases(), one_shot_cases()}) {
    all.insert(all.end(), cases.begin(), cases.end());
  }
  return all;
}

INSTANTIATE_TEST_SUITE_P(Branch, CellsDeathTest, ::testing::ValuesIn(all_cases()),
                         [](const auto& tested) {
                           std::string name = tested.param.name;
                           std::erase_if(name, [](char c) { return c == ','; });
                           std::ranges::replace_if(
                               name, [](char c) { return c == ' ' || c == '-'; }, '_');
                           return name;
                         });

}  // namespace
}  // namespace assent::branch
