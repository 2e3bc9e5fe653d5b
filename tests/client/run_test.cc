#include <gtest/gtest.h>

#include <set>

#include "assent/client.h"
#include "tests/client/fake_cluster.h"

namespace assent {
namespace {

class Run : public testing::Test {
 protected:
  // An update of each participant; fails with the first error.
  static Result<void> transfer(Transaction& transaction) {
    for (const char* participant : {"orders", "stock"}) {
      if (auto rows = transaction.execute(participant, "UPDATE a"); !rows) {
        return tl::unexpected(rows.error());
      }
    }
    return {};
  }

  std::set<std::string> executed_ids() {
    std::set<std::string> ids;
    for (const auto& request : cluster_.orders.execute.requests()) ids.insert(request.transaction);
    return ids;
  }

  fake::Cluster cluster_;
  Client client_ = Client::connect(cluster_.options()).value();
};

TEST_F(Run, CommitsWhatTheWorkDid) {
  const auto result = client_.run(transfer, {.acknowledge = Acknowledge::kDecided});

  EXPECT_TRUE(result.committed());
  EXPECT_EQ(result.attempts, 1U);
  const auto request = cluster_.first.commit.requests().at(0);
  EXPECT_EQ(request.transaction, result.transaction);
  EXPECT_EQ(request.acknowledge, wire::Acknowledge::DECIDED);
  EXPECT_EQ(request.branches.size(), 2U);
}

TEST_F(Run, RepeatsTheWorkUnderANewIdAfterAConflict) {
  cluster_.orders.execute.next(fake::sql_error("40001"));
  cluster_.first.commit.next(fake::aborted(fake::sql_error("40P01")));

  const auto result = client_.run(transfer);

  EXPECT_TRUE(result.committed());
  EXPECT_EQ(result.attempts, 3U);
  EXPECT_EQ(executed_ids().size(), 3U);
  EXPECT_EQ(cluster_.first.commit.requests().size(), 2U);
}

TEST_F(Run, RepeatsTheWorkWhateverItMadeOfTheConflict) {
  cluster_.orders.execute.next(fake::sql_error("40001"));
  const auto hidden = client_.run([](Transaction& transaction) -> Result<void> {
    if (transfer(transaction)) return {};
    return failure(ErrorCode::kInvalidArgument, "no transfer");
  });
  EXPECT_TRUE(hidden.committed());
  EXPECT_EQ(hidden.attempts, 2U);

  cluster_.orders.execute.next(fake::sql_error("40P01"));
  const auto ignored = client_.run([](Transaction& transaction) -> Result<void> {
    (void)transfer(transaction);
    return {};
  });
  EXPECT_TRUE(ignored.committed());
  EXPECT_EQ(ignored.attempts, 2U);
}

TEST_F(Run, AbortsWithTheErrorOfTheWork) {
  const auto result = client_.run([](Transaction& transaction) -> Result<void> {
    EXPECT_TRUE(transfer(transaction));
    return failure(ErrorCode::kInvalidArgument, "insufficient funds");
  });

  EXPECT_EQ(result.state, CommitState::kAborted);
  EXPECT_EQ(result.reason->message, "insufficient funds");
  EXPECT_EQ(result.attempts, 1U);
  EXPECT_TRUE(cluster_.first.commit.requests().empty());
  EXPECT_EQ(cluster_.first.abort.requests().at(0).branches.size(), 2U);
}

TEST_F(Run, GivesUpWhenItMayTryNoMore) {
  cluster_.orders.execute.always([](const auto&) { return fake::sql_error("40001"); });

  const auto result = client_.run(transfer, {}, {.attempts_max = 4});

  EXPECT_EQ(result.state, CommitState::kAborted);
  EXPECT_EQ(result.reason->sql->sqlstate, "40001");
  EXPECT_EQ(result.attempts, 4U);
  EXPECT_EQ(executed_ids().size(), 4U);
}

TEST_F(Run, DoesNotRepeatWorkThatWasRefusedForAnotherReason) {
  cluster_.orders.execute.next(fake::sql_error("23505"));
  const auto result = client_.run(transfer);
  EXPECT_EQ(result.state, CommitState::kAborted);
  EXPECT_EQ(result.attempts, 1U);
}

TEST_F(Run, DoesNotRepeatACommitWhoseOutcomeIsUnknown) {
  cluster_.first.commit.next(Error{ErrorCode::kInternal, "a fault of ours"});
  const auto result = client_.run(transfer);
  EXPECT_EQ(result.state, CommitState::kUnknown);
  EXPECT_EQ(result.attempts, 1U);
}

TEST_F(Run, DoesNotRepeatWhatWasCancelled) {
  cluster_.orders.execute.next(fake::sql_error("40001"));
  const auto result = client_.run([](Transaction& transaction) {
    const auto done = transfer(transaction);
    transaction.cancel();
    return done;
  });
  EXPECT_EQ(result.state, CommitState::kAborted);
  EXPECT_EQ(result.attempts, 1U);
}

TEST_F(Run, RefusesANumberOfAttemptsOutOfRange) {
  const auto result = client_.run(transfer, {}, {.attempts_max = 0});
  EXPECT_EQ(result.state, CommitState::kAborted);
  EXPECT_EQ(result.reason->code, ErrorCode::kInvalidArgument);
  EXPECT_TRUE(cluster_.orders.execute.requests().empty());
}

}  // namespace
}  // namespace assent
