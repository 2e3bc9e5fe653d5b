#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>

#include "assent/client.h"
#include "tests/client/fake_cluster.h"

namespace assent {
namespace {

using testing::ElementsAre;

class OneShotCommit : public testing::Test {
 protected:
  // What a branch's statements gave, told by their tags.
  static wire::BranchResults results(const std::string& participant,
                                     const std::vector<std::string>& tags) {
    wire::BranchResults branch;
    branch.participant = participant;
    for (const auto& tag : tags) branch.results.emplace_back().command_tag = tag;
    return branch;
  }

  static std::vector<std::string> tags(const CommitResult& result) {
    std::vector<std::string> all;
    for (const auto& rows : result.rows) all.push_back(rows.command_tag());
    return all;
  }

  // Statements of two participants, taking turns.
  static OneShot mixed() {
    OneShot transaction;
    transaction.add("stock", "UPDATE a", {7, nullptr}, 1).add("orders", "UPDATE b");
    transaction.add("stock", "UPDATE c").add("orders", "UPDATE d");
    return transaction;
  }

  static wire::CommitReply mixed_reply() {
    auto reply = fake::decided(wire::Outcome::COMMITTED);
    reply.__set_results({results("stock", {"A", "C"}), results("orders", {"B", "D"})});
    return reply;
  }

