// What operators are shown of a transaction that the office works on.
#include <gtest/gtest.h>

#include "tests/coordinator/commit/stage.h"

namespace assent::commit {
namespace {

class DrivenViews : public testing::Test {
 protected:
  [[nodiscard]] DrivenView view() const { return s.office->view(s.t, s.now.mono).value(); }
  [[nodiscard]] std::vector<BranchStage> stages() const {
    std::vector<BranchStage> out;
    for (const BranchView& one : view().branches) out.push_back(one.stage);
    return out;
  }

  Stage s;
};

TEST_F(DrivenViews, NothingIsShownOfWhatIsNotDriven) {
  EXPECT_FALSE(s.office->view(s.t, s.now.mono));
  EXPECT_FALSE(s.office->next_driven(TransactionId{}));
}

TEST_F(DrivenViews, VotesAreShownAsTheyCome) {
  s.commit(1);
  EXPECT_EQ(view().stage, DrivenStage::kPreparing);
  EXPECT_EQ(stages(), (std::vector{BranchStage::kAsked, BranchStage::kAsked}));
  s.yes("a");
  s.pass(Millis(100));
  EXPECT_EQ(stages(), (std::vector{BranchStage::kVoted, BranchStage::kAsked}));
  EXPECT_EQ(view().deadline_in, kTimeout - Millis(100));
  EXPECT_EQ(view().callers, 1u);
  EXPECT_FALSE(view().outcome) << "nothing is decided";
}

TEST_F(DrivenViews, LostPrepareSaysWhyAndWhenItIsSentAgain) {
  s.commit(1);
  s.prepare_lost("b");
  const BranchView one = view().branches.at(1);
  EXPECT_FALSE(one.last_loss.empty());
  EXPECT_EQ(one.next_try, OfficeOptions{}.retry_min);
}

TEST_F(DrivenViews, DecisionIsProposedAndThenCarriedOut) {
  s.commit(1);
  s.yes("a");
  s.yes("b");
  EXPECT_EQ(view().stage, DrivenStage::kProposing);
  EXPECT_EQ(view().outcome, Outcome::kCommitted);
  s.execute();
  s.finished("a");
  EXPECT_EQ(view().stage, DrivenStage::kFinishing);
  EXPECT_EQ(stages(), (std::vector{BranchStage::kEnded, BranchStage::kEnding}));
}

TEST_F(DrivenViews, WriterOfAOnePhaseCommitIsNamedOnceItIsTold) {
  s.enrol("a", /*one_phase=*/true);  // in its second life
  RequestedBranch writer = Stage::branch("a");
  writer.epoch = Epoch(2);
  s.commit(1, {writer, Stage::reader("b")});
  EXPECT_EQ(stages(), (std::vector{BranchStage::kHeld, BranchStage::kAsked}));
  EXPECT_EQ(view().writer, "");
  s.read_only("b");
  EXPECT_EQ(view().stage, DrivenStage::kOnePhase);
  EXPECT_EQ(stages(), (std::vector{BranchStage::kAsked, BranchStage::kLeft}));
  EXPECT_EQ(view().writer, "a");
}

TEST_F(DrivenViews, DrivenTransactionsAreListedInTheOrderOfTheirIds) {
  for (const std::uint64_t number : {2, 1}) {
    s.feed(CommitAsked{Token(number), s.transaction(number), {Stage::branch("a", number)}});
  }
  EXPECT_EQ(s.office->next_driven(TransactionId{}), s.transaction(1));
  EXPECT_EQ(s.office->next_driven(s.transaction(1)), s.transaction(2));
  EXPECT_FALSE(s.office->next_driven(s.transaction(2)));
}

}  // namespace
}  // namespace assent::commit
