// The agent's side of enrolment, against coordinators made for the test on real sockets.
#include "participant/server/registration.h"

#include <gtest/gtest.h>

#include <boost/asio/io_context.hpp>
#include <chrono>
#include <deque>
#include <optional>

#include "runtime/rpc/errors.h"
#include "runtime/rpc/handler.h"
#include "runtime/rpc/ids.h"
#include "runtime/rpc/server.h"
#include "wire/Replica.h"

namespace assent::participant {
namespace {

// Answers enrolments from a script, then with epoch 7; remembers what it heard.
class FakeCoordinator final : public wire::ReplicaCobSvIf {
 public:
  void enroll(rpc::Cob<wire::RegisterReply> cob, rpc::ExnCob exn,
              const wire::RegisterRequest& request) override {
    enrolments.push_back(request);
    if (!refusals.empty()) {
      const Error next = refusals.front();
      refusals.pop_front();
      return rpc::answer<wire::RegisterReply>(cob, exn, tl::unexpected(next));
    }
    wire::RegisterReply reply;
    reply.epoch = 7;
    reply.ballot = rpc::to_wire(Ballot{Incarnation(1), Round(3), ReplicaId(1)});
    rpc::answer<wire::RegisterReply>(cob, exn, reply);
  }

  void heartbeat(rpc::Cob<wire::HeartbeatReply> cob, rpc::ExnCob exn,
                 const wire::HeartbeatRequest& request) override {
    heartbeats.push_back(request);
    if (silent) return unanswered.push_back(cob);
    if (refusal) return rpc::answer<wire::HeartbeatReply>(cob, exn, tl::unexpected(*refusal));
    if (displaced) {
      return rpc::answer<wire::HeartbeatReply>(
          cob, exn, failure(ErrorCode::kDisplaced, "a newer life serves"));
    }
    wire::HeartbeatReply reply;
    reply.floor_ms = 123;
    if (drained) {
      reply.__set_ballot(rpc::to_wire(Ballot{Incarnation(1), Round(4), ReplicaId(2)}));
      reply.__set_refuses(rpc::to_wire(*drained));
    }
    rpc::answer<wire::HeartbeatReply>(cob, exn, reply);
  }

  void identify(rpc::Cob<wire::IdentifyReply> cob, rpc::ExnCob exn,
                const wire::IdentifyRequest&) override {
    rpc::answer<wire::IdentifyReply>(cob, exn, wire::IdentifyReply());
  }

  void snapshot_part(rpc::Cob<wire::SnapshotPartReply> cob, rpc::ExnCob exn,
                     const wire::SnapshotPartRequest&) override {
    rpc::answer<wire::SnapshotPartReply>(cob, exn, wire::SnapshotPartReply());
  }

  void deliver(std::function<void()> cob, const wire::Delivery&) override { cob(); }

  std::deque<Error> refusals;
  std::optional<Error> refusal;  // of every heartbeat
  std::optional<Error> drained;  // told with every heartbeat
  bool silent = false;           // to heartbeats
  std::vector<rpc::Cob<wire::HeartbeatReply>> unanswered;
  bool displaced = false;
  std::vector<wire::RegisterRequest> enrolments;
  std::vector<wire::HeartbeatRequest> heartbeats;
};

// One more replica.
struct Other {
  explicit Other(boost::asio::io_context& loop)
      : coordinator(std::make_shared<FakeCoordinator>()),
        server(loop, "another fake", std::make_shared<wire::ReplicaAsyncProcessor>(coordinator),
               rpc::ServerLimits{}),
        address("127.0.0.1:" + std::to_string(server.listen("127.0.0.1:0").value())) {}

