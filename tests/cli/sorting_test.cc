// Whose a prepared transaction is, against the log.
#include "cli/explain/sorting.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace assent::explain {
namespace {

using testing::HasSubstr;

constexpr LogTime kNow{1'800'000'000'000};

class Sorting : public testing::Test {
 protected:
  Sorting() {
    participant_.name = "db1";
    participant_.epoch = Epoch(4);
    log_.leads = true;
    log_.now = kNow;
    log_.floor = kNow - Millis(600'000);
    become(kNow - Millis(5'000), 4);
  }

  void become(LogTime made_at, std::uint64_t epoch) {
    one_.parsed =
        Gid{"demo", {make_transaction_id(made_at, 1, 2, 3), "db1", Epoch(epoch), Attempt(1)}};
    one_.gid = make_gid("demo", one_.parsed->branch);
    one_.owner = "assent_work";
    one_.xid = 700;
    one_.age = Millis(4'000);
    one_.belonging = Belonging::kOurs;
  }
  Record decided(Outcome outcome, std::uint64_t xid) const {
    Record out;
    out.outcome = outcome;
    out.branches = {{"db1", one_.parsed->branch.epoch, Attempt(1), Evidence{xid, 1, 1, 4'096}}};
    return out;
  }
  [[nodiscard]] Sorted sorted() const { return sort(one_, known_, &log_, &participant_); }

  Prepared one_;
  Known known_;
  Viewpoint log_;
  Participant participant_;
};

TEST_F(Sorting, DecidedOnesAreOursAndEndAsDecided) {
  known_.record = decided(Outcome::kCommitted, 700);
  EXPECT_EQ(sorted().sort, Sort::kOurs);
  EXPECT_THAT(sorted().comes, HasSubstr("being committed"));
  known_.record->branches.clear();
  EXPECT_THAT(sorted().comes, HasSubstr("being rolled back")) << "it is not listed (R5)";
}

TEST_F(Sorting, DrivenOnesAreOurs) {
  known_.driven = commit::DrivenView{};
  known_.driven->deadline_in = Millis(3'000);
  EXPECT_EQ(sorted().sort, Sort::kOurs);
  EXPECT_THAT(sorted().comes, HasSubstr("in 3.0 s at the latest"));
}

TEST_F(Sorting, OneThatNobodyKnowsIsAnOrphan) {
  EXPECT_EQ(sorted().sort, Sort::kOrphan);
  become(kNow - Millis(3'600'000), 4);
  EXPECT_EQ(sorted().sort, Sort::kOrphan);
}

TEST_F(Sorting, OneThatNobodyCanDecideIsTheOperators) {
  become(kNow - Millis(5'000), 3);
  participant_.quarantined_below = Epoch(4);
  EXPECT_EQ(sorted().sort, Sort::kOperators);
  participant_.quarantined_below = Epoch(0);
  participant_.broken_below = Epoch(4);
  EXPECT_EQ(sorted().sort, Sort::kOrphan) << "above the floor recovery aborts it";
  become(kNow - Millis(3'600'000), 3);
  EXPECT_EQ(sorted().sort, Sort::kOperators);
  known_.heuristic.emplace().resolution = state::Resolution{};
  EXPECT_EQ(sorted().sort, Sort::kOurs);
}

TEST_F(Sorting, StrangersHaveOurNameAndAnotherOwnerXidOrLife) {
  one_.belonging = Belonging::kStranger;
  EXPECT_EQ(sorted().sort, Sort::kStranger);
  become(kNow - Millis(5'000), 4);
  known_.record = decided(Outcome::kCommitted, 701);
  EXPECT_EQ(sorted().sort, Sort::kStranger);
  known_.record.reset();
  become(kNow - Millis(5'000), 5);
  EXPECT_EQ(sorted().sort, Sort::kStranger);
}

TEST_F(Sorting, ForeignOnesAreNoneOfOurs) {
  one_ = Prepared{};
  one_.gid = "jta-17";
  one_.owner = "shop";
  one_.age = Millis(10);
  EXPECT_EQ(sorted().sort, Sort::kForeign);
  one_.age = Millis(3'600'000);
  EXPECT_THAT(sorted().comes, HasSubstr("ask shop to end it"));
}

TEST_F(Sorting, WithoutALeaderNothingIsSaidOfWhatHasNoRecord) {
  log_.leads = false;
  EXPECT_EQ(sorted().sort, Sort::kNotKnown);
  known_.record = decided(Outcome::kCommitted, 700);
  EXPECT_EQ(sorted().sort, Sort::kOurs) << "what is decided is decided";
}

}  // namespace
}  // namespace assent::explain