  fake::Cluster cluster_;
  Client client_ = Client::connect(cluster_.options()).value();
};

TEST_F(OneShotCommit, SendsEverythingInOneMessage) {
  auto transaction = mixed();
  transaction.branch("orders", {.isolation = Isolation::kRepeatableRead});
  transaction.branch("elsewhere", {.read_only = true});
  cluster_.first.commit.next(mixed_reply());

  const auto result = client_.commit(transaction, {.timeout_ms = 77});

  ASSERT_TRUE(result.committed());
  EXPECT_EQ(result.attempts, 1U);
  const auto requests = cluster_.first.commit.requests();
  ASSERT_EQ(requests.size(), 1U);
  EXPECT_EQ(requests[0].transaction, result.transaction);
  EXPECT_TRUE(requests[0].first);
  ASSERT_EQ(requests[0].branches.size(), 2U);
  const auto& stock = requests[0].branches[0];
  EXPECT_EQ(stock.participant, "stock");
  EXPECT_EQ(stock.epoch, 0);
  EXPECT_EQ(stock.statements, 0);
  ASSERT_EQ(stock.one_shot.statements.size(), 2U);
  EXPECT_EQ(stock.one_shot.statements[0].sql, "UPDATE a");
  EXPECT_EQ(stock.one_shot.statements[0].parameters.at(0).text, "7");
  EXPECT_FALSE(stock.one_shot.statements[0].parameters.at(1).__isset.text);
  EXPECT_EQ(stock.one_shot.statements[0].expected_rows, 1);
  EXPECT_EQ(stock.one_shot.statements[0].timeout_ms, 77) << "no longer than the votes";
  EXPECT_FALSE(stock.one_shot.statements[1].__isset.expected_rows);
  EXPECT_FALSE(stock.one_shot.__isset.mode);
  EXPECT_EQ(requests[0].branches[1].one_shot.mode.isolation, wire::Isolation::REPEATABLE_READ);
  EXPECT_TRUE(cluster_.stock.execute.requests().empty());
}

TEST_F(OneShotCommit, GivesTheRowsInTheOrderOfTheStatements) {
  cluster_.first.commit.next(mixed_reply());
  const auto result = client_.commit(mixed());
  EXPECT_THAT(tags(result), ElementsAre("A", "B", "C", "D"));
  EXPECT_FALSE(result.results_unavailable);
}

TEST_F(OneShotCommit, SaysWhenTheRowsAreLost) {
  auto reply = fake::decided(wire::Outcome::COMMITTED);
  reply.results_unavailable = true;
  cluster_.first.commit.next(reply);
  const auto result = client_.commit(mixed());
  EXPECT_TRUE(result.committed());
  EXPECT_TRUE(result.results_unavailable);
  EXPECT_TRUE(result.rows.empty());
}

TEST_F(OneShotCommit, RowsThatDoNotFitTheStatementsAreLost) {
  auto too_few = mixed_reply();
  too_few.results[0].results.pop_back();
  cluster_.first.commit.next(too_few);
  auto misshapen = mixed_reply();
  misshapen.results[0].results[0].rows.resize(1);
  misshapen.results[0].results[0].rows[0].values.resize(1);
  cluster_.first.commit.next(misshapen);

  for (int i = 0; i < 2; ++i) {
    const auto result = client_.commit(mixed());
    EXPECT_TRUE(result.committed());
    EXPECT_TRUE(result.results_unavailable);
    EXPECT_TRUE(result.rows.empty());
  }
}

TEST_F(OneShotCommit, WithoutStatementsCommitsWithoutAMessage) {
  OneShot empty;
  empty.branch("orders", {.read_only = true});
  const auto result = client_.commit(empty);
  EXPECT_TRUE(result.committed());
  EXPECT_FALSE(result.transaction.empty());
  EXPECT_TRUE(cluster_.first.commit.requests().empty());
}

TEST_F(OneShotCommit, RepeatsTheSameRequestWithoutThePromise) {
  cluster_.first.commit.next(fake::Disconnect{});

  EXPECT_TRUE(client_.commit(mixed()).committed());

  auto first = cluster_.first.commit.requests().at(0);
  const auto second = cluster_.second.commit.requests().at(0);
  EXPECT_TRUE(first.first);
  EXPECT_FALSE(second.first);
  first.__set_first(false);
  first.__isset.office = false;
  EXPECT_EQ(first, second);
}

// ── again, under a new id ───────────────────────────────────────────────────────────────────────

TEST_F(OneShotCommit, RunsAgainAfterAConflict) {
  cluster_.first.commit.next(fake::aborted(fake::sql_error("40001")));
  cluster_.first.commit.next(fake::aborted(fake::sql_error("40P01")));
  cluster_.first.commit.next(mixed_reply());

  const auto result = client_.commit(mixed());

  EXPECT_TRUE(result.committed());
  EXPECT_EQ(result.attempts, 3U);
  const auto requests = cluster_.first.commit.requests();
  ASSERT_EQ(requests.size(), 3U);
  std::set<std::string> ids;
  for (const auto& request : requests) {
    ids.insert(request.transaction);
    EXPECT_TRUE(request.first);
    EXPECT_EQ(request.branches, requests[0].branches);
  }
  EXPECT_EQ(ids.size(), 3U);
  EXPECT_EQ(result.transaction, requests[2].transaction);
}

TEST_F(OneShotCommit, TriesNoMoreOftenThanItMay) {
  cluster_.first.commit.always([](const auto&) { return fake::aborted(fake::sql_error("40001")); });

  const auto result = client_.commit(mixed(), {}, {.attempts_max = 3});

  EXPECT_EQ(result.state, CommitState::kAborted);
  EXPECT_EQ(result.reason->sql->sqlstate, "40001");
  EXPECT_EQ(result.attempts, 3U);
  EXPECT_EQ(cluster_.first.commit.requests().size(), 3U);
}

TEST_F(OneShotCommit, NeverTriesAgainWhenItMayOnce) {
  cluster_.first.commit.next(fake::aborted(fake::sql_error("40001")));
  const auto result = client_.commit(mixed(), {}, {.attempts_max = 1});
  EXPECT_EQ(result.state, CommitState::kAborted);
  EXPECT_EQ(cluster_.first.commit.requests().size(), 1U);
}

TEST_F(OneShotCommit, TriesNoLongerThanItMay) {
  auto options = cluster_.options();
  options.unknown_after_ms = 300;
  auto client = Client::connect(options).value();
  cluster_.first.commit.always([](const auto&) { return fake::aborted(fake::sql_error("40001")); });

  const auto result = client.commit(mixed(), {}, {.attempts_max = 1'000});

  EXPECT_EQ(result.state, CommitState::kAborted);
  EXPECT_LT(result.attempts, 20U) << "pauses double";
  EXPECT_GT(result.attempts, 1U);
}

TEST_F(OneShotCommit, RunsAgainForNoOtherReason) {
  const std::vector<Error> reasons = {fake::sql_error("55P03"), fake::sql_error("23505"),
                                      Error{ErrorCode::kRowCount, "0 rows, expected 1"},
                                      Error{ErrorCode::kDeadline, "no vote in time"},
                                      Error{ErrorCode::kOverloaded, "no free connection"}};
  for (const auto& reason : reasons) {
    cluster_.first.commit.next(fake::aborted(reason));
    const auto result = client_.commit(mixed());
    EXPECT_EQ(result.state, CommitState::kAborted);
    EXPECT_EQ(result.reason->code, reason.code);
    EXPECT_EQ(result.attempts, 1U);
  }
  EXPECT_EQ(cluster_.first.commit.requests().size(), reasons.size());
}

TEST_F(OneShotCommit, AnUnknownOutcomeIsNotRunAgain) {
  auto options = cluster_.options();
  options.unknown_after_ms = 50;
  auto client = Client::connect(options).value();
  cluster_.first.commit.always([](const auto&) { return fake::Silence{}; });
  const auto result = client.commit(mixed());
  EXPECT_EQ(result.state, CommitState::kUnknown);
  EXPECT_EQ(result.attempts, 1U);
}

TEST_F(OneShotCommit, RefusesANumberOfAttemptsOutOfRange) {
  for (const int attempts_max : {0, -1, 1'001}) {
    const auto result = client_.commit(mixed(), {}, {.attempts_max = attempts_max});
    EXPECT_EQ(result.state, CommitState::kAborted);
    EXPECT_EQ(result.reason->code, ErrorCode::kInvalidArgument);
    EXPECT_EQ(result.attempts, 0U);
  }
  EXPECT_TRUE(cluster_.first.commit.requests().empty());
}

}  // namespace
}  // namespace assent
