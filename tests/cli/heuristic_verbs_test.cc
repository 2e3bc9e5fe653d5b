// assentctl heuristic and resolve.
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
using testing::Not;

class HeuristicVerbs : public GroupVerbs {
 protected:
  HeuristicVerbs() {
    wire::HeuristicBranch branch;
    branch.branch.participant = "stock";
    branch.branch.epoch = 3;
    branch.branch.attempt = 7;
    branch.result = wire::FinishResult::HEURISTIC_ROLLBACK;
    wire::Heuristic& one = group_.heuristics.emplace_back();
    one.transaction = "T";
    one.outcome = wire::Outcome::COMMITTED;
    one.kind = wire::HeuristicKind::MIXED;
    one.listed = 2;
    one.branches = {branch};
  }
};

TEST_F(HeuristicVerbs, ListSaysWhatHappenedAndWhatIsLeftToDo) {
  const Answer told = verb({"heuristic", "list", "--at", leader_});
  EXPECT_EQ(told.exit_code, 1) << told.err;
  EXPECT_THAT(told.out, HasSubstr("T  COMMITTED  mixed"));
  EXPECT_THAT(told.out, HasSubstr("stock/3.7 was rolled back by somebody else: make its changes "));
  EXPECT_THAT(told.out, HasSubstr("assentctl heuristic forget TRANSACTION"));
  const json all = json::parse(verb({"heuristic", "list", "--json", "--at", leader_}).out);
  EXPECT_EQ(all["heuristics"][0]["branches"][0]["result"], "heuristic-rollback");
}

// Nothing is prepared of it, so there is nothing that an operator could have ended.
TEST_F(HeuristicVerbs, ALostCommitInOnePhaseIsNotOfferedForResolve) {
  wire::Heuristic& one = group_.heuristics.front();
  one.kind = wire::HeuristicKind::HAZARD;
  one.listed = 0;
  one.branches.front().result = wire::FinishResult::HAZARD;
  const auto list = [&] { return verb({"heuristic", "list", "--at", leader_}).out; };
  EXPECT_THAT(list(), HasSubstr("stock/3.7 may have committed in one phase"));
  EXPECT_THAT(list(), Not(HasSubstr("assentctl resolve")));

  wire::Evidence evidence;
  evidence.xid = 9;
  one.branches.front().__set_evidence(evidence);
  EXPECT_THAT(list(), HasSubstr("assentctl resolve T --commit|--abort"));
}

TEST_F(HeuristicVerbs, ForgetTellsWhoAndWhy) {
  const std::vector<std::string> words = {"heuristic",  "forget", "T",    "--reason", "booked",
                                          "--operator", "ann",    "--at", leader_};
  EXPECT_THAT(verb(words).out, HasSubstr("forgotten"));
  ASSERT_EQ(group_.forgotten.size(), 1u);
  EXPECT_EQ(group_.forgotten[0].operator_name, "ann");
  EXPECT_EQ(group_.forgotten[0].reason, "booked");
  EXPECT_THAT(verb(words).out, HasSubstr("nothing was kept of it"));
  EXPECT_EQ(verb({"heuristic", "list", "--at", leader_}).exit_code, 0);
}

TEST_F(HeuristicVerbs, ForgetsAsManyUntoldOnesAsWereSeenTo) {
  group_.untold = 3;
  EXPECT_THAT(verb({"heuristic", "list", "--at", leader_}).out,
              HasSubstr("assentctl heuristic forget --untold 3 --reason WHY"));
  const std::vector<std::string> words = {"heuristic", "forget", "--untold", "3",
                                          "--reason",  "booked", "--at",     leader_};
  EXPECT_EQ(verb(words).exit_code, 0);
  ASSERT_EQ(group_.forgotten.size(), 1u);
  EXPECT_EQ(group_.forgotten[0].untold, 3);
  EXPECT_EQ(group_.forgotten[0].transaction, "");
}

TEST_F(HeuristicVerbs, ForgetIsOfOneOrOfUntoldOnes) {
  EXPECT_EQ(verb({"heuristic", "forget", "--reason", "x", "--at", leader_}).exit_code, 2);
  EXPECT_EQ(verb({"heuristic", "forget", "T", "--untold", "1", "--reason", "x", "--at", leader_})
                .exit_code,
            2);
  EXPECT_TRUE(group_.forgotten.empty());
}

// ── participants remove ─────────────────────────────────────────────────────────────────────────

TEST_F(HeuristicVerbs, RemoveFirstOnlyAsksWhetherItWould) {
  const Answer told = verb({"participants", "remove", "stock", "--at", leader_});
  EXPECT_EQ(told.exit_code, 0) << told.err;
  EXPECT_THAT(told.out, HasSubstr("nothing was done"));
  ASSERT_EQ(group_.participant_changes.size(), 1u);
  EXPECT_TRUE(group_.participant_changes[0].dry_run);
  EXPECT_EQ(group_.participant_changes[0].change, wire::ParticipantChange::REMOVE);
}

