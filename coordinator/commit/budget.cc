#include "coordinator/commit/budget.h"

#include <algorithm>
#include <array>
#include <utility>

namespace assent::commit {
namespace {

// One thing that is bounded, and how much of it was seen.
struct Measure {
  LimitPair limit;
  std::uint64_t seen = 0;
};

using Measures = std::array<Measure, 3>;

Measures measures(const BudgetLimits& limits, const InDoubt& seen) {
  return {Measure{limits.age_ms, static_cast<std::uint64_t>(seen.oldest_age.value)},
          Measure{limits.number, seen.number}, Measure{limits.horizon, seen.horizon}};
}

bool reached(std::uint64_t seen, std::uint64_t limit) {
  return limit != 0 && limit <= seen;
}

std::string of_limit(std::uint64_t seen, const LimitPair& limit, const char* unit) {
  const bool refuses = reached(seen, limit.refuse);
  return std::to_string(seen) + unit + (refuses ? ", the limit is " : ", the alarm is at ") +
         std::to_string(refuses ? limit.refuse : limit.alarm) + unit;
}

}  // namespace

void InDoubt::add(const BranchId& branch, const PreparedAge& age) {
  if (kInDoubtCounts < age.age) ++number;
  if (!oldest || oldest_age < age.age) {
    oldest = branch;
    oldest_age = std::max(age.age, Millis(0));
  }
  if (!holder || horizon < age.xid_age) {
    holder = branch;
    horizon = age.xid_age;
  }
}

BudgetLevel Budget::level(BudgetLevel before, const InDoubt& seen) const {
  const Measures all = measures(limits_, seen);
  const auto any = [&](auto above) { return std::ranges::any_of(all, above); };
  if (any([](const Measure& one) { return reached(one.seen, one.limit.refuse); })) {
    return BudgetLevel::kRefusing;
  }
  if (any([](const Measure& one) { return reached(one.seen, one.limit.alarm); })) {
    return before == BudgetLevel::kRefusing ? BudgetLevel::kRefusing : BudgetLevel::kAlarm;
  }
  // Without a first limit, what is below the second one is below everything.
  const bool half = any(
      [](const Measure& one) { return one.limit.alarm != 0 && one.limit.alarm <= 2 * one.seen; });
  return half && before != BudgetLevel::kWithin ? BudgetLevel::kAlarm : BudgetLevel::kWithin;
}

std::optional<Budget::Change> Budget::observe(const std::string& participant, const InDoubt& seen) {
  Standing& standing = standings_[participant];
  const BudgetLevel before = standing.level;
  standing = {level(before, seen), seen};
  if (standing.level == before) return std::nullopt;
  return Change{participant, before, standing.level, seen.oldest, describe(participant, standing)};
}

const Budget::Standing* Budget::standing(const std::string& participant) const {
  const auto found = standings_.find(participant);
  return found == standings_.end() ? nullptr : &found->second;
}

std::string Budget::describe(const std::string& participant) const {
  const Standing* const known = standing(participant);
  return known == nullptr ? std::string() : describe(participant, *known);
}

std::string Budget::describe(const std::string& participant, const Standing& standing) const {
  if (standing.level == BudgetLevel::kWithin) return {};
  const InDoubt& seen = standing.seen;
  std::string out = "participant '" + participant + "' is over its in-doubt budget: ";
  out += std::to_string(seen.number) + (seen.number == 1 ? " branch is" : " branches are");
  out += " prepared for more than a second";
  if (reached(seen.number, limits_.number.alarm) || reached(seen.number, limits_.number.refuse)) {
    out += " (" + of_limit(seen.number, limits_.number, "") + ")";
  }
  if (seen.oldest) {
    out += "; the oldest is " + to_string(*seen.oldest) + ", for " +
           of_limit(static_cast<std::uint64_t>(seen.oldest_age.value), limits_.age_ms, " ms");
  }
  if (seen.holder && (reached(seen.horizon, limits_.horizon.alarm) ||
                      reached(seen.horizon, limits_.horizon.refuse))) {
    out += "; branch " + to_string(*seen.holder) + " holds vacuum back by " +
           of_limit(seen.horizon, limits_.horizon, " transactions");
  }
  if (standing.level == BudgetLevel::kRefusing) {
    out += "; new branches are refused until all is below the alarms";
  }
  if (seen.oldest) {
    out += "; assentctl explain " + to_string(seen.oldest->transaction) + " says what to do";
  }
  return out;
}

std::optional<Error> Budget::refusal(const std::string& participant) const {
  const Standing* const known = standing(participant);
  if (known == nullptr || known->level != BudgetLevel::kRefusing) return std::nullopt;
  return Error{ErrorCode::kOverloaded, describe(participant, *known), participant};
}

}  // namespace assent::commit
