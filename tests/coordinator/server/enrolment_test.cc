// Enrolment of agents (R16): one name, one database, one life.
#include "coordinator/server/enrolment.h"

#include <gtest/gtest.h>

#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include "tests/coordinator/server/manual_log.h"

namespace assent::coordinator {
namespace {

constexpr Millis kSilence{1'500};

class EnrolmentTest : public testing::Test {
 protected:
  static state::Enrolled life(const std::string& nonce, Epoch stored = Epoch(0)) {
    state::Enrolled out;
    out.participant = "orders";
    out.nonce = nonce;
    out.stored_epoch = stored;
    out.identity = {77, 5};
    out.timeline = 1;
    out.wal_position = 1'000;
    out.client_address = "127.0.0.1:1";
    out.peer_address = "127.0.0.1:" + nonce;
    return out;
  }

  Enrolment make(MonoTime now) {
    return Enrolment(log_, kSilence, now,
                     {.enrolled = [this](const std::string&, const std::string& address,
                                         const std::string&) { followed_.push_back(address); },
                      .recovered = [this](const std::string& name) { recovered_.push_back(name); },
                      .ask_life =
                          [this](const std::string&, const state::ParticipantRecord& life,
                                 std::function<void(Presence)> done) {
                            asked_.push_back(life.nonce);
                            if (presence_) return done(*presence_);
                            late_.push_back(std::move(done));
                          }});
  }

  // Enrols and answers what came of it; nothing while the log has not executed it.
  std::optional<Result<Epoch>> enrol(Enrolment& enrolment, MonoTime now,
                                     const state::Enrolled& request) {
    std::optional<Result<Epoch>> answer;
    enrolment.enrol(now, request, [&](Result<Epoch> done) { answer = std::move(done); });
    log_.execute_all();
    return answer;
  }

  // None while nobody knows yet.
  std::optional<Result<void>> beat(Enrolment& enrolment, MonoTime now, const std::string& name,
                                   Epoch epoch, bool leaving = false) {
    const auto kept = std::make_shared<std::optional<Result<void>>>();
    beats_.push_back(kept);
    enrolment.heartbeat(now, name, epoch, {.leaving = leaving},
                        [kept](Result<void> done) { *kept = std::move(done); });
    return *kept;
  }

  ManualLog log_;
  std::vector<std::shared_ptr<std::optional<Result<void>>>> beats_;
  std::vector<std::string> followed_;
  std::vector<std::string> recovered_;
  std::optional<Presence> presence_ = Presence::kUnknown;  // of who is asked for; none: told later
  std::vector<std::string> asked_;                         // nonces
  std::vector<std::function<void(Presence)>> late_;
};

TEST_F(EnrolmentTest, AnswersOnlyWhenTheLogHasExecutedIt) {
  Enrolment enrolment = make(MonoTime(0));
  std::optional<Result<Epoch>> answer;

  enrolment.enrol(MonoTime(0), life("1"), [&](Result<Epoch> done) { answer = std::move(done); });

  EXPECT_FALSE(answer.has_value());
  log_.execute_all();
  ASSERT_TRUE(answer.has_value());
  EXPECT_EQ(answer->value(), Epoch(1));
}

TEST_F(EnrolmentTest, TheSameLifeAskingAgainGetsTheSameEpoch) {
  Enrolment enrolment = make(MonoTime(0));
  enrol(enrolment, MonoTime(0), life("1"));

  const auto again = enrol(enrolment, MonoTime(1), life("1"));

  EXPECT_EQ(again->value(), Epoch(1));
}

TEST_F(EnrolmentTest, HeartbeatsTellWhereAdministratorsReachTheAgent) {
  Enrolment enrolment = make(MonoTime(0));
  enrol(enrolment, MonoTime(0), life("1"));
  EXPECT_FALSE(enrolment.heard("orders")) << "it has not said anything";
  enrolment.heartbeat(MonoTime(300), "orders", Epoch(1), {.admin_address = "127.0.0.1:9"},
                      [](Result<void> known) { EXPECT_TRUE(known); });
  ASSERT_TRUE(enrolment.heard("orders"));
  EXPECT_EQ(enrolment.heard("orders")->at, MonoTime(300));
  EXPECT_EQ(enrolment.heard("orders")->admin_address, "127.0.0.1:9");
  enrol(enrolment, MonoTime(5'000), life("2", Epoch(1)));
  EXPECT_FALSE(enrolment.heard("orders")) << "that was of another life";
}

TEST_F(EnrolmentTest, AnotherLifeIsRefusedWhileTheFirstOneIsAlive) {
  Enrolment enrolment = make(MonoTime(0));
  enrol(enrolment, MonoTime(0), life("1"));
  ASSERT_TRUE(*beat(enrolment, MonoTime(1'000), "orders", Epoch(1)));

  const auto second = enrol(enrolment, MonoTime(2'499), life("2", Epoch(1)));

  ASSERT_FALSE(second->has_value());
  EXPECT_EQ(second->error().code, ErrorCode::kDisplaced);
  EXPECT_NE(second->error().message.find("127.0.0.1:1"), std::string::npos);
}

TEST_F(EnrolmentTest, TwoLivesAreNotEnrolledAtOnce) {
  Enrolment enrolment = make(MonoTime(0));
  enrolment.enrol(MonoTime(0), life("1"), [](const Result<Epoch>&) {});

  const auto second = enrol(enrolment, MonoTime(0), life("2"));

  ASSERT_FALSE(second->has_value());
  EXPECT_EQ(second->error().code, ErrorCode::kDisplaced);
}

TEST_F(EnrolmentTest, AnotherLifeIsTakenInAfterSilence) {
  Enrolment enrolment = make(MonoTime(0));
  enrol(enrolment, MonoTime(0), life("1"));
  ASSERT_TRUE(*beat(enrolment, MonoTime(1'000), "orders", Epoch(1)));

  const auto second = enrol(enrolment, MonoTime(2'500), life("2", Epoch(1)));

  EXPECT_EQ(second->value(), Epoch(2));
  EXPECT_EQ(followed_.back(), "127.0.0.1:2");
}

TEST_F(EnrolmentTest, ALifeThatIsGoneIsSucceededAtOnce) {
  Enrolment enrolment = make(MonoTime(0));
  enrol(enrolment, MonoTime(0), life("1"));
  presence_ = Presence::kGone;

  const auto second = enrol(enrolment, MonoTime(1), life("2", Epoch(1)));

  EXPECT_EQ(second->value(), Epoch(2));
  EXPECT_EQ(asked_, std::vector<std::string>{"1"});
}

TEST_F(EnrolmentTest, ALifeThatAnswersIsLeftInPeace) {
  Enrolment enrolment = make(MonoTime(0));
  enrol(enrolment, MonoTime(0), life("1"));
  presence_ = Presence::kThere;

  const auto second = enrol(enrolment, MonoTime(1), life("2", Epoch(1)));

  EXPECT_EQ(second->error().code, ErrorCode::kDisplaced);
}

TEST_F(EnrolmentTest, NobodyIsAskedForAfterSilence) {
  Enrolment enrolment = make(MonoTime(0));
  enrol(enrolment, MonoTime(0), life("1"));

  EXPECT_EQ(enrol(enrolment, MonoTime(1'500), life("2", Epoch(1)))->value(), Epoch(2));
  EXPECT_TRUE(asked_.empty());
}

TEST_F(EnrolmentTest, ALifeThatEnrolledWhileItsPredecessorWasAskedForIsNotTakenForGone) {
  Enrolment enrolment = make(MonoTime(0));
  enrol(enrolment, MonoTime(0), life("1"));
  presence_.reset();
  std::optional<Result<Epoch>> third;
  enrolment.enrol(MonoTime(1), life("2", Epoch(1)), [](const Result<Epoch>&) {});
  enrolment.enrol(MonoTime(1), life("3", Epoch(1)),
                  [&](Result<Epoch> done) { third = std::move(done); });

  late_.at(0)(Presence::kGone);
  log_.execute_all();
  late_.at(1)(Presence::kGone);
  log_.execute_all();

  EXPECT_EQ(log_.state().participant("orders")->nonce, "2");
  EXPECT_EQ(third->error().code, ErrorCode::kDisplaced);
}

TEST_F(EnrolmentTest, ALifeThatAsksTwiceWhileItsPredecessorIsAskedForGetsOneEpoch) {
  Enrolment enrolment = make(MonoTime(0));
  enrol(enrolment, MonoTime(0), life("1"));
  presence_.reset();
  std::vector<Epoch> epochs;
  for (int time = 0; time < 2; ++time) {
    enrolment.enrol(MonoTime(1), life("2", Epoch(1)),
                    [&](const Result<Epoch>& done) { epochs.push_back(done.value()); });
  }

  for (const auto& answer : late_) {
    answer(Presence::kGone);
    log_.execute_all();
  }

  EXPECT_EQ(epochs, (std::vector<Epoch>{Epoch(2), Epoch(2)}));
}

TEST_F(EnrolmentTest, WhoWaitsForAnAnswerAboutALifeAsksAgainWhenTheOfficeIsLost) {
  std::optional<Enrolment> enrolment(make(MonoTime(0)));
  enrol(*enrolment, MonoTime(0), life("1"));
  presence_.reset();
  std::optional<Result<Epoch>> second;
  enrolment->enrol(MonoTime(1), life("2", Epoch(1)),
                   [&](Result<Epoch> done) { second = std::move(done); });

  enrolment->lose_office();
  late_.at(0)(Presence::kGone);
  enrolment.reset();
  late_.at(0)(Presence::kGone);
  log_.execute_all();

  EXPECT_EQ(second->error().code, ErrorCode::kNotLeader);
  EXPECT_EQ(log_.state().participant("orders")->nonce, "1");
}

TEST_F(EnrolmentTest, AHeartbeatTellsThatALifeHasRecovered) {
  Enrolment enrolment = make(MonoTime(0));
  enrol(enrolment, MonoTime(0), life("1"));
  enrolment.heartbeat(MonoTime(1), "orders", Epoch(1), {}, [](const Result<void>&) {});
  EXPECT_TRUE(recovered_.empty());

  enrolment.heartbeat(MonoTime(2), "orders", Epoch(1), {.recovered = true},
                      [](const Result<void>&) {});

  EXPECT_EQ(recovered_, std::vector<std::string>{"orders"});
}

TEST_F(EnrolmentTest, ALifeThatWasDisplacedRecoversNothing) {
  Enrolment enrolment = make(MonoTime(0));
  enrol(enrolment, MonoTime(0), life("1"));
  enrol(enrolment, MonoTime(5'000), life("2", Epoch(1)));

  enrolment.heartbeat(MonoTime(5'001), "orders", Epoch(1), {.recovered = true},
                      [](const Result<void>&) {});

  EXPECT_TRUE(recovered_.empty());
}

TEST_F(EnrolmentTest, AnotherLifeIsTakenInAtOnceAfterALeave) {
  Enrolment enrolment = make(MonoTime(0));
  enrol(enrolment, MonoTime(0), life("1"));
  ASSERT_TRUE(*beat(enrolment, MonoTime(10), "orders", Epoch(1), true));

  const auto second = enrol(enrolment, MonoTime(11), life("2", Epoch(1)));

  EXPECT_EQ(second->value(), Epoch(2));
}

TEST_F(EnrolmentTest, TheDisplacedLifeHearsItAtItsNextHeartbeat) {
  Enrolment enrolment = make(MonoTime(0));
  enrol(enrolment, MonoTime(0), life("1"));
  enrol(enrolment, MonoTime(5'000), life("2", Epoch(1)));

  const auto late = beat(enrolment, MonoTime(5'001), "orders", Epoch(1));

  ASSERT_TRUE(late.has_value()) << "an epoch that is too low here is too low everywhere";
  EXPECT_EQ(late->error().code, ErrorCode::kDisplaced);
}

TEST_F(EnrolmentTest, ANewOfficeTakesEveryEnrolledAgentForAliveAtFirst) {
  {
    Enrolment first = make(MonoTime(0));
    enrol(first, MonoTime(0), life("1"));
  }
  Enrolment second = make(MonoTime(10'000));

  const auto early = enrol(second, MonoTime(11'000), life("2", Epoch(1)));
  const auto late = enrol(second, MonoTime(11'500), life("2", Epoch(1)));

  EXPECT_EQ(early->error().code, ErrorCode::kDisplaced);
  EXPECT_EQ(late->value(), Epoch(2));
}

TEST_F(EnrolmentTest, ARefusalOfTheStateMachineReachesTheAgent) {
  Enrolment enrolment = make(MonoTime(0));
  enrol(enrolment, MonoTime(0), life("1"));
  state::Enrolled other_database = life("2", Epoch(1));
  other_database.identity.system_identifier = 78;

  const auto answer = enrol(enrolment, MonoTime(5'000), other_database);

  ASSERT_FALSE(answer->has_value());
  EXPECT_EQ(answer->error().code, ErrorCode::kIdentityMismatch);
  EXPECT_EQ(followed_.size(), 1u);
}

TEST_F(EnrolmentTest, AHeartbeatOfAnUnknownParticipantIsRefusedOnceTheLogSaysSo) {
  Enrolment enrolment = make(MonoTime(0));

  EXPECT_FALSE(beat(enrolment, MonoTime(0), "nobody", Epoch(1)).has_value());
  log_.answer_reads(true);

  EXPECT_EQ((*beats_.back())->error().code, ErrorCode::kUnknownParticipant);
}

TEST_F(EnrolmentTest, ALeaderThatWasSucceededDisplacesNobodyForAnEpochThatItDoesNotKnow) {
  Enrolment enrolment = make(MonoTime(0));
  enrol(enrolment, MonoTime(0), life("1"));

  EXPECT_FALSE(beat(enrolment, MonoTime(1), "orders", Epoch(2)).has_value());
  log_.answer_reads(false);

  EXPECT_EQ((*beats_.back())->error().code, ErrorCode::kUnavailable);
}

TEST_F(EnrolmentTest, AnEpochThatIsExecutedDuringTheReadIsAlive) {
  Enrolment enrolment = make(MonoTime(0));
  enrol(enrolment, MonoTime(0), life("1"));

  EXPECT_FALSE(beat(enrolment, MonoTime(1), "orders", Epoch(2)).has_value());
  log_.execute(life("2", Epoch(1)));
  log_.answer_reads(true);

  EXPECT_TRUE((*beats_.back())->has_value());
}

TEST_F(EnrolmentTest, WhoWaitsWhenTheOfficeIsLostAsksAgain) {
  Enrolment enrolment = make(MonoTime(0));
  std::optional<Result<Epoch>> answer;
  enrolment.enrol(MonoTime(0), life("1"), [&](Result<Epoch> done) { answer = std::move(done); });
  EXPECT_FALSE(beat(enrolment, MonoTime(1), "nobody", Epoch(2)).has_value());

  enrolment.lose_office();

  EXPECT_EQ(answer->error().code, ErrorCode::kNotLeader);
  EXPECT_EQ((*beats_.back())->error().code, ErrorCode::kNotLeader);
}

// The log answers every read, those of an office that was lost too: after the next may have begun.
TEST_F(EnrolmentTest, AReadOfAnEarlierOfficeIsNoneOfTheNextOnes) {
  const Enrolment::Callbacks nobody{
      .enrolled = [](const std::string&, const std::string&, const std::string&) {}};
  std::optional<Enrolment> enrolment;
  enrolment.emplace(log_, kSilence, MonoTime(0), nobody);
  EXPECT_FALSE(beat(*enrolment, MonoTime(1), "orders", Epoch(1)).has_value());
  enrolment->lose_office();
  enrolment.emplace(log_, kSilence, MonoTime(2), nobody);
  EXPECT_FALSE(beat(*enrolment, MonoTime(3), "orders", Epoch(1)).has_value());

  log_.answer_reads(false);

  EXPECT_EQ((*beats_[0])->error().code, ErrorCode::kNotLeader) << "answered when it was lost";
  ASSERT_TRUE(beats_[1]->has_value()) << "its waiter was taken by the read of the earlier office";
  EXPECT_EQ((*beats_[1])->error().code, ErrorCode::kUnavailable);
}

TEST_F(EnrolmentTest, AFullLogRefusesAndForgetsTheRequest) {
  Enrolment enrolment = make(MonoTime(0));
  log_.full = true;
  EXPECT_EQ(enrol(enrolment, MonoTime(0), life("1"))->error().code, ErrorCode::kOverloaded);

  log_.full = false;

  EXPECT_EQ(enrol(enrolment, MonoTime(1), life("2"))->value(), Epoch(1));
}

// ── landmarks ───────────────────────────────────────────────────────────────────────────────────

class Landmarks : public EnrolmentTest {
 protected:
  void enrol_at(state::Tracking tracks) {
    state::Enrolled request = life("1");
    request.tracks_history = tracks;
    enrol(enrolment_, MonoTime(0), request);
  }
  void beat_with(std::uint64_t landmark, Epoch epoch = Epoch(1)) {
    enrolment_.heartbeat(MonoTime(1), "orders", epoch, {.landmark = landmark}, [](Result<void>) {});
  }
  [[nodiscard]] std::uint64_t noted() const {
    return log_.state().participant("orders")->landmark.wal_position;
  }

  Enrolment enrolment_ = make(MonoTime(0));
};

TEST_F(Landmarks, OfHeartbeatsAreInTheLog) {
  enrol_at(state::Tracking::kLandmarks);
  beat_with(1'100);
  log_.execute_all();
  EXPECT_EQ(noted(), 1'100u);
  beat_with(1'200);
  log_.execute_all();
  EXPECT_EQ(noted(), 1'200u);
}

TEST_F(Landmarks, ThatTheLogHasOrWillHaveAreNotProposedAgain) {
  enrol_at(state::Tracking::kLandmarks);
  beat_with(1'100);
  beat_with(1'200);
  EXPECT_EQ(log_.waiting(), 1u) << "one at a time";
  log_.execute_all();
  beat_with(1'100);
  beat_with(0);
  EXPECT_EQ(log_.waiting(), 0u);
}

TEST_F(Landmarks, WaitWhileTheLogIsCongested) {
  enrol_at(state::Tracking::kLandmarks);
  log_.full = true;
  beat_with(1'100);
  EXPECT_EQ(log_.waiting(), 0u);
  log_.full = false;
  beat_with(1'100);
  EXPECT_EQ(log_.waiting(), 1u);
}

TEST_F(Landmarks, OfALifeThatAnEarlierVersionEnrolledAreNotKept) {
  enrol_at(state::Tracking::kBreaks);
  beat_with(1'100);
  EXPECT_EQ(log_.waiting(), 0u);
}

}  // namespace
}  // namespace assent::coordinator
