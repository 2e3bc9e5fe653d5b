// What is let in, and what makes room.
#include "coordinator/server/admission.h"

#include <gtest/gtest.h>

#include <memory>

namespace assent::coordinator {
namespace {

bool nowhere(const std::string& /*participant*/) {
  return false;
}
bool everywhere(const std::string& /*participant*/) {
  return true;
}

class AdmissionTest : public testing::Test {
 protected:
  explicit AdmissionTest(std::size_t one_shots_max) : admission_(one_shots_max) {}

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
  std::optional<Error> objection(const commit::CommitAsked& request) const {
    return admission_.objection(request, nowhere);
  }
  bool is_full() const { return objection(asked()).has_value(); }

  Admission admission_;
};

class AdmissionOfOne : public AdmissionTest {
 protected:
  AdmissionOfOne() : AdmissionTest(1) {}
};

TEST_F(AdmissionOfOne, RefusesTheSecondByName) {
  EXPECT_FALSE(is_full());
  send(1);

  const auto refused = objection(asked());
  ASSERT_TRUE(refused);
  EXPECT_EQ(refused->code, ErrorCode::kOverloaded);
  EXPECT_TRUE(retryable(*refused));
  EXPECT_EQ(refused->participant, "orders");
  EXPECT_FALSE(objection(asked("stock"))) << "there is room elsewhere";
}

TEST_F(AdmissionOfOne, LetsRepeatsAndOpenedBranchesIn) {
  send(1);
  commit::CommitAsked repeat = asked();
  repeat.first_in = 0;
  commit::CommitAsked opened = asked();
  opened.branches.front().one_shot = nullptr;

  EXPECT_FALSE(objection(repeat));
  EXPECT_FALSE(objection(opened));
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

TEST_F(AdmissionOfOne, SoDoesANoOfWhatIsPreparedAllTheSame) {
  send(1);
  admission_.arrived(commit::VoteArrived{branch(1), commit::VoteNo{{}, Evidence{}}});
  EXPECT_TRUE(is_full()) << "it has a slot until it is rolled back";
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

// Of a server with ten prepared slots, at most.
class AdmissionBySlots : public AdmissionTest {
 protected:
  AdmissionBySlots() : AdmissionTest(256) { tell(10); }

  void tell(std::uint64_t slots) {
    commit::InventoryArrived told{"orders", MonoTime(1), {}};
    told.slots = slots;
    admission_.arrived(told);
  }
  void send_many(std::uint64_t count, bool one_phase = false) {
    for (std::uint64_t number = 1; number <= count; ++number) {
      admission_.sent({.branch = branch(number),
                       .one_shot = std::make_shared<OneShotBranch>(),
                       .one_phase = one_phase});
    }
  }
};

TEST_F(AdmissionBySlots, NineInTenAreForOneShots) {
  send_many(8);
  EXPECT_FALSE(is_full());
  send_many(9);

  const auto refused = admission_.objection(asked(), nowhere);
  ASSERT_TRUE(refused);
  EXPECT_EQ(refused->message,
            "9 one-shots are being prepared at orders already, whose server has 10 prepared slots; "
            "try again later");
  EXPECT_FALSE(admission_.objection(asked("stock"), nowhere));
}

TEST_F(AdmissionBySlots, TheLatestWordOfItsAgentCounts) {
  send_many(9);
  tell(1'000);
  EXPECT_FALSE(is_full());
  tell(0);  // not known
  EXPECT_FALSE(is_full());
  tell(1);
  EXPECT_TRUE(is_full());
}

TEST_F(AdmissionBySlots, WhatCommitsInOnePhaseNeedsNone) {
  send_many(9);
  EXPECT_FALSE(admission_.objection(asked(), everywhere));
  commit::CommitAsked two_writers = asked();
  two_writers.branches.push_back(asked("stock").branches.front());
  EXPECT_TRUE(admission_.objection(two_writers, everywhere)) << "both are prepared";
}

TEST_F(AdmissionBySlots, NorDoesItTakeOne) {
  send_many(20, true);
  EXPECT_FALSE(is_full());
}

TEST_F(AdmissionBySlots, OneThatHasEndedGivesItBack) {
  send_many(9);
  admission_.arrived(commit::FinishArrived{.branch = branch(3)});
  EXPECT_FALSE(is_full());
}

}  // namespace
}  // namespace assent::coordinator
