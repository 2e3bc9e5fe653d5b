#include <gtest/gtest.h>

#include <future>
#include <optional>

#include "assent/client.h"
#include "tests/client/fake_cluster.h"

namespace assent {
namespace {

class Cancel : public testing::Test {
 protected:
  // Executes on another thread; returns when the statement is at the agent.
  std::future<Result<Rows>> execute_in_background(const std::string& participant,
                                                  const fake::Agent& agent) {
    const std::size_t before = agent.execute.requests().size();
    auto rows = std::async(std::launch::async, [this, participant] {
      return transaction_->execute(participant, "SELECT pg_sleep(600)");
    });
    EXPECT_TRUE(agent.execute.wait_for(before + 1));
    return rows;
  }

  // How a statement failed, in time.
  static ErrorCode failed(std::future<Result<Rows>>& rows) {
    EXPECT_EQ(rows.wait_for(fake::kPatience), std::future_status::ready);
    return rows.get().error().code;
  }

  fake::Cluster cluster_;
  Client client_ = Client::connect(cluster_.options()).value();
  std::optional<Transaction> transaction_ = client_.start();
};

TEST_F(Cancel, UnblocksAStatementByTheNonceOfItsBranch) {
  cluster_.orders.execute.next(fake::Held{});
  auto rows = execute_in_background("orders", cluster_.orders);

  transaction_->cancel();

  EXPECT_EQ(failed(rows), ErrorCode::kBranchEnded);
  const auto opening = cluster_.orders.execute.requests().at(0);
  const auto cancel = cluster_.orders.cancel.requests().at(0);
  EXPECT_EQ(cancel.transaction, transaction_->id());
  EXPECT_EQ(cancel.participant, "orders");
  EXPECT_EQ(cancel.nonce, opening.start.nonce);
  EXPECT_FALSE(cancel.__isset.branch);
}

TEST_F(Cancel, NamesEveryBranchThatIsKnown) {
  ASSERT_TRUE(transaction_->execute("orders", "UPDATE a"));
  ASSERT_TRUE(transaction_->execute("stock", "UPDATE b"));
  cluster_.stock.execute.next(fake::Held{});
  auto rows = execute_in_background("stock", cluster_.stock);

  transaction_->cancel();

  EXPECT_EQ(failed(rows), ErrorCode::kBranchEnded);
  for (const auto* agent : {&cluster_.orders, &cluster_.stock}) {
    const auto requests = agent->cancel.requests();
    ASSERT_EQ(requests.size(), 1U);
    EXPECT_FALSE(requests[0].__isset.nonce);
    EXPECT_EQ(requests[0].branch.epoch, 3);
    EXPECT_EQ(requests[0].branch.attempt, 7);
  }
}

TEST_F(Cancel, LeavesNothingButToAbort) {
  ASSERT_TRUE(transaction_->execute("orders", "UPDATE a"));
  transaction_->cancel();

  EXPECT_EQ(transaction_->execute("stock", "UPDATE b").error().code, ErrorCode::kBranchEnded);
  const auto result = transaction_->commit();

  EXPECT_EQ(result.state, CommitState::kAborted);
  EXPECT_EQ(result.reason->code, ErrorCode::kBranchEnded);
  EXPECT_TRUE(cluster_.stock.execute.requests().empty());
  EXPECT_TRUE(cluster_.first.commit.requests().empty());
  EXPECT_EQ(cluster_.first.abort.requests().at(0).branches.size(), 1U);
}

TEST_F(Cancel, OfATransactionWithoutBranchesKeepsItFromBeginning) {
  transaction_->cancel();
  EXPECT_EQ(transaction_->execute("orders", "UPDATE a").error().code, ErrorCode::kBranchEnded);
  EXPECT_EQ(transaction_->commit().state, CommitState::kAborted);
  EXPECT_TRUE(cluster_.orders.execute.requests().empty());
}

TEST_F(Cancel, EndsTheRepeatsOfAStatement) {
  cluster_.orders.execute.always([](const auto&) {
    return Error{ErrorCode::kOverloaded, "no free connection"};
  });
  auto rows = execute_in_background("orders", cluster_.orders);

  transaction_->cancel();

  EXPECT_EQ(failed(rows), ErrorCode::kBranchEnded);
}

TEST_F(Cancel, ComesTooLateAfterCommit) {
  ASSERT_TRUE(transaction_->execute("orders", "UPDATE a"));
  ASSERT_TRUE(transaction_->commit().committed());

  transaction_->cancel();

  EXPECT_TRUE(transaction_->commit().committed());
  EXPECT_TRUE(cluster_.orders.cancel.requests().empty());
}

TEST_F(Cancel, DoesNotWaitLongForAnAgentThatIsSilent) {
  cluster_.orders.cancel.always([](const auto&) { return fake::Silence{}; });
  ASSERT_TRUE(transaction_->execute("orders", "UPDATE a"));

  auto cancelled = std::async(std::launch::async, [this] { transaction_->cancel(); });

  EXPECT_EQ(cancelled.wait_for(fake::kPatience / 2), std::future_status::ready);
}

// ── branches whose name was never heard ─────────────────────────────────────────────────────────

class LostBranch : public testing::Test {
 protected:
  // A transaction with a branch whose only statement was never answered.
  Transaction lost() {
    auto transaction = client_.start();
    EXPECT_EQ(transaction.execute("orders", "UPDATE a").error().code, ErrorCode::kOutcomeUnknown);
    return transaction;
  }

