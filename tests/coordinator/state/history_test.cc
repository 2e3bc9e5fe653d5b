// What the log proves of a participant's database, what breaks its history, and what must not be
// committed afterwards.
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "coordinator/state/state_machine.h"

namespace assent::state {
namespace {

constexpr LogTime kNow(10'000);

class HistoryTest : public ::testing::Test {
 protected:
  CommandResult run(Command command) {
    const Slot slot = state_.executed().next();
    CommandResult result = state_.execute(slot, Entry{kNow, {std::move(command)}}).front();
    state_.check_invariants();
    return result;
  }
  // On timeline 3, at WAL position 100.
  static Enrolled life(std::string nonce, std::uint64_t stored_epoch,
                       Tracking tracks = Tracking::kEveryBreak) {
    Enrolled out{"orders", std::move(nonce), Epoch(stored_epoch), {77, 16384}, 3, 100, "a:1",
                 "b:2"};
    out.tracks_history = tracks;
    if (tracks >= Tracking::kLandmarks) out.landmark = 0;
    return out;
  }
  // The epoch issued; 0 when refused.
  std::uint64_t enrol(const Enrolled& life) {
    const CommandResult result = run(life);
    const auto* issued = std::get_if<EpochIssued>(&result);
    return issued == nullptr ? 0 : issued->epoch.value;
  }
  CommandResult commit(std::uint64_t epoch, std::uint64_t wal_position) {
    return run(Committed{make_transaction_id(kNow, ++number_, 1, 1),
                         1,
                         {{"orders", Epoch(epoch), Attempt(1), Evidence{1, 77, 3, wal_position}}}});
  }
  bool commits(std::uint64_t epoch, std::uint64_t wal_position) {
    return std::holds_alternative<TookEffect>(commit(epoch, wal_position));
  }
  void note(std::uint64_t epoch, std::uint64_t wal_position) {
    run(LandmarkNoted{"orders", {Epoch(epoch), wal_position}});
  }
  [[nodiscard]] const ParticipantRecord& record() const { return *state_.participant("orders"); }
  [[nodiscard]] Epoch broken_below() const { return record().broken_below; }

  StateMachine state_{StateOptions{}};
  std::uint64_t number_ = 0;
};

// Epoch 1 has claimed the database, has a landmark at 400, and a branch of it committed that voted
// at 500.
class Enrolling : public HistoryTest {
 protected:
  void SetUp() override {
    enrol(life("a", 0));
    note(1, 400);
    commit(1, 500);
  }
  static Enrolled next(std::uint64_t stored_epoch, std::uint32_t timeline,
                       std::uint64_t wal_position, std::optional<std::uint64_t> landmark,
                       bool takeover = false) {
    Enrolled out = life("b", stored_epoch);
    out.timeline = timeline;
    out.wal_position = wal_position;
    out.landmark = landmark;
    out.takeover = takeover;
    return out;
  }
};

TEST_F(Enrolling, WhatIsFoundOfTheDatabaseDecides) {
  enum Verdict { kGoesOn, kBreak, kRefused };
  struct Row {
    const char* what;
    Enrolled found;
    Verdict verdict;
  };
  const std::vector<Row> table{
      {"a restart", next(1, 3, 500, 400), kGoesOn},
      {"a restart, the landmark moved on unheard", next(1, 3, 600, 550), kGoesOn},
      {"an agent that tells no landmark", next(1, 3, 600, std::nullopt), kGoesOn},
      {"less WAL than at a vote", next(1, 3, 499, 400), kRefused},
      {"an older landmark, though the WAL has grown", next(1, 3, 900, 399), kRefused},
      {"no landmark of a life that had one", next(1, 3, 900, 0), kRefused},
      {"an older epoch", next(0, 3, 900, 0), kRefused},
      {"less WAL than at the enrolment", next(1, 3, 99, 0), kRefused},
      {"a lower timeline", next(1, 2, 900, 400), kRefused},
      {"a promotion that lost nothing", next(1, 4, 900, 400), kBreak},
      {"a promotion that lost something", next(1, 4, 300, 250), kBreak},
      {"a promotion that lost the enrolment", next(1, 4, 99, 0), kRefused},
      {"a promotion that lost the claim", next(0, 4, 900, 0), kRefused},
      {"takeover: less WAL than at a vote", next(1, 3, 499, 400, true), kBreak},
      {"takeover: an older landmark", next(1, 3, 900, 399, true), kBreak},
      {"takeover: an older epoch", next(0, 3, 900, 0, true), kBreak},
      {"takeover: less WAL than at the enrolment", next(1, 3, 99, 0, true), kBreak},
      {"takeover: a lower timeline", next(1, 2, 50, 0, true), kBreak},
      {"takeover: nothing speaks against it, but its operator knows", next(1, 3, 900, 400, true),
       kBreak},
  };
  for (const Row& row : table) {
    SCOPED_TRACE(row.what);
    StateMachine copy{StateOptions{}};
    state_.begin_snapshot();
    while (auto chunk = state_.next_chunk(100)) ASSERT_TRUE(copy.load(*chunk));
    const auto before = copy.participants();
    const CommandResult result =
        copy.execute(copy.executed().next(), Entry{kNow, {row.found}}).front();
    copy.check_invariants();
    const ParticipantRecord& after = *copy.participant("orders");
    if (row.verdict == kRefused) {
      const auto* refused = std::get_if<EnrolmentRefused>(&result);
      ASSERT_NE(refused, nullptr);
      EXPECT_EQ(refused->error.code, ErrorCode::kIdentityMismatch);
      EXPECT_NE(refused->error.message.find("--takeover"), std::string::npos);
      EXPECT_EQ(copy.participants(), before);
      continue;
    }
    ASSERT_TRUE(std::holds_alternative<EpochIssued>(result));
    EXPECT_EQ(after.epoch, Epoch(2));
    EXPECT_EQ(after.broken_below, row.verdict == kBreak ? Epoch(2) : Epoch(0));
    if (row.verdict != kBreak) continue;
    EXPECT_EQ(after.survived, (Landmark{row.found.stored_epoch, row.found.landmark.value()}));
    EXPECT_EQ(after.landmark, after.survived) << "more is not in this history";
    EXPECT_EQ(after.proven_epoch, row.found.stored_epoch);
    EXPECT_EQ(after.broken_at, kNow);
  }
}

TEST_F(Enrolling, NoOperatorBindsANameToAnotherDatabase) {
  Enrolled other = next(1, 3, 900, 400, /*takeover=*/true);
  other.identity.system_identifier = 78;
  EXPECT_EQ(enrol(other), 0u);
  Enrolled unissued = next(2, 3, 900, 400, /*takeover=*/true);
  EXPECT_EQ(enrol(unissued), 0u) << "that epoch is another log's";
}

TEST_F(HistoryTest, TheFirstLifeBreaksNothing) {
  Enrolled first = life("a", 0);
  first.takeover = true;
  enrol(first);
  EXPECT_EQ(broken_below(), Epoch(0));
}

TEST_F(Enrolling, ABreakStaysAndTheNextLifeGoesOn) {
  enrol(next(1, 4, 900, 400));
  note(2, 950);
  Enrolled again = next(2, 4, 960, 950);
  again.nonce = "c";
  EXPECT_EQ(enrol(again), 3u);
  EXPECT_EQ(broken_below(), Epoch(2));
  EXPECT_EQ(record().survived, (Landmark{Epoch(1), 400}));
}

// The life after a break died before it claimed its epoch: what the database has is what was found.
TEST_F(Enrolling, ALifeThatClaimedNothingIsNoObstacle) {
  enrol(next(0, 3, 50, 0, /*takeover=*/true));
  Enrolled again = next(0, 3, 60, 0);
  again.nonce = "c";
  EXPECT_EQ(enrol(again), 3u);
}

// ── landmarks ───────────────────────────────────────────────────────────────────────────────────

TEST_F(HistoryTest, ALandmarkIsOfThePresentLifeAndOnlyMovesOn) {
  enrol(life("a", 0));
  note(1, 400);
  EXPECT_EQ(record().landmark, (Landmark{Epoch(1), 400}));
  EXPECT_EQ(record().proven_epoch, Epoch(1)) << "who has a landmark has claimed its epoch";
  note(1, 300);
  note(2, 900);
  EXPECT_EQ(record().landmark, (Landmark{Epoch(1), 400}));
  enrol(life("b", 1));
  EXPECT_EQ(state_.participant("stock"), nullptr);
  run(LandmarkNoted{"stock", {Epoch(1), 1}});
  EXPECT_EQ(state_.participant("stock"), nullptr);
}

// It was on its way when the standby was promoted, which does not have it.
TEST_F(Enrolling, ALandmarkThatComesAfterTheBreakIsNone) {
  enrol(next(1, 4, 900, 250));
  note(1, 450);
  EXPECT_EQ(record().landmark, (Landmark{Epoch(1), 250}));
}

// ── commits ─────────────────────────────────────────────────────────────────────────────────────

TEST_F(Enrolling, ABranchCommitsAcrossABreakOnlyIfItSurvivedIt) {
  enrol(next(1, 4, 900, 400));
  const CommandResult lost = commit(1, 401);
  ASSERT_TRUE(std::holds_alternative<BranchLost>(lost));
  EXPECT_EQ(std::get<BranchLost>(lost).participant, "orders");
  EXPECT_TRUE(commits(1, 400));
  EXPECT_TRUE(commits(2, 950));
}

TEST_F(Enrolling, ABranchCommitsAcrossARestart) {
  enrol(next(1, 3, 500, 400));
  EXPECT_TRUE(commits(1, 499)) << "nothing was lost";
}

// ── what of earlier lives is proven ─────────────────────────────────────────────────────────────

// Lives of one history, and what their successors have found.
class Lives : public HistoryTest {
 protected:
  // Returns the epoch issued.
  std::uint64_t enrol_next(std::uint64_t stored_epoch, std::uint32_t timeline,
                           std::uint64_t landmark, bool takeover = false,
                           Tracking tracks = Tracking::kEveryBreak) {
    Enrolled next = life("life " + std::to_string(++lives_), stored_epoch, tracks);
    next.timeline = timeline;
    next.wal_position = 10'000;
    if (tracks >= Tracking::kLandmarks) next.landmark = landmark;
    next.takeover = takeover;
    next.left_at = left_at_;
    return enrol(next);
  }
  [[nodiscard]] bool lost(std::uint64_t epoch, std::uint64_t wal_position) const {
    return record().may_have_lost(
        {"orders", Epoch(epoch), Attempt(1), Evidence{1, 77, 3, wal_position}});
  }

  std::optional<std::uint64_t> left_at_;

 private:
  int lives_ = 0;
};

// Life 2 has what life 1 did, and what survived of life 2 has it, too.
TEST_F(Lives, WhatALaterLifeProvesItProvesOfTheLivesBeforeIt) {
  enrol_next(0, 3, 0);
  enrol_next(1, 3, 450);
  enrol_next(2, 4, 600);
  EXPECT_FALSE(lost(1, 10));
  EXPECT_FALSE(lost(1, 600)) << "a PREPARE that came late, behind the next life's claim";
  EXPECT_TRUE(lost(1, 601));
  EXPECT_FALSE(lost(2, 600));
  EXPECT_TRUE(lost(2, 601));
  EXPECT_FALSE(lost(3, 601)) << "it is of the history of now";
}

TEST_F(Lives, WithoutEvidenceNothingIsProven) {
  enrol_next(0, 3, 0);
  enrol_next(1, 4, 400);
  EXPECT_TRUE(record().may_have_lost({"orders", Epoch(1), Attempt(1), Evidence{}}));
}

TEST_F(Lives, EachBreakIsJudgedByWhatSurvivedIt) {
  enrol_next(0, 3, 0);
  enrol_next(1, 4, 400);
  enrol_next(2, 4, 500);
  enrol_next(3, 5, 900);
  EXPECT_EQ(record().earlier, (std::vector<Break>{{{Epoch(1), 400}, Epoch(2)}}));
  EXPECT_FALSE(lost(1, 400));
  EXPECT_TRUE(lost(1, 401)) << "lost by the first break, however far the second history came";
  EXPECT_FALSE(lost(2, 900));
  EXPECT_FALSE(lost(3, 900));
  EXPECT_TRUE(lost(3, 901));
}

// A life whose claim is gone has left nothing.
TEST_F(Lives, ALifeThatIsLostAsAWholeIsLost) {
  enrol_next(0, 3, 0);
  enrol_next(1, 3, 400);
  enrol_next(1, 3, 300, /*takeover=*/true);
  EXPECT_FALSE(lost(1, 300));
  EXPECT_TRUE(lost(1, 301));
  EXPECT_TRUE(lost(2, 10));
  EXPECT_FALSE(lost(3, 10));
}

// A copy from before an earlier break was restored: that break is not in its past.
TEST_F(Lives, ACopyFromBeforeAnEarlierBreakTakesThatWithIt) {
  enrol_next(0, 3, 0);
  enrol_next(1, 3, 200);
  enrol_next(2, 4, 400);
  enrol_next(1, 3, 350, /*takeover=*/true);
  EXPECT_TRUE(record().earlier.empty());
  EXPECT_FALSE(lost(1, 350));
  EXPECT_TRUE(lost(2, 300));
  EXPECT_TRUE(lost(3, 300));
  EXPECT_FALSE(lost(4, 300));
}

// The isolated primary of before a promotion is taken over: it has what its standby lacked.
TEST_F(Lives, AHistoryThatComesBackProvesOnlyItsLastLife) {
  enrol_next(0, 3, 0);
  enrol_next(1, 3, 200);
  enrol_next(1, 4, 250);                     // life 2 is lost with its claim
  enrol_next(2, 3, 700, /*takeover=*/true);  // and is back
  EXPECT_FALSE(lost(2, 700));
  EXPECT_TRUE(lost(2, 701));
  EXPECT_TRUE(lost(1, 10)) << "the breaks before life 2 are not remembered";
  EXPECT_TRUE(lost(3, 10));
  EXPECT_FALSE(lost(4, 10));
}

TEST_F(Lives, OfTheOldestOfManyBreaksNothingIsKept) {
  constexpr std::uint64_t kBreaks = ParticipantRecord::kBreaksMax;
  enrol_next(0, 3, 0);
  std::uint64_t epoch = 1;
  for (std::uint64_t i = 0; i <= kBreaks; ++i) {
    note(epoch, 400);
    epoch = enrol_next(epoch, static_cast<std::uint32_t>(4 + i), 400);
  }
  EXPECT_EQ(record().earlier.size(), ParticipantRecord::kBreaksMax - 1);
  EXPECT_TRUE(lost(1, 10)) << "it is not remembered";
  for (std::uint64_t life = 2; life < epoch; ++life) {
    EXPECT_FALSE(lost(life, 400)) << life;
    EXPECT_TRUE(lost(life, 401)) << life;
  }
}

// ── where a promoted standby has left the timeline ──────────────────────────────────────────────

TEST_F(Lives, WhereTheTimelineWasLeftProvesBeyondTheLandmark) {
  enrol_next(0, 3, 0);
  note(1, 400);
  left_at_ = 480;
  enrol_next(1, 4, 400);
  EXPECT_EQ(record().survived, (Landmark{Epoch(1), 480}));
  EXPECT_EQ(record().landmark, (Landmark{Epoch(1), 400})) << "the landmark stays what it is";
  EXPECT_FALSE(lost(1, 480));
  EXPECT_TRUE(lost(1, 481));
  // The life that found it died before it had claimed its epoch: the next finds the same.
  EXPECT_EQ(enrol_next(1, 4, 400), 3u);
}

// Its primary may have been a copy that was restored on the same timeline, and had grown.
TEST_F(Lives, WhereTheTimelineWasLeftProvesNothingWhereALandmarkIsLost) {
  enrol_next(0, 3, 0);
  note(1, 400);
  left_at_ = 900;
  enrol_next(1, 4, 399);
  EXPECT_EQ(record().survived, (Landmark{Epoch(1), 399}));
  EXPECT_TRUE(lost(1, 400));
}

// The copy of before was let in, by a life that claimed nothing; then a standby of it is promoted.
TEST_F(Lives, NorWhereThatWasFoundByALifeWithoutAClaim) {
  enrol_next(0, 3, 0);
  note(1, 400);
  EXPECT_EQ(enrol_next(1, 3, 300, /*takeover=*/true), 2u);
  left_at_ = 900;
  EXPECT_EQ(enrol_next(1, 4, 300), 3u);
  EXPECT_EQ(record().survived, (Landmark{Epoch(1), 300}));
  EXPECT_FALSE(lost(1, 300));
  EXPECT_TRUE(lost(1, 301));
}

TEST_F(Lives, NorWhereAClaimIsLost) {
  enrol_next(0, 3, 0);
  note(1, 400);
  enrol_next(1, 3, 400);
  EXPECT_TRUE(commits(2, 450)) << "so life 2 has claimed the database";
  left_at_ = 900;
  enrol_next(1, 4, 400, /*takeover=*/true);
  EXPECT_EQ(record().survived, (Landmark{Epoch(1), 400}));
}

TEST_F(Enrolling, WhatIsDecidedStaysSoWhateverIsLost) {
  const TransactionId t = make_transaction_id(kNow, 99, 1, 1);
  const Committed committed{t, 1, {{"orders", Epoch(1), Attempt(1), Evidence{1, 77, 3, 500}}}};
  run(committed);
  enrol(next(1, 4, 900, 400));
  EXPECT_TRUE(std::holds_alternative<AlreadyDecided>(run(committed)));
  ASSERT_NE(state_.find(t), nullptr);
  EXPECT_EQ(state_.find(t)->outcome, Outcome::kCommitted);
}

TEST_F(Enrolling, WhatIsLostIsUndecidedAndCanBeAborted) {
  enrol(next(1, 4, 900, 400));
  const TransactionId t = make_transaction_id(kNow, 99, 1, 1);
  run(Committed{t, 1, {{"orders", Epoch(1), Attempt(1), Evidence{1, 77, 3, 500}}}});
  EXPECT_EQ(state_.find(t), nullptr);
  EXPECT_TRUE(std::holds_alternative<TookEffect>(run(Aborted{t, 1, Error{}, {}})));
}

// ── earlier versions ────────────────────────────────────────────────────────────────────────────

// A snapshot of an earlier version does not hold it, so it must not follow from its commands.
TEST_F(HistoryTest, EnrolmentsOfTheFirstVersionNoteNothing) {
  enrol(life("a", 0, Tracking::kNone));
  commit(1, 500);
  Enrolled promoted = life("b", 1, Tracking::kNone);
  promoted.timeline = 4;
  enrol(promoted);
  EXPECT_EQ(broken_below(), Epoch(0));
  EXPECT_EQ(record().proven_position, 0u);
  EXPECT_TRUE(commits(1, 600));
}

TEST_F(Lives, EnrolmentsOfTheVersionBeforeProveTheLastLifeAlone) {
  enrol_next(0, 3, 0, false, Tracking::kLandmarks);
  enrol_next(1, 3, 450, false, Tracking::kLandmarks);
  enrol_next(2, 4, 600, false, Tracking::kLandmarks);
  EXPECT_FALSE(lost(2, 600));
  EXPECT_TRUE(lost(1, 10));
  EXPECT_EQ(record().linear_from, Epoch(0));
  enrol_next(3, 5, 700);
  EXPECT_EQ(record().linear_from, Epoch(4)) << "earlier versions may have missed breaks";
  EXPECT_FALSE(lost(3, 700));
  EXPECT_TRUE(lost(2, 600)) << "that break was not remembered";
  enrol_next(4, 5, 800, false, Tracking::kLandmarks);
  EXPECT_TRUE(record().earlier.empty());
  EXPECT_EQ(record().linear_from, Epoch(0));
}

TEST_F(HistoryTest, EnrolmentsWithoutLandmarksNoteBreaksAndForbidNothing) {
  enrol(life("a", 0, Tracking::kBreaks));
  commit(1, 500);
  Enrolled older = life("b", 1, Tracking::kBreaks);
  older.wal_position = 499;
  EXPECT_EQ(enrol(older), 2u) << "an older copy on the same timeline";
  EXPECT_EQ(broken_below(), Epoch(2));
  EXPECT_EQ(record().broken_at, LogTime());
  EXPECT_TRUE(commits(1, 600));
  Enrolled promoted = life("c", 2, Tracking::kBreaks);
  promoted.timeline = 4;
  promoted.wal_position = 900;
  EXPECT_EQ(enrol(promoted), 3u);
  EXPECT_EQ(broken_below(), Epoch(3));
}

}  // namespace
}  // namespace assent::state
