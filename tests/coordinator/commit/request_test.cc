// What is checked of a request, and what its hash covers.
#include "coordinator/commit/request.h"

#include <gtest/gtest.h>

#include <functional>
#include <set>

#include "tests/coordinator/commit/stage.h"

namespace assent::commit {
namespace {

using Branches = std::vector<RequestedBranch>;

RequestedBranch one_shot(OneShotBranch work) {
  return {"a", Epoch(0), Attempt(0), 0, std::make_shared<OneShotBranch>(std::move(work))};
}

OneShotBranch work() {
  OneShotBranch one_shot;
  one_shot.statements = {{"SELECT $1", {"1"}, Millis(0)}};
  return one_shot;
}

std::optional<Error> objection_to(Branches branches) {
  return objection(CommitAsked{Token(1), {}, std::move(branches)});
}

// ── the hash ────────────────────────────────────────────────────────────────────────────────────

TEST(RequestHash, R9CoversTheWholeShape) {
  const std::vector<std::function<void(OneShotBranch&)>> changes = {
      [](OneShotBranch&) {},
      [](OneShotBranch& o) { o.statements[0].sql = "SELECT $1 "; },
      [](OneShotBranch& o) { o.statements[0].parameters = {""}; },
      [](OneShotBranch& o) { o.statements[0].parameters = {std::nullopt}; },
      [](OneShotBranch& o) {
        o.statements[0].parameters = {"1", std::nullopt};
      },
      [](OneShotBranch& o) { o.statements[0].timeout = Millis(1); },
      [](OneShotBranch& o) { o.statements[0].expected_rows = 0; },
      [](OneShotBranch& o) { o.statements[0].expected_rows = 1; },
      [](OneShotBranch& o) { o.statements.push_back(o.statements[0]); },
      [](OneShotBranch& o) { o.mode.isolation = IsolationLevel::kSerializable; },
      [](OneShotBranch& o) { o.mode.isolation = IsolationLevel::kRepeatableRead; },
      [](OneShotBranch& o) { o.mode.read_only = true; },
      [](OneShotBranch& o) { o.mode.read_only = false; },
  };
  std::set<std::uint64_t> hashes;
  for (const auto& change : changes) {
    OneShotBranch changed = work();
    change(changed);
    RequestedBranch branch = one_shot(changed);
    hashes.insert(request_hash({branch}));
    branch.reads = true;
    hashes.insert(request_hash({branch}));
  }
  hashes.insert(request_hash({Stage::branch("a")}));
  hashes.insert(request_hash({Stage::reader("a")}));
  EXPECT_EQ(hashes.size(), 2 * changes.size() + 2);
}

TEST(RequestHash, IsOfTheContentsNotOfWhereTheyLie) {
  EXPECT_EQ(request_hash({one_shot(work())}), request_hash({one_shot(work())}));
}

// ── the writer ──────────────────────────────────────────────────────────────────────────────────

TEST(Writer, IsTheOnlyBranchThatIsNotHinted) {
  const auto writer = [](Branches branches) {
    const RequestedBranch* found = writer_of(branches);
    return found == nullptr ? std::string("none") : found->participant;
  };
  EXPECT_EQ(writer({Stage::branch("a")}), "a");
  EXPECT_EQ(writer({Stage::reader("a")}), "none");
  EXPECT_EQ(writer({Stage::reader("a"), Stage::branch("b")}), "b");
  EXPECT_EQ(writer({Stage::reader("a"), Stage::one_shot("b"), Stage::reader("c")}), "b");
  EXPECT_EQ(writer({Stage::branch("a"), Stage::branch("b")}), "none");
  EXPECT_EQ(writer({}), "none");
}

// ── objections ──────────────────────────────────────────────────────────────────────────────────

TEST(Objection, AOneShotHasNoNameYet) {
  EXPECT_FALSE(objection_to({one_shot(work())}));
  const std::vector<std::function<void(RequestedBranch&)>> changes = {
      [](RequestedBranch& b) { b.epoch = Epoch(1); },
      [](RequestedBranch& b) { b.attempt = Attempt(1); },
      [](RequestedBranch& b) { b.statements = 1; },
  };
  for (const auto& change : changes) {
    RequestedBranch branch = one_shot(work());
    change(branch);
    ASSERT_TRUE(objection_to({branch}));
    EXPECT_EQ(objection_to({branch})->code, ErrorCode::kInvalidArgument);
  }
}

TEST(Objection, AOneShotHasOneToAThousandStatements) {
  OneShotBranch many;
  many.statements.resize(1'001);
  EXPECT_TRUE(objection_to({one_shot(many)}));
  many.statements.resize(1'000);
  EXPECT_FALSE(objection_to({one_shot(many)}));
  EXPECT_TRUE(objection_to({one_shot(OneShotBranch{})}));
  EXPECT_FALSE(objection(AbortAsked{Token(1), {}, {one_shot(OneShotBranch{})}}))
      << "an abort may leave them out";
}

TEST(Objection, R5NoClientNamesAOneShotsAttempt) {
  RequestedBranch branch = Stage::branch("a");
  branch.attempt = one_shot_attempt({1, 1});
  ASSERT_TRUE(objection_to({branch}));
  EXPECT_EQ(objection_to({branch})->code, ErrorCode::kInvalidArgument);
}

TEST(Objection, R12AnAbortThatNamesNothingPromisesThatNothingWasCommitted) {
  const std::optional<Error> error = objection(AbortAsked{Token(1), {}, {}});
  ASSERT_TRUE(error);
  EXPECT_EQ(error->code, ErrorCode::kInvalidArgument);
  EXPECT_NE(error->message.find("never_committed"), std::string::npos);
  EXPECT_FALSE(objection(AbortAsked{Token(1), {}, {}, /*never_committed=*/true}));
}

TEST(BranchIds, SkipWhatHasNoNameYet) {
  EXPECT_EQ(branch_ids({}, {Stage::one_shot("a"), Stage::branch("b")}).size(), 1u);
}

}  // namespace
}  // namespace assent::commit