  std::shared_ptr<FakeCoordinator> coordinator;
  rpc::Server server;
  std::string address;
};

class RegistrationTest : public testing::Test {
 protected:
  RegistrationTest()
      : coordinator_(std::make_shared<FakeCoordinator>()),
        server_(loop_, "fake coordinator",
                std::make_shared<wire::ReplicaAsyncProcessor>(coordinator_), rpc::ServerLimits{}) {
    config_.cluster = "demo";
    config_.participant = "orders";
    config_.heartbeat_every = Millis(50);
    config_.coordinators = {"127.0.0.1:" + std::to_string(server_.listen("127.0.0.1:0").value())};
  }

  // Runs the loop until `condition` holds; false when ten seconds were not enough.
  template <class Condition>
  bool run_until(Condition condition) {
    const auto give_up = std::chrono::steady_clock::now() + std::chrono::seconds(10);
    while (!condition() && std::chrono::steady_clock::now() < give_up) {
      loop_.run_one_for(std::chrono::milliseconds(20));
    }
    return condition();
  }

  Result<Enrolment> enrol(Registration& registration) {
    std::optional<Result<Enrolment>> answer;
    registration.enrol({{77, 5, 1, 1'000}, Epoch(6), {900, 950}},
                       [&](Result<Enrolment> done) { answer = std::move(done); });
    if (!run_until([&] { return answer.has_value(); })) {
      return failure(ErrorCode::kInternal, "the test waited in vain");
    }
    return *answer;
  }

  boost::asio::io_context loop_;
  Config config_;
  std::shared_ptr<FakeCoordinator> coordinator_;
  rpc::Server server_;
};

TEST_F(RegistrationTest, BringsBackEpochAndBallot) {
  Registration registration(loop_, config_);

  const auto enrolment = enrol(registration);

  ASSERT_TRUE(enrolment) << enrolment.error().message;
  EXPECT_EQ(enrolment->epoch, Epoch(7));
  EXPECT_EQ(enrolment->ballot.round, Round(3));
  EXPECT_EQ(coordinator_->enrolments.at(0).stored_epoch, 6);
  EXPECT_EQ(coordinator_->enrolments.at(0).identity.system_identifier, 77);
  EXPECT_EQ(coordinator_->enrolments.at(0).landmark, 900);
  EXPECT_EQ(coordinator_->enrolments.at(0).left_at, 950);
  EXPECT_FALSE(coordinator_->enrolments.at(0).__isset.takeover);
}

TEST_F(RegistrationTest, TellsThatAnOperatorGoesOnWithWhatTheDatabaseHas) {
  config_.takeover = true;
  Registration registration(loop_, config_);

  ASSERT_TRUE(enrol(registration));

  EXPECT_TRUE(coordinator_->enrolments.at(0).takeover);
}

TEST_F(RegistrationTest, ALeaderSaysInItsAnswersThatNoNewBranchesMayBegin) {
  std::vector<std::pair<Ballot, std::optional<Error>>> told;
  Registration registration(loop_, config_);
  registration.on_admission([&](Ballot ballot, std::optional<Error> refuses) {
    told.emplace_back(ballot, std::move(refuses));
  });
  ASSERT_TRUE(enrol(registration));
  registration.keep_alive(
      Epoch(7), [](const Error&) {}, [](LogTime) {});
  ASSERT_TRUE(run_until([&] { return !coordinator_->heartbeats.empty(); }));
  EXPECT_TRUE(told.empty()) << "a coordinator of an older version tells nothing";

  coordinator_->drained = Error{ErrorCode::kUnavailable, "drained", "orders"};
  ASSERT_TRUE(run_until([&] { return !told.empty(); }));
  EXPECT_EQ(told.front().first.round, Round(4));
  EXPECT_EQ(told.front().second->message, "drained");
}

TEST_F(RegistrationTest, HeartbeatsTellTheLandmarkOfNow) {
  std::uint64_t landmark = 0;
  Registration registration(loop_, config_);
  registration.on_landmark([&] { return landmark; });
  ASSERT_TRUE(enrol(registration));

  registration.keep_alive(
      Epoch(7), [](const Error&) {}, [](LogTime) {});
  ASSERT_TRUE(run_until([&] { return !coordinator_->heartbeats.empty(); }));
  EXPECT_FALSE(coordinator_->heartbeats.front().__isset.landmark);

  landmark = 950;
  EXPECT_TRUE(run_until([&] { return coordinator_->heartbeats.back().landmark == 950; }));
}

TEST_F(RegistrationTest, AsksAgainUnderTheSameNonceWhileTheCoordinatorCannotAnswer) {
  coordinator_->refusals = {{ErrorCode::kUnavailable, "not yet"}, {ErrorCode::kNotLeader, "no"}};
  Registration registration(loop_, config_);

  const auto enrolment = enrol(registration);

  ASSERT_TRUE(enrolment) << enrolment.error().message;
  ASSERT_EQ(coordinator_->enrolments.size(), 3u);
  EXPECT_EQ(coordinator_->enrolments[0].nonce, coordinator_->enrolments[2].nonce);
}

TEST_F(RegistrationTest, GoesOnToTheNextCoordinator) {
  config_.coordinators.insert(config_.coordinators.begin(), "127.0.0.1:1");
  Registration registration(loop_, config_);

  const auto enrolment = enrol(registration);

  EXPECT_TRUE(enrolment) << enrolment.error().message;
}

TEST_F(RegistrationTest, EnrolsWithTheLeaderThatIsNamed) {
  Other leader(loop_);
  Error refusal{ErrorCode::kNotLeader, "another one leads"};
  refusal.leader = leader.address;
  coordinator_->refusals = {refusal};
  Registration registration(loop_, config_);

  const auto enrolment = enrol(registration);

  EXPECT_TRUE(enrolment) << enrolment.error().message;
  EXPECT_EQ(leader.coordinator->enrolments.size(), 1u);
}

TEST_F(RegistrationTest, HeartbeatsFollowTheLeader) {
  Other leader(loop_);
  Registration registration(loop_, config_);
  bool over = false;
  registration.keep_alive(
      Epoch(7), [&](const Error&) { over = true; }, [](LogTime) {});
  ASSERT_TRUE(run_until([&] { return !coordinator_->heartbeats.empty(); }));

  coordinator_->refusal = Error{ErrorCode::kNotLeader, "another one leads"};
  coordinator_->refusal->leader = leader.address;

  ASSERT_TRUE(run_until([&] { return leader.coordinator->heartbeats.size() >= 3; }));
  EXPECT_FALSE(over);
}

TEST_F(RegistrationTest, NoReplicaWithoutALeaderEndsALife) {
  Other second(loop_);
  config_.coordinators.push_back(second.address);
  config_.heartbeat_every = Millis(60'000);
  for (auto* each : {coordinator_.get(), second.coordinator.get()}) {
    each->refusal = Error{ErrorCode::kNotLeader, "an election is under way"};
  }
  Registration registration(loop_, config_);
  bool over = false;
  bool heard = false;
  registration.keep_alive(
      Epoch(7), [&](const Error&) { over = true; }, [&](LogTime) { heard = true; });
  const auto asked = [&] {
    return coordinator_->heartbeats.size() >= 3 && second.coordinator->heartbeats.size() >= 3;
  };
  ASSERT_TRUE(run_until(asked)) << "long before the next heartbeat is due";

  second.coordinator->refusal.reset();

  ASSERT_TRUE(run_until([&] { return heard; }));
  EXPECT_FALSE(over);
}

TEST_F(RegistrationTest, ALeaderThatIsSilentIsNotWaitedFor) {
  Other leader(loop_);
  config_.coordinators.push_back(leader.address);
  coordinator_->silent = true;
  Registration registration(loop_, config_);
  registration.keep_alive(
      Epoch(7), [](const Error&) {}, [](LogTime) {});

  EXPECT_TRUE(run_until([&] { return leader.coordinator->heartbeats.size() >= 2; }));
}

TEST_F(RegistrationTest, LeavingIsSaidToTheLeader) {
  Other leader(loop_);
  Registration registration(loop_, config_);
  registration.keep_alive(
      Epoch(7), [](const Error&) {}, [](LogTime) {});
  ASSERT_TRUE(run_until([&] { return !coordinator_->heartbeats.empty(); }));
  coordinator_->refusal = Error{ErrorCode::kNotLeader, "another one leads"};
  coordinator_->refusal->leader = leader.address;
  bool said = false;

  registration.leave([&] { said = true; });

  ASSERT_TRUE(run_until([&] { return said; }));
  ASSERT_FALSE(leader.coordinator->heartbeats.empty());
  EXPECT_TRUE(leader.coordinator->heartbeats.back().leaving);
}

TEST_F(RegistrationTest, WaitsForTheEarlierLifesSilence) {
  coordinator_->refusals = {{ErrorCode::kDisplaced, "alive"}, {ErrorCode::kDisplaced, "alive"}};
  Registration registration(loop_, config_);

  const auto enrolment = enrol(registration);

  EXPECT_TRUE(enrolment) << enrolment.error().message;
}

TEST_F(RegistrationTest, GivesWayToALifeThatStaysAlive) {
  config_.displaced_wait = Millis(0);
  coordinator_->refusals = {{ErrorCode::kDisplaced, "alive"}};
  Registration registration(loop_, config_);

  const auto enrolment = enrol(registration);

  ASSERT_FALSE(enrolment);
  EXPECT_EQ(enrolment.error().code, ErrorCode::kDisplaced);
}

TEST_F(RegistrationTest, WhatWaitingDoesNotMendIsAnErrorAtOnce) {
  coordinator_->refusals = {{ErrorCode::kIdentityMismatch, "another database"}};
  Registration registration(loop_, config_);

  const auto enrolment = enrol(registration);

  ASSERT_FALSE(enrolment);
  EXPECT_EQ(enrolment.error().code, ErrorCode::kIdentityMismatch);
  EXPECT_EQ(coordinator_->enrolments.size(), 1u);
}

TEST_F(RegistrationTest, HeartbeatsGoOnUntilANewerLifeServes) {
  Registration registration(loop_, config_);
  std::optional<Error> over;
  registration.keep_alive(
      Epoch(7), [&](Error error) { over = std::move(error); }, [](LogTime) {});
  ASSERT_TRUE(run_until([&] { return coordinator_->heartbeats.size() >= 3; }));
  EXPECT_FALSE(over.has_value());

  coordinator_->displaced = true;

  ASSERT_TRUE(run_until([&] { return over.has_value(); }));
  EXPECT_EQ(over->code, ErrorCode::kDisplaced);
}

TEST_F(RegistrationTest, SaysWhetherOnePhaseIsAllowedHere) {
  for (const bool allowed : {true, false}) {
    config_.one_phase = allowed;
    Registration registration(loop_, config_);
    ASSERT_TRUE(enrol(registration));
    EXPECT_TRUE(coordinator_->enrolments.back().__isset.one_phase);
    EXPECT_EQ(coordinator_->enrolments.back().one_phase, allowed);
  }
}

TEST_F(RegistrationTest, HeartbeatsBringTheFloor) {
  Registration registration(loop_, config_);
  std::optional<LogTime> floor;

  registration.keep_alive(
      Epoch(7), [](const Error&) {}, [&](LogTime told) { floor = told; });

  ASSERT_TRUE(run_until([&] { return floor.has_value(); }));
  EXPECT_EQ(*floor, LogTime(123));
}

TEST_F(RegistrationTest, LeavingIsSaid) {
  Registration registration(loop_, config_);
  registration.keep_alive(
      Epoch(7), [](const Error&) {}, [](LogTime) {});
  bool said = false;

  registration.leave([&] { said = true; });

  ASSERT_TRUE(run_until([&] { return said; }));
  EXPECT_TRUE(coordinator_->heartbeats.back().leaving);
}

TEST_F(RegistrationTest, TheFirstHeartbeatSaysThatWhatIsPreparedCanBeEnded) {
  Registration registration(loop_, config_);
  ASSERT_TRUE(enrol(registration));

  registration.keep_alive(
      Epoch(7), [](const Error&) {}, [](LogTime) {});

  ASSERT_TRUE(run_until([&] { return coordinator_->heartbeats.size() == 2; }));
  EXPECT_TRUE(coordinator_->heartbeats[0].recovered);
  EXPECT_FALSE(coordinator_->heartbeats[1].__isset.recovered);
}

TEST_F(RegistrationTest, ARecoveryIsToldAtOnce) {
  config_.heartbeat_every = Millis(60'000);
  Registration registration(loop_, config_);
  ASSERT_TRUE(enrol(registration));
  bool heard = false;
  registration.keep_alive(
      Epoch(7), [](const Error&) {}, [&](LogTime) { heard = true; });
  ASSERT_TRUE(run_until([&] { return heard; }));

  registration.recovered();

  ASSERT_TRUE(run_until([&] { return coordinator_->heartbeats.size() == 2; }));
  EXPECT_TRUE(coordinator_->heartbeats[1].recovered);
}

TEST_F(RegistrationTest, ARecoveryDuringAHeartbeatIsToldRightAfterIt) {
  config_.heartbeat_every = Millis(60'000);
  Registration registration(loop_, config_);
  ASSERT_TRUE(enrol(registration));
  registration.keep_alive(
      Epoch(7), [](const Error&) {}, [](LogTime) {});

  registration.recovered();

  ASSERT_TRUE(run_until([&] { return coordinator_->heartbeats.size() == 2; }));
  EXPECT_TRUE(coordinator_->heartbeats[1].recovered);
}

TEST_F(RegistrationTest, ARecoveryIsToldUntilALeaderHasHeardIt) {
  coordinator_->refusal = Error{ErrorCode::kNotLeader, "no"};
  Registration registration(loop_, config_);
  ASSERT_TRUE(enrol(registration));
  registration.keep_alive(
      Epoch(7), [](const Error&) {}, [](LogTime) {});
  ASSERT_TRUE(run_until([&] { return coordinator_->heartbeats.size() == 2; }));

  coordinator_->refusal.reset();

  ASSERT_TRUE(run_until([&] { return coordinator_->heartbeats.size() == 4; }));
  EXPECT_TRUE(coordinator_->heartbeats[1].recovered);
  EXPECT_TRUE(coordinator_->heartbeats[2].recovered);
  EXPECT_FALSE(coordinator_->heartbeats[3].__isset.recovered);
}

TEST_F(RegistrationTest, ASilentCoordinatorIsToldOnceAndSoIsItsReturn) {
  Registration registration(loop_, config_);
  std::vector<bool> told;
  registration.on_heard([&](bool heard) { told.push_back(heard); });
  ASSERT_TRUE(enrol(registration));
  coordinator_->refusal = Error{ErrorCode::kNotLeader, "no"};
  const auto begun = std::chrono::steady_clock::now();
  registration.keep_alive(
      Epoch(7), [](const Error&) {}, [](LogTime) {});
  ASSERT_TRUE(run_until([&] { return !told.empty(); }));
  EXPECT_GE(std::chrono::steady_clock::now() - begun, std::chrono::milliseconds(250));
  const std::size_t beats = coordinator_->heartbeats.size();
  ASSERT_TRUE(run_until([&] { return coordinator_->heartbeats.size() >= beats + 3; }));

  coordinator_->refusal.reset();

  ASSERT_TRUE(run_until([&] { return told.size() >= 2; }));
  EXPECT_EQ(told, (std::vector<bool>{false, true}));
}

}  // namespace
}  // namespace assent::participant
