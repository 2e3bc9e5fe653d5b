#include "client/cpp/src/hints.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "assent/client.h"
#include "tests/client/fake_cluster.h"

namespace assent {
namespace {

using testing::ElementsAre;

TEST(TagReads, KnowsStatementsThatChangeNothing) {
  for (const char* tag : {"SELECT 5", "SHOW", "FETCH 3", "VALUES 1", "EXPLAIN", "SET", "SAVEPOINT",
                          "UPDATE 0", "DELETE 0", "INSERT 0 0", "MERGE 0"}) {
    EXPECT_TRUE(client::tag_reads(tag)) << tag;
  }
}

TEST(TagReads, TakesEverythingElseForAChange) {
  for (const char* tag : {"UPDATE 1", "UPDATE 10", "DELETE 1", "INSERT 0 1", "MERGE 2",
                          "CREATE TABLE", "TRUNCATE TABLE", "DO", "CALL", "SELECTED", ""}) {
    EXPECT_FALSE(client::tag_reads(tag)) << tag;
  }
}

TEST(StatementReads, LooksAtTheFirstWordAlone) {
  for (const char* sql : {"SELECT 1", "select*from t", " \n\tValues (1)", "TABLE t", "show all"}) {
    EXPECT_TRUE(client::statement_reads(sql)) << sql;
  }
  for (const char* sql : {"UPDATE t SET a = 1", "WITH x AS (SELECT 1) SELECT", "selection", "",
                          "/* a comment */ SELECT 1"}) {
    EXPECT_FALSE(client::statement_reads(sql)) << sql;
  }
}

// What a commit says of its branches.
class Hints : public testing::Test {
 protected:
  // Of an only branch, whose statements are answered with these tags.
  bool hint(std::vector<std::string> tags, BranchOptions options = {}) {
    auto transaction = client_.start();
    transaction.branch("orders", options);
    for (const auto& tag : tags) {
      cluster_.orders.execute.next(fake::executed(tag));
      EXPECT_TRUE(transaction.execute("orders", "a statement"));
    }
    EXPECT_TRUE(transaction.commit().committed());
    return cluster_.first.commit.requests().back().branches.at(0).reads;
  }

  // Of the branches of a one-shot, by participant's name.
  std::vector<bool> hints(const OneShot& transaction) {
    (void)client_.commit(transaction);
    std::vector<bool> all;
    for (const auto& branch : cluster_.first.commit.requests().back().branches) {
      all.push_back(branch.reads);
    }
    return all;
  }

  fake::Cluster cluster_;
  Client client_ = Client::connect(cluster_.options()).value();
};

TEST_F(Hints, ABranchReadsWhenEveryStatementDid) {
  EXPECT_TRUE(hint({"SELECT 1", "UPDATE 0"}));
  EXPECT_FALSE(hint({"SELECT 1", "UPDATE 1", "SELECT 1"}));
}

TEST_F(Hints, ABranchThatWasDeclaredReadOnlyReads) {
  EXPECT_TRUE(hint({"CALL"}, {.read_only = true}));
  EXPECT_FALSE(hint({"CALL"}, {.read_only = false}));
}

TEST_F(Hints, ABranchWithAStatementThatFailedIsNotSaidToRead) {
  auto transaction = client_.start();
  cluster_.orders.execute.next(fake::executed("SAVEPOINT"));
  ASSERT_TRUE(transaction.execute("orders", "SAVEPOINT s"));
  cluster_.orders.execute.next(fake::sql_error("23505"));
  ASSERT_FALSE(transaction.execute("orders", "INSERT a"));
  cluster_.orders.execute.next(fake::executed("ROLLBACK"));
  ASSERT_TRUE(transaction.execute("orders", "ROLLBACK TO s"));
  ASSERT_TRUE(transaction.commit().committed());
  EXPECT_FALSE(cluster_.first.commit.requests().at(0).branches.at(0).reads);
}

TEST_F(Hints, AnAbortAfterACommitHasTheSameBranches) {
  auto options = cluster_.options();
  options.unknown_after_ms = 200;
  auto client = Client::connect(options).value();
  auto transaction = client.start();
  cluster_.orders.execute.next(fake::executed("SELECT 1"));
  ASSERT_TRUE(transaction.execute("orders", "SELECT a"));
  ASSERT_TRUE(transaction.execute("stock", "UPDATE b"));
  cluster_.first.commit.next(fake::Silence{});
  ASSERT_EQ(transaction.commit().state, CommitState::kUnknown);
  const auto committed = cluster_.first.commit.requests().at(0).branches;
  EXPECT_TRUE(committed.at(0).reads);
  EXPECT_FALSE(committed.at(1).reads);

  (void)transaction.abort();

  auto aborts = cluster_.first.abort.requests();
  const auto others = cluster_.second.abort.requests();
  aborts.insert(aborts.end(), others.begin(), others.end());
  EXPECT_EQ(aborts.at(0).branches, committed);
}

TEST_F(Hints, OfAOneShotComeFromItsText) {
  OneShot transaction;
  transaction.add("orders", "SELECT 1").add("orders", "SELECT 2");
  transaction.add("stock", "SELECT 1").add("stock", "UPDATE b").add("stock", "SELECT 2");
  EXPECT_THAT(hints(transaction), ElementsAre(true, false));

  transaction.branch("stock", {.read_only = true});
  EXPECT_THAT(hints(transaction), ElementsAre(true, true));
}

}  // namespace
}  // namespace assent
