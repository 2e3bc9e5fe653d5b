// What is let in, and what makes room.
#include "coordinator/server/admission.h"

#include <gtest/gtest.h>

#include <memory>

namespace assent::coordinator {
namespace {

class AdmissionOfOne : public testing::Test {
 protected:
  static TransactionId transaction(std::uint64_t number) {
    return make_transaction_id(LogTime(1'000), number, number, 7);
  }
  static BranchId branch(std::uint64_t number, std::string participant = "orders") {
    return {transaction(number), std::move(participant), Epoch(1), Attempt(1)};
  }
  static commit::CommitAsked asked(std::string participant = "orders") {
    commit::CommitAsked asked;
    asked.branches.push_back(
        {std::move(participant), Epoch(0), Attempt(0), 0, std::make_shared<OneShotBranch>()});
    asked.first_in = 5;
    return asked;
  }
  void send(std::uint64_t number, std::string participant = "orders") {
    admission_.sent({.branch = branch(number, std::move(participant)),
                     .one_shot = std::make_shared<OneShotBranch>()});
  }
  bool is_full() const { return admission_.objection(asked()).has_value(); }

  Admission admission_{1};
};

TEST_F(AdmissionOfOne, RefusesTheSecondByName) {
  EXPECT_FALSE(is_full());
  send(1);

  const auto refused = admission_.objection(asked());
  ASSERT_TRUE(refused);
  EXPECT_EQ(refused->code, ErrorCode::kOverloaded);
  EXPECT_TRUE(retryable(*refused));
  EXPECT_EQ(refused->participant, "orders");
  EXPECT_FALSE(admission_.objection(asked("stock"))) << "there is room elsewhere";
}

TEST_F(AdmissionOfOne, LetsRepeatsAndOpenedBranchesIn) {
  send(1);
  commit::CommitAsked repeat = asked();
  repeat.first_in = 0;
  commit::CommitAsked opened = asked();
  opened.branches.front().one_shot = nullptr;

  EXPECT_FALSE(admission_.objection(repeat));
  EXPECT_FALSE(admission_.objection(opened));
}

TEST_F(AdmissionOfOne, CountsABranchOnceHoweverOftenItIsSent) {
  send(1);
  send(1);
  admission_.arrived(commit::FinishArrived{.branch = branch(1)});
  EXPECT_FALSE(is_full());
}

TEST_F(AdmissionOfOne, AYesKeepsItsPlaceUntilTheFinishIsConfirmed) {
  send(1);
  admission_.arrived(commit::VoteArrived{branch(1), commit::VoteYes{}});
  EXPECT_TRUE(is_full());
  admission_.arrived(commit::FinishLost{branch(1)});
  EXPECT_TRUE(is_full());
  admission_.arrived(commit::FinishArrived{.branch = branch(1)});
  EXPECT_FALSE(is_full());
}

TEST_F(AdmissionOfOne, AnyOtherVoteAndASettledBranchMakeRoom) {
  for (const commit::Vote& vote :
       {commit::Vote(commit::VoteNo{}), commit::Vote(commit::VoteReadOnly{}),
        commit::Vote(commit::VoteCommitted{})}) {
    send(1);
    admission_.arrived(commit::VoteArrived{branch(1), vote});
    EXPECT_FALSE(is_full());
  }
  send(2);
  admission_.arrived(commit::SettleArrived{.participant = "orders", .transaction = transaction(2)});
  EXPECT_FALSE(is_full());
}

TEST_F(AdmissionOfOne, OneThatEndedUnheardLeavesWhenLookedFor) {
  send(1);
  const auto still_driven = [](const TransactionId&) { return true; };
  const auto gone = [](const TransactionId&) { return false; };

  admission_.look_again(MonoTime(1'000), still_driven);
  EXPECT_TRUE(is_full());
  admission_.look_again(MonoTime(1'099), gone);
  EXPECT_TRUE(is_full()) << "not so soon again";
  admission_.look_again(MonoTime(1'100), gone);
  EXPECT_FALSE(is_full());
}

}  // namespace
}  // namespace assent::coordinator
