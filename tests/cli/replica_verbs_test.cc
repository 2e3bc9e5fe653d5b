// assentctl replica.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "tests/cli/group_fixture.h"

namespace assent::cli {
namespace {

using nlohmann::json;
using testing::HasSubstr;
using testing::IsEmpty;

using ReplicaVerbs = GroupVerbs;

// ── list ────────────────────────────────────────────────────────────────────────────────────────

TEST_F(ReplicaVerbs, ListTellsWhoIsThereAndHowFarBehind) {
  group_.told.chosen_slot = 1'600;
  group_.told.replicas[2].connected = false;

  const Answer told = at_leader({"list"});

  EXPECT_EQ(told.exit_code, 0) << told.err;
  EXPECT_THAT(told.out, HasSubstr("leader   1,500"));
  EXPECT_THAT(told.out, HasSubstr("member   unreachable"));
  EXPECT_THAT(told.out, HasSubstr("host-2:1"));
}

TEST_F(ReplicaVerbs, ListTellsMachinesAllOfIt) {
  group_.told.replicas[2].learner = true;

  const Answer told = at_leader({"list", "--json"});

  ASSERT_EQ(told.exit_code, 0) << told.err;
  const json group = json::parse(told.out);
  EXPECT_EQ(group["cluster"], "demo");
  EXPECT_EQ(group["leader"], 1);
  EXPECT_EQ(group["chosen_slot"], 100);
  EXPECT_EQ(group["governs_from"], 1);
  EXPECT_EQ(group["settled"], true);
  ASSERT_EQ(group["replicas"].size(), 3u);
  EXPECT_EQ(group["replicas"][1], json({{"replica", 2},
                                        {"role", "member"},
                                        {"client_address", "host-2:1"},
                                        {"peer_address", "host-2:2"},
                                        {"admin_address", ""},
                                        {"chosen_slot", 100},
                                        {"connected", true}}));
  EXPECT_EQ(group["replicas"][0]["role"], "leader");
  EXPECT_EQ(group["replicas"][2]["role"], "learner");
}

// ── who is asked ────────────────────────────────────────────────────────────────────────────────

TEST_F(ReplicaVerbs, TheLeaderIsFoundByTheNameThatAFollowerTells) {
  const std::string follower =
      open({.code = ErrorCode::kNotLeader, .message = "replica 1 leads", .leader = leader_});

  EXPECT_EQ(replica_verb({"list", "--at", follower}).exit_code, 0);
}

TEST_F(ReplicaVerbs, ThoseWhoCannotBeReachedArePassedOver) {
  const Answer told = replica_verb({"list", "--at", close_port(), "--at", leader_});

  EXPECT_EQ(told.exit_code, 0) << told.err;
}

TEST_F(ReplicaVerbs, AGroupThatCannotBeReachedIsAProblemAndSaysWhatEachOneSaid) {
  const std::string closed = close_port();
  const std::string waiting = open({.code = ErrorCode::kNotLeader, .message = "nobody leads now"});

  const Answer told = replica_verb({"list", "--at", closed, "--at", waiting});

  EXPECT_EQ(told.exit_code, 1);
  EXPECT_THAT(told.out, IsEmpty());
  for (const std::string& words : {std::string("no leader answers"), closed, waiting,
                                   std::string("nobody leads now"), std::string("--at")}) {
    EXPECT_THAT(told.err, HasSubstr(words));
  }
}

// ── add ─────────────────────────────────────────────────────────────────────────────────────────

TEST_F(ReplicaVerbs, AddMakesALearnerAndThenAMember) {
  const Answer told = at_leader(with({"add", "4"}, newcomer()));

  EXPECT_EQ(told.exit_code, 0) << told.err;
  EXPECT_THAT(changes(), testing::ElementsAre(wire::GroupChange::ADD, wire::GroupChange::PROMOTE));
  EXPECT_EQ(group_.asked[0].replica, 4);
  EXPECT_EQ(group_.asked[0].client_address, "host-4:1");
  EXPECT_EQ(group_.asked[0].peer_address, "host-4:2");
  EXPECT_EQ(group_.asked[0].admin_address, "host-4:3");
  EXPECT_THAT(told.out, HasSubstr("replica 4 is in the group, as a learner"));
  EXPECT_THAT(told.out, HasSubstr("replica 4 has caught up, and is a member"));
}

TEST_F(ReplicaVerbs, AddTellsMachinesTheGroupThatCameOfIt) {
  const Answer told = at_leader(with({"add", "4", "--json"}, newcomer()));

  ASSERT_EQ(told.exit_code, 0) << told.err;
  const json group = json::parse(told.out);  // and nothing else: no progress
  ASSERT_EQ(group["replicas"].size(), 4u);
  EXPECT_EQ(group["replicas"][3]["role"], "member");
}

TEST_F(ReplicaVerbs, AddDoesNotPromoteWhoIsBehindOrUnreachable) {
  group_.newcomer_at = 10;

  const Answer behind = at_leader(with({"add", "4", "--timeout", "1"}, newcomer()));

  EXPECT_EQ(behind.exit_code, 1);
  EXPECT_THAT(behind.err, HasSubstr("learner is 90 slots behind"));
  EXPECT_THAT(behind.err, HasSubstr("give the same command again"));

  group_.told.replicas.back().connected = false;
  const Answer unreachable = at_leader(with({"add", "4", "--timeout", "1"}, newcomer()));

  EXPECT_EQ(unreachable.exit_code, 1);
  EXPECT_THAT(unreachable.err, HasSubstr("cannot reach replica 4 at host-4:2"));
  EXPECT_THAT(changes(), testing::Each(wire::GroupChange::ADD));
}

TEST_F(ReplicaVerbs, AddGoesOnWhereItWasInterrupted) {
  group_.newcomer_at = 10;
  ASSERT_EQ(at_leader(with({"add", "4", "--timeout", "1"}, newcomer())).exit_code, 1);
  group_.told.replicas.back().chosen_slot = 100;

  const Answer told = at_leader(with({"add", "4"}, newcomer()));

  EXPECT_EQ(told.exit_code, 0) << told.err;
  EXPECT_FALSE(group_.told.replicas.back().learner);
}

TEST_F(ReplicaVerbs, WhatMayBeAskedAgainIsAskedAgain) {
  group_.refusals = {{ErrorCode::kUnavailable, "an earlier change governs from slot 9 on"},
                     {ErrorCode::kOverloaded, "too much waits"},
                     {ErrorCode::kOutcomeUnknown, "the office was lost"}};

  const Answer told = at_leader({"remove", "3"});

  EXPECT_EQ(told.exit_code, 0) << told.err;
  EXPECT_EQ(changes().size(), 4u);
}

TEST_F(ReplicaVerbs, WhatIsRefusedForGoodIsAUsageErrorInTheLeadersWords) {
  group_.refusals = {{ErrorCode::kInvalidArgument, "replica 4 has left this group"}};

  const Answer told = at_leader(with({"add", "4"}, newcomer()));

  EXPECT_EQ(told.exit_code, 2);
  EXPECT_EQ(told.err, "assentctl: replica 4 has left this group\n");
  EXPECT_EQ(changes().size(), 1u);
}

TEST_F(ReplicaVerbs, ARefusalIsToldToMachinesOnStandardOutput) {
  group_.refusals = {{ErrorCode::kInvalidArgument, "replica 9 is not in the group"}};

  const Answer told = at_leader({"remove", "9", "--json"});

  EXPECT_EQ(told.exit_code, 2);
  EXPECT_EQ(json::parse(told.out),
            json({{"error",
                   {{"code", "INVALID_ARGUMENT"}, {"message", "replica 9 is not in the group"}}}}));
  EXPECT_THAT(told.err, IsEmpty());
}

// ── remove, replace, transfer-leader ────────────────────────────────────────────────────────────

TEST_F(ReplicaVerbs, RemoveSaysWhenTheReplicaIsNeededNoMore) {
  const Answer told = at_leader({"remove", "3"});

  EXPECT_EQ(told.exit_code, 0) << told.err;
  EXPECT_THAT(changes(), testing::ElementsAre(wire::GroupChange::REMOVE));
  EXPECT_EQ(group_.asked[0].replica, 3);
  EXPECT_THAT(told.out, HasSubstr("replica 3 has left, and is needed no more"));
}

TEST_F(ReplicaVerbs, RemoveDoesNotSaySoBeforeTheNextGroupGoverns) {
  group_.told.settled = false;

  const Answer told = at_leader({"remove", "3", "--timeout", "1"});

  EXPECT_EQ(told.exit_code, 1);
  EXPECT_THAT(told.out, testing::Not(HasSubstr("needed no more")));
  EXPECT_THAT(told.err, HasSubstr("does not govern everywhere yet"));
}

TEST_F(ReplicaVerbs, ReplaceAddsFirstAndThenRemoves) {
  const Answer told = at_leader(with({"replace", "1", "--by", "4", "--json"}, newcomer()));

  ASSERT_EQ(told.exit_code, 0) << told.err;
  EXPECT_THAT(changes(), testing::ElementsAre(wire::GroupChange::ADD, wire::GroupChange::PROMOTE,
                                              wire::GroupChange::REMOVE));
  EXPECT_EQ(group_.asked[2].replica, 1);
  EXPECT_EQ(json::parse(told.out)["replicas"].size(), 3u);
}

TEST_F(ReplicaVerbs, ReplaceRemovesNobodyWhenTheNewcomerDoesNotCatchUp) {
  group_.newcomer_connected = false;

  const Answer told = at_leader(with({"replace", "1", "--by", "4", "--timeout", "1"}, newcomer()));

  EXPECT_EQ(told.exit_code, 1);
  EXPECT_THAT(changes(), testing::ElementsAre(wire::GroupChange::ADD));
}

TEST_F(ReplicaVerbs, TransferLeaderWaitsUntilTheOtherLeads) {
  const Answer told = at_leader({"transfer-leader", "--to", "3", "--json"});

  ASSERT_EQ(told.exit_code, 0) << told.err;
  EXPECT_EQ(json::parse(told.out)["leader"], 3);
  EXPECT_EQ(at_leader({"transfer-leader"}).exit_code, 0);
  EXPECT_THAT(group_.transfers, testing::ElementsAre(3, 0));
}

// ── the command line ────────────────────────────────────────────────────────────────────────────

TEST_F(ReplicaVerbs, WhatIsMissingOrMakesNoSenseIsAUsageError) {
  const std::vector<std::vector<std::string>> wrong = {
      {"list"},
      {"list", "--at", "nowhere"},
      {"list", "--at", "127.0.0.1:0"},
      {"add", "4", "--at", leader_},
      {"add", "--at", leader_, "--client", "a:1", "--peer", "a:2"},
      {"add", "four", "--at", leader_, "--client", "a:1", "--peer", "a:2"},
      {"add", "4", "--at", leader_, "--client", "a", "--peer", "a:2"},
      {"remove", "--at", leader_},
      {"remove", "3", "--at", leader_, "--timeout", "0"},
      {"replace", "1", "--at", leader_, "--client", "a:1", "--peer", "a:2"},
      {}};
  for (const auto& words : wrong) {
    const Answer told = replica_verb(words);
    EXPECT_EQ(told.exit_code, 2) << testing::PrintToString(words);
    EXPECT_THAT(told.err, testing::Not(IsEmpty()));
  }
  EXPECT_THAT(group_.asked, IsEmpty());
}

}  // namespace
}  // namespace assent::cli
