#include "tests/simulation/system/plan.h"

#include <algorithm>
#include <string>
#include <utility>

namespace assent::simulation::system {
namespace {

constexpr const char* kAdd = "UPDATE account SET balance = balance + $1 WHERE id = $2";
constexpr const char* kLook = "SELECT balance FROM account WHERE id = $1";

std::string account(Dice& dice) {
  return std::to_string(dice.between(1, kAccounts));
}

Statement add(Dice& dice, std::int64_t amount) {
  Statement out{kAdd, {std::to_string(amount), account(dice)}};
  if (dice.percent(30)) out.expected_rows = 1;
  return out;
}

Statement look(Dice& dice) {
  return {kLook, {account(dice)}};
}

std::vector<std::string> chosen(Dice& dice, std::vector<std::string> participants) {
  const std::size_t count = 1 + dice.below(std::min<std::size_t>(participants.size(), 3));
  for (std::size_t i = 0; i < count; ++i) {
    std::swap(participants[i], participants[i + dice.below(participants.size() - i)]);
  }
  participants.resize(count);
  return participants;
}

// Branches that write lose what the last one wins.
void add_statements(Dice& dice, Plan& plan) {
  const bool looks = dice.percent(10);
  std::vector<PlannedBranch*> writers;
  for (PlannedBranch& branch : plan.branches) {
    if (!looks && dice.percent(85)) writers.push_back(&branch);
  }
  std::int64_t left = 0;
  for (std::size_t i = 0; i < writers.size(); ++i) {
    const std::int64_t amount = i + 1 < writers.size() ? dice.between(-50, 50) : -left;
    left += amount;
    if (dice.percent(20)) writers[i]->statements.push_back(look(dice));
    writers[i]->statements.push_back(add(dice, amount));
    writers[i]->reads = false;
  }
  for (PlannedBranch& branch : plan.branches) {
    if (branch.statements.empty()) branch.statements.push_back(look(dice));
  }
}

// What a statement adds is as good a die as any.
void miscount_some(Plan& plan) {
  for (PlannedBranch& branch : plan.branches) {
    for (Statement& statement : branch.statements) {
      if (!statement.expected_rows || std::stoll(*statement.parameters.front()) % 12 != 5) continue;
      statement.expected_rows = 2;
      plan.miscounts = true;
    }
  }
}

}  // namespace

Plan make_plan(Dice& dice, const std::vector<std::string>& participants, bool calm) {
  Plan plan;
  for (std::string& participant : chosen(dice, participants)) {
    plan.branches.push_back({std::move(participant), {}});
  }
  add_statements(dice, plan);
  plan.one_shot = dice.percent(50);
  if (!calm) {
    plan.aborts = !plan.one_shot && dice.percent(8);
    plan.dies = dice.percent(5);
    if (plan.one_shot) miscount_some(plan);
  }
  if (dice.percent(30)) plan.acknowledge = commit::Acknowledge::kDecided;
  plan.timeout = Millis(dice.percent(20) ? dice.between(50, 1'000) : 10'000);
  return plan;
}

}  // namespace assent::simulation::system
