// How much may be in doubt at a participant: branches that are prepared and have not ended hold
// their rows' locks, and hold back what vacuum may remove. Above a first limit somebody is told;
// above a second one new branches are refused there, until it is well again. PURE.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "base/error.h"
#include "base/ids.h"
#include "base/time.h"

namespace assent::commit {

// For how long a branch has been prepared, as its database tells it.
struct PreparedAge {
  Millis age;
  std::uint64_t xid_age = 0;  // transactions that have begun since its own

  bool operator==(const PreparedAge&) const = default;
};

// From `alarm` on somebody is told, from `refuse` on new branches are refused. 0: never.
struct LimitPair {
  std::uint64_t alarm = 0;
  std::uint64_t refuse = 0;
};

struct BudgetLimits {
  LimitPair age_ms{10'000, 1'800'000};         // of the branch that is prepared for longest
  LimitPair number{50, 500};                   // of branches that are prepared for over a second
  LimitPair horizon{10'000'000, 100'000'000};  // of the branch whose transaction is oldest, in xids
};

// Ordinary commits are prepared for some milliseconds: they do not count.
inline constexpr Millis kInDoubtCounts{1'000};

// What one inventory of a participant shows.
struct InDoubt {
  std::uint64_t number = 0;  // prepared for longer than kInDoubtCounts
  Millis oldest_age{0};
  std::optional<BranchId> oldest;  // none: nothing is prepared
  std::uint64_t horizon = 0;
  std::optional<BranchId> holder;  // of the vacuum horizon; none: nothing is prepared

  void add(const BranchId& branch, const PreparedAge& age);
};

enum class BudgetLevel : std::uint8_t { kWithin = 1, kAlarm, kRefusing };

class Budget {
 public:
  struct Standing {
    BudgetLevel level = BudgetLevel::kWithin;
    InDoubt seen;
  };
  // A participant's level has changed.
  struct Change {
    std::string participant;
    BudgetLevel from = BudgetLevel::kWithin;
    BudgetLevel to = BudgetLevel::kWithin;
    std::optional<BranchId> branch;  // that is to be seen to first
    std::string text;                // participant, branch, how much of which limit, and what to do
  };

  explicit Budget(BudgetLimits limits) : limits_(limits) {}

  // An inventory has come. A level is reached at once, and left only when all that was seen is well
  // below it again (hysteresis): refusing ends when everything is below its first limit, an alarm
  // when everything is below half of that.
  std::optional<Change> observe(const std::string& participant, const InDoubt& seen);
  void forget(const std::string& participant) { standings_.erase(participant); }

  // Null: no inventory of it was seen yet.
  [[nodiscard]] const Standing* standing(const std::string& participant) const;
  // What is above which limit, and what to do; empty: all is within.
  [[nodiscard]] std::string describe(const std::string& participant) const;
  // Why it takes no new branch now (kOverloaded); none: it takes some.
  [[nodiscard]] std::optional<Error> refusal(const std::string& participant) const;

 private:
  [[nodiscard]] BudgetLevel level(BudgetLevel before, const InDoubt& seen) const;
  [[nodiscard]] std::string describe(const std::string& participant,
                                     const Standing& standing) const;

  BudgetLimits limits_;
  std::map<std::string, Standing> standings_;
};

}  // namespace assent::commit