  static ClientOptions hasty(ClientOptions options) {
    options.statement_timeout_ms = 1;
    return options;
  }

  void expect_cancelled_by_nonce() {
    ASSERT_TRUE(cluster_.orders.cancel.wait_for(1));
    EXPECT_EQ(cluster_.orders.cancel.requests()[0].nonce,
              cluster_.orders.execute.requests().at(0).start.nonce);
    EXPECT_TRUE(cluster_.first.abort.requests().empty()) << "it has no name to tell";
  }

  fake::Cluster cluster_;
  Client client_ = Client::connect(hasty(cluster_.options())).value();
};

TEST_F(LostBranch, IsCancelledByItsNonceWhenTheTransactionAborts) {
  cluster_.orders.execute.always([](const auto&) { return fake::Silence{}; });
  EXPECT_EQ(lost().abort().state, CommitState::kAborted);
  expect_cancelled_by_nonce();
}

TEST_F(LostBranch, IsCancelledByItsNonceWhenTheTransactionIsDropped) {
  cluster_.orders.execute.always([](const auto&) { return fake::Silence{}; });
  { auto dropped = lost(); }
  expect_cancelled_by_nonce();
}

TEST_F(LostBranch, IsNoneWhenTheAgentRefusedToOpenIt) {
  cluster_.orders.execute.next(fake::sql_error("23505"));
  auto transaction = client_.start();
  ASSERT_FALSE(transaction.execute("orders", "UPDATE a"));
  EXPECT_EQ(transaction.abort().state, CommitState::kAborted);

  // Goes the same way as a cancel would have gone, behind it.
  ASSERT_TRUE(client_.start().execute("orders", "UPDATE b"));
  EXPECT_TRUE(cluster_.orders.cancel.requests().empty());
}

TEST_F(LostBranch, HasANameWhenItsRowsCouldNotBeRead) {
  auto reply = fake::executed();
  reply.result.rows.resize(1);
  reply.result.rows[0].values.resize(1);
  cluster_.orders.execute.next(reply);
  auto transaction = client_.start();
  ASSERT_FALSE(transaction.execute("orders", "SELECT a"));
  (void)transaction.abort();
  EXPECT_EQ(cluster_.first.abort.requests().at(0).branches.at(0).attempt, 7);
}

}  // namespace
}  // namespace assent
