// Three whole replicas in one loop: whose disk it is, and who is not let in.
#include <gmock/gmock.h>

#include <fstream>

#include "tests/coordinator/server/replica_group.h"

namespace assent::coordinator {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

class IdentityGroup : public ReplicaGroupTest {
 protected:
  // Ends a replica's life, and takes its disk away.
  void wipe(std::size_t i) {
    replicas_[i].reset();
    std::filesystem::remove_all(data_directory(i));
  }
  [[nodiscard]] std::string role(std::size_t i) {
    const auto reply = process_status(i);
    return reply ? reply->facts.at("role") : "none";
  }
};

TEST_F(IdentityGroup, AWipedDiskDoesNotComeBackUnderItsOldIdentity) {
  const std::size_t serving = leader();
  const std::size_t wiped = (serving + 1) % kReplicas;
  ASSERT_TRUE(abort(serving, make_id()));

  wipe(wiped);
  start(wiped);

  ASSERT_TRUE(run_until([&] { return refusals_[wiped].has_value(); }));
  EXPECT_EQ(refusals_[wiped]->code, ErrorCode::kIdentityMismatch);
  EXPECT_THAT(refusals_[wiped]->message,
              AllOf(HasSubstr(data_directory(wiped)), HasSubstr("forgotten what it promised"),
                    HasSubstr("replace it under a new id")));
  EXPECT_EQ(role(wiped), "waiting") << "it has taken no part";
  EXPECT_TRUE(abort(leader(), make_id())) << "and the others go on";
}

// With one of the others away, that one might be who counted on the old disk.
TEST_F(IdentityGroup, ANewDiskWaitsUntilEnoughOfTheOthersKnowIt) {
  const std::size_t serving = leader();
  const std::size_t away = (serving + 1) % kReplicas;
  const std::size_t fresh = (serving + 2) % kReplicas;
  for (auto& replica : replicas_) replica.reset();
  for (std::size_t i = 0; i < kReplicas; ++i) wipe(i);
  start(serving);
  start(fresh);
  ASSERT_TRUE(run_until([&] {
    const auto told = identify(serving, static_cast<std::int32_t>(fresh + 1), 1);
    return told && told->known_disk != 1;
  })) << "the two have met";
  EXPECT_EQ(role(serving), "waiting");
  EXPECT_EQ(role(fresh), "waiting");

  start(away);

  EXPECT_TRUE(abort(leader(), make_id()));
}

// What it wrote down itself is gone, and the one in question is away: the log knows.
TEST_F(IdentityGroup, TheGroupAgreesOnTheDisksOfItsReplicas) {
  const auto agreed = [this](std::size_t i) {
    const auto reply = process_status(i);
    return reply && reply->counters.at("disks_agreed") == std::int64_t{kReplicas};
  };
  const std::size_t serving = leader();
  const std::size_t away = (serving + 1) % kReplicas;
  const std::size_t forgetful = (serving + 2) % kReplicas;
  ASSERT_TRUE(run_until([&] { return agreed(serving) && agreed(forgetful); }));
  const auto disk = identify(away)->disk;
  replicas_[away].reset();
  replicas_[forgetful].reset();
  std::filesystem::remove(data_directory(forgetful) + "/peers");
  start(forgetful);
  ASSERT_TRUE(run_until([&] { return agreed(forgetful); }));

  const auto told = identify(forgetful, static_cast<std::int32_t>(away + 1), disk + 1);

  ASSERT_TRUE(told) << told.error().message;
  EXPECT_EQ(told->known_disk, disk);
}

TEST_F(IdentityGroup, ARestartNeedsNobodysConsent) {
  const std::size_t serving = leader();
  ASSERT_TRUE(abort(serving, make_id()));
  const std::size_t away = (serving + 1) % kReplicas;
  for (auto& replica : replicas_) replica.reset();
  for (std::size_t i = 0; i < kReplicas; ++i) {
    if (i != away) start(i);
  }
  EXPECT_TRUE(abort(leader(), make_id()));
}

TEST_F(IdentityGroup, WhoeverSpeaksFromAnotherDiskIsNotHeard) {
  const std::size_t serving = leader();
  const std::size_t other = (serving + 1) % kReplicas;
  const auto ballot = process_status(serving)->facts.at("ballot");
  wire::Delivery wrong = takeover(other, serving);
  for (const std::int64_t disk : {std::int64_t{0}, wrong.disk + 1}) {
    wrong.disk = disk;
    deliver(serving, wrong);
  }
  EXPECT_EQ(process_status(serving)->facts.at("ballot"), ballot);
  EXPECT_EQ(leader(), serving);
}

TEST_F(IdentityGroup, TheDiskOfAReplicaIsRememberedByTheOthersAcrossRestarts) {
  const std::size_t serving = leader();
  const std::size_t other = (serving + 1) % kReplicas;
  const auto disk = identify(other)->disk;
  ASSERT_EQ(identify(serving, static_cast<std::int32_t>(other + 1), 77)->known_disk, disk);

  for (auto& replica : replicas_) replica.reset();
  start(serving);

  EXPECT_EQ(identify(serving, static_cast<std::int32_t>(other + 1), 77)->known_disk, disk);
}

TEST_F(IdentityGroup, AReplicaOfAnotherClusterIsRefusedAndSaysSo) {
  const std::size_t serving = leader();
  const std::size_t stranger = (serving + 1) % kReplicas;
  wipe(stranger);
  start(stranger, "another");
  const auto reply = identify(stranger);
  ASSERT_FALSE(reply.has_value());
  EXPECT_EQ(reply.error().code, ErrorCode::kWrongCluster);
  EXPECT_EQ(role(stranger), "waiting") << "nobody of its group knows it";
}

// ── damage ──────────────────────────────────────────────────────────────────────────────────────

TEST_F(IdentityGroup, AReplicaThatLostWhomItHasMetIsRefusedWithTheFile) {
  leader();
  replicas_[0].reset();
  std::ofstream(data_directory(0) + "/peers", std::ios::app) << "# edited\n";
  Config config;
  config.cluster = "demo";
  config.data_directory = data_directory(0);
  config.group = members_;

  const auto opened = Replica(loop_, config).open();

  ASSERT_FALSE(opened.has_value());
  EXPECT_THAT(opened.error().message,
              AllOf(HasSubstr(data_directory(0) + "/peers"), HasSubstr("is damaged")));
}

// ── who joins ───────────────────────────────────────────────────────────────────────────────────

// Replica 4 is to join; its configuration names some others.
class Joining : public IdentityGroup {
 protected:
  Joining() {
    config_.cluster = "demo";
    config_.replica = ReplicaId(4);
    config_.joins = true;
    config_.data_directory = directory_ + "/4";
    config_.client_address = free_address(loop_);
    config_.peer_address = free_address(loop_);
    config_.admin_address = free_address(loop_);
  }
  // Begins its next life.
  void join(const std::map<ReplicaId, Member>& others) {
    joiner_.reset();
    config_.group = others;
    config_.group[config_.replica] = {config_.client_address, config_.peer_address, {}};
    joiner_ = std::make_unique<Replica>(loop_, config_, nullptr);
    const auto opened = joiner_->open();
    ASSERT_TRUE(opened) << opened.error().message;
  }
  [[nodiscard]] bool joiner_says(const std::string& role) {
    const auto reply = process_status(config_.admin_address);
    return reply && reply->facts.at("role") == role;
  }

  Config config_;
  std::unique_ptr<Replica> joiner_;
};

// operations.md, "A replica that joins and is not let in".
TEST_F(Joining, IsLetInByTheReplicasThatItsConfigurationNamesAndNoOthers) {
  const Member gone{free_address(loop_), free_address(loop_), {}};
  join({{ReplicaId(8), gone}});
  ASSERT_TRUE(add(leader(), 4, config_.client_address, config_.peer_address, ""));
  ASSERT_TRUE(run_until([&] { return std::filesystem::exists(config_.data_directory + "/peers"); }))
      << "the leader has found it";
  EXPECT_TRUE(joiner_says("waiting"));

  join(members_);

  EXPECT_TRUE(run_until([&] { return joiner_says("follower"); }));
}

}  // namespace
}  // namespace assent::coordinator