TEST_F(HeuristicVerbs, RemoveTellsTheLogWhoAndWhy) {
  const std::vector<std::string> words = {"participants", "remove", "stock",
                                          "--yes",        "--at",   leader_};
  EXPECT_EQ(verb(words).exit_code, 2) << "--reason is missing";
  EXPECT_TRUE(group_.participant_changes.empty());
  const Answer told = verb(with(words, {"--reason", "sold", "--operator", "ann"}));
  EXPECT_THAT(told.out, HasSubstr("stock is removed"));
  ASSERT_EQ(group_.participant_changes.size(), 1u);
  EXPECT_FALSE(group_.participant_changes[0].dry_run);
  EXPECT_EQ(group_.participant_changes[0].operator_name, "ann");
  EXPECT_EQ(group_.participant_changes[0].reason, "sold");
}

TEST_F(HeuristicVerbs, RemoveFirstGivesUpWhatIsNotConfirmed) {
  group_.abandoned = {"T1", "T2"};
  const std::vector<std::string> words = {"participants",       "remove", "stock",
                                          "--abandon-outcomes", "--at",   leader_};
  EXPECT_THAT(verb(words).out, HasSubstr("would be given up: transaction T2"));
  const Answer told = verb(with(words, {"--yes", "--reason", "sold"}));
  EXPECT_THAT(told.out, HasSubstr("transaction T1: a hazard"));
  EXPECT_THAT(told.out, HasSubstr("assentctl heuristic forget TRANSACTION"));
  ASSERT_EQ(group_.participant_changes.size(), 2u);
  for (const auto& one : group_.participant_changes) {
    EXPECT_EQ(one.change, wire::ParticipantChange::ABANDON);
  }
  EXPECT_TRUE(group_.participant_changes[0].dry_run);
  EXPECT_FALSE(group_.participant_changes[1].dry_run);
}

TEST_F(HeuristicVerbs, RemoveSaysWhyItIsRefused) {
  group_.participant_refused = Error{ErrorCode::kInvalidArgument, "it is not drained"};
  const Answer told = verb({"participants", "remove", "stock", "--at", leader_});
  EXPECT_EQ(told.exit_code, 2);
  EXPECT_THAT(told.err, HasSubstr("it is not drained"));
}

// ── resolve ─────────────────────────────────────────────────────────────────────────────────────

class ResolveVerb : public HeuristicVerbs {
 protected:
  // Without a record, and left prepared.
  ResolveVerb() {
    wire::Heuristic& one = group_.heuristics.front();
    one.kind = wire::HeuristicKind::HAZARD;
    one.listed = 0;
    one.branches.front().result = wire::FinishResult::HAZARD;
  }
  Answer resolve(const std::vector<std::string>& more) {
    return verb(with({"resolve", "T", "--commit", "--at", leader_}, more));
  }
};

TEST_F(ResolveVerb, SaysWhatWouldBeDoneAndDoesNothing) {
  const Answer told = resolve({});
  EXPECT_EQ(told.exit_code, 0) << told.err;
  EXPECT_THAT(told.out, HasSubstr("would be done: COMMIT PREPARED of stock/3.7"));
  EXPECT_THAT(told.out, HasSubstr("nothing was done"));
  EXPECT_TRUE(group_.resolved.empty());
}

TEST_F(ResolveVerb, AsksForNothingWithoutYesEvenWhereNothingIsKept) {
  group_.heuristics.clear();
  const Answer told = resolve({"--reason", "booked"});
  EXPECT_EQ(told.exit_code, 2);
  EXPECT_THAT(told.err, HasSubstr("nothing was left to an operator of transaction T"));
  EXPECT_TRUE(group_.resolved.empty());
}

TEST_F(ResolveVerb, PromisesNothingWhereItIsDecided) {
  group_.heuristics.front().listed = 2;
  const Answer told = resolve({});
  EXPECT_EQ(told.exit_code, 2);
  EXPECT_THAT(told.err, HasSubstr("transaction T is decided: COMMITTED"));
  EXPECT_THAT(told.out, Not(HasSubstr("would be done")));
}

TEST_F(ResolveVerb, TellsTheLogWhoDecidesAndWhy) {
  EXPECT_EQ(resolve({"--yes"}).exit_code, 2) << "--reason is missing";
  EXPECT_TRUE(group_.resolved.empty());
  EXPECT_EQ(resolve({"--yes", "--reason", "booked", "--operator", "ann"}).exit_code, 0);
  ASSERT_EQ(group_.resolved.size(), 1u);
  EXPECT_EQ(group_.resolved[0].outcome, wire::Outcome::COMMITTED);
  EXPECT_EQ(group_.resolved[0].operator_name, "ann");
  EXPECT_EQ(group_.resolved[0].reason, "booked");
}

}  // namespace
}  // namespace assent::cli
