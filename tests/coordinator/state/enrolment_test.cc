#include <gtest/gtest.h>

#include "coordinator/state/state_machine.h"

namespace assent::state {
namespace {

class EnrolmentTest : public ::testing::Test {
 protected:
  CommandResult run(Command command) {
    const Slot slot = state_.executed().next();
    CommandResult result =
        state_.execute(slot, Entry{LogTime(10'000), {std::move(command)}}).front();
    state_.check_invariants();
    return result;
  }
  // The epoch issued; 0 when refused.
  std::uint64_t enrol(const Enrolled& life) {
    const CommandResult result = run(life);
    const auto* issued = std::get_if<EpochIssued>(&result);
    return issued == nullptr ? 0 : issued->epoch.value;
  }
  // Expects a refusal that changes nothing, and says why.
  ErrorCode refusal(const Enrolled& life) {
    const auto before = state_.participants();
    const CommandResult result = run(life);
    EXPECT_EQ(state_.participants(), before);
    const auto* refused = std::get_if<EnrolmentRefused>(&result);
    if (refused == nullptr) {
      ADD_FAILURE() << "it was enrolled";
      return ErrorCode::kInternal;
    }
    EXPECT_FALSE(refused->error.message.empty());
    return refused->error.code;
  }
  static Enrolled life(std::string nonce, std::uint64_t stored_epoch = 0) {
    return {"orders", std::move(nonce), Epoch(stored_epoch), {77, 16384}, 3, 100, "a:1", "b:2"};
  }

  StateMachine state_{StateOptions{}};
};

TEST_F(EnrolmentTest, EachLifeGetsTheNextEpoch) {
  EXPECT_EQ(enrol(life("a")), 1u);
  EXPECT_EQ(enrol(life("b", 1)), 2u);
  EXPECT_EQ(enrol(life("c", 2)), 3u);
}

TEST_F(EnrolmentTest, TheRecordIsOfThePresentLife) {
  enrol(life("a"));
  Enrolled next = life("b", 1);
  next.timeline = 4;
  next.wal_position = 200;
  next.client_address = "c:3";
  next.peer_address = "d:4";
  next.one_phase = true;
  enrol(next);
  const ParticipantRecord expected{
      {77, 16384},     Epoch(2), Epoch(1), "b", 4,  200, "c:3",    "d:4", true,
      Tracking::kNone, 0,        Epoch(0), {},  {}, {},  Epoch(0), {},    Epoch(0)};
  EXPECT_EQ(*state_.participant("orders"), expected);
}

TEST_F(EnrolmentTest, TheSameNonceGetsTheSameEpoch) {
  EXPECT_EQ(enrol(life("a")), 1u);
  EXPECT_EQ(enrol(life("a")), 1u);
  EXPECT_EQ(enrol(life("b", 1)), 2u);
  EXPECT_EQ(enrol(life("b", 2)), 2u);
}

TEST_F(EnrolmentTest, ALifeThatAsksAgainKeepsItsOnePhase) {
  enrol(life("a"));
  Enrolled again = life("a");
  again.one_phase = true;
  enrol(again);
  EXPECT_FALSE(state_.participant("orders")->one_phase);
}

TEST_F(EnrolmentTest, R16ANameIsBoundToItsDatabaseForEver) {
  enrol(life("a"));
  Enrolled other_server = life("b", 1);
  other_server.identity.system_identifier = 78;
  EXPECT_EQ(refusal(other_server), ErrorCode::kIdentityMismatch);
  Enrolled other_database = life("b", 1);
  other_database.identity.database_oid = 16385;
  EXPECT_EQ(refusal(other_database), ErrorCode::kIdentityMismatch);
}

TEST_F(EnrolmentTest, R16TheNonceDoesNotUnbindAName) {
  enrol(life("a"));
  Enrolled other = life("a");
  other.identity.database_oid = 16385;
  EXPECT_EQ(refusal(other), ErrorCode::kIdentityMismatch);
}

TEST_F(EnrolmentTest, R16ADatabaseHasOneName) {
  enrol(life("a"));
  Enrolled alias = life("b");
  alias.participant = "stock";
  EXPECT_EQ(refusal(alias), ErrorCode::kIdentityMismatch);
}

TEST_F(EnrolmentTest, DatabasesOfOneServerAreDifferentParticipants) {
  enrol(life("a"));
  Enrolled other = life("b");
  other.participant = "stock";
  other.identity.database_oid = 16385;
  EXPECT_EQ(enrol(other), 1u);
}

TEST_F(EnrolmentTest, R16ALowerWalPositionIsRefused) {
  enrol(life("a"));
  Enrolled back = life("b", 1);
  back.wal_position = 99;
  EXPECT_EQ(refusal(back), ErrorCode::kIdentityMismatch);
  back.wal_position = 100;
  EXPECT_EQ(enrol(back), 2u);
}

TEST_F(EnrolmentTest, R16ALowerTimelineIsRefused) {
  enrol(life("a"));
  Enrolled back = life("b", 1);
  back.timeline = 2;
  back.wal_position = 1'000;
  EXPECT_EQ(refusal(back), ErrorCode::kIdentityMismatch);
}

// The new timeline left the old one before the position that is known.
TEST_F(EnrolmentTest, R16ALowerWalPositionOnAHigherTimelineIsRefused) {
  enrol(life("a"));
  Enrolled failed_over = life("b", 1);
  failed_over.timeline = 4;
  failed_over.wal_position = 99;
  EXPECT_EQ(refusal(failed_over), ErrorCode::kIdentityMismatch);
  failed_over.wal_position = 100;
  EXPECT_EQ(enrol(failed_over), 2u);
}

TEST_F(EnrolmentTest, LivesThatDiedBeforeStoringTheirEpochAreNoObstacle) {
  enrol(life("a"));
  enrol(life("b", 1));
  enrol(life("c", 1));
  EXPECT_EQ(enrol(life("d", 1)), 4u);
}

TEST_F(EnrolmentTest, AStoredEpochBelowAReportedOneMeansThatTheDatabaseWentBack) {
  enrol(life("a"));
  enrol(life("b", 1));
  EXPECT_EQ(refusal(life("c", 0)), ErrorCode::kIdentityMismatch);
}

// No life has reported epoch 1, but a branch of it was committed.
TEST_F(EnrolmentTest, AStoredEpochBelowACommittedBranchsMeansThatTheDatabaseWentBack) {
  enrol(life("a"));
  run(Committed{make_transaction_id(LogTime(10'000), 1, 1, 1),
                1,
                {{"orders", Epoch(1), Attempt(1), Evidence{1, 2, 3, 4}}}});
  EXPECT_EQ(refusal(life("b", 0)), ErrorCode::kIdentityMismatch);
  EXPECT_EQ(enrol(life("b", 1)), 2u);
}

TEST_F(EnrolmentTest, AnAbortedBranchProvesNoEpoch) {
  enrol(life("a"));
  run(Aborted{make_transaction_id(LogTime(10'000), 1, 1, 1),
              1,
              Error{},
              {{"orders", Epoch(1), Attempt(1), Evidence{}}}});
  EXPECT_EQ(enrol(life("b", 0)), 2u);
}

TEST_F(EnrolmentTest, AStoredEpochThatWasNeverIssuedIsAnotherClusters) {
  EXPECT_EQ(refusal(life("a", 1)), ErrorCode::kWrongCluster);
  enrol(life("a"));
  EXPECT_EQ(refusal(life("b", 2)), ErrorCode::kWrongCluster);
}

TEST_F(EnrolmentTest, MalformedLivesAreRefused) {
  Enrolled bad = life("a");
  bad.participant = "Orders";
  EXPECT_EQ(refusal(bad), ErrorCode::kInvalidArgument);
  EXPECT_EQ(refusal(life("")), ErrorCode::kInvalidArgument);
  EXPECT_EQ(refusal(life(std::string(65, 'n'))), ErrorCode::kInvalidArgument);
  EXPECT_EQ(enrol(life(std::string(64, 'n'))), 1u);
}

}  // namespace
}  // namespace assent::state
