#include <gtest/gtest.h>

#include <atomic>
#include <optional>
#include <set>
#include <thread>
#include <vector>

#include "assent/client.h"
#include "tests/client/fake_cluster.h"

namespace assent {
namespace {

class Lifetime : public testing::Test {
 protected:
  std::optional<Client> connect() { return Client::connect(cluster_.options()).value(); }

  fake::Cluster cluster_;
};

TEST_F(Lifetime, ManyThreadsShareOneClient) {
  constexpr int kThreads = 8;
  constexpr int kTransactions = 50;
  auto client = connect();
  std::atomic<int> committed = 0;
  std::vector<std::thread> threads;
  for (int i = 0; i < kThreads; ++i) {
    threads.emplace_back([&] {
      for (int n = 0; n < kTransactions; ++n) {
        auto transaction = client->start();
        (void)transaction.execute("orders", "UPDATE a", {n});
        (void)transaction.execute("stock", "UPDATE b", {n});
        if (transaction.commit().committed()) ++committed;
      }
    });
  }
  for (auto& thread : threads) thread.join();

  EXPECT_EQ(committed, kThreads * kTransactions);
  std::set<std::string> ids;
  for (const auto& request : cluster_.first.commit.requests()) ids.insert(request.transaction);
  EXPECT_EQ(ids.size(), static_cast<std::size_t>(committed)) << "no id is used twice";
}

TEST_F(Lifetime, ATransactionOutlivesItsClient) {
  auto client = connect();
  auto transaction = client->start();
  client.reset();
  EXPECT_TRUE(transaction.execute("orders", "UPDATE a"));
  EXPECT_TRUE(transaction.commit().committed());
}

TEST_F(Lifetime, AClientMayGoWhileATransactionWaitsForAnAnswer) {
  auto client = connect();
  cluster_.orders.execute.next(fake::Silence{});
  auto transaction = client->start();
  Result<Rows> rows;
  std::thread waiting([&] { rows = transaction.execute("orders", "UPDATE a"); });
  ASSERT_TRUE(cluster_.orders.execute.wait_for(1));

  client.reset();
  cluster_.orders.port.close();
  cluster_.orders.port.reopen();
  waiting.join();

  EXPECT_TRUE(rows) << rows.error().message;
}

TEST_F(Lifetime, ADroppedTransactionIsAbortedInTheBackground) {
  auto client = connect();
  std::string id;
  {
    auto transaction = client->start();
    ASSERT_TRUE(transaction.execute("orders", "UPDATE a"));
    id = transaction.id();
  }
  ASSERT_TRUE(cluster_.first.abort.wait_for(1));
  const auto request = cluster_.first.abort.requests()[0];
  EXPECT_EQ(request.transaction, id);
  ASSERT_EQ(request.branches.size(), 1U);
  EXPECT_EQ(request.branches[0].participant, "orders");
}

TEST_F(Lifetime, TheLastTransactionOfAClientIsAbortedBeforeTheClientIsGone) {
  auto client = connect();
  {
    auto transaction = client->start();
    ASSERT_TRUE(transaction.execute("orders", "UPDATE a"));
  }
  client.reset();

  EXPECT_EQ(cluster_.first.abort.requests().size(), 1U);
}

TEST_F(Lifetime, ATransactionReplacedByAnotherIsAborted) {
  auto client = connect();
  auto transaction = client->start();
  ASSERT_TRUE(transaction.execute("orders", "UPDATE a"));
  const std::string id = transaction.id();
  transaction = client->start();
  ASSERT_TRUE(cluster_.first.abort.wait_for(1));
  EXPECT_EQ(cluster_.first.abort.requests()[0].transaction, id);
}

// Aborting what is unknown is for the application to choose. The second drop proves that the first
// one, before it in the loop's order, sent nothing.
TEST_F(Lifetime, ATransactionWhoseCommitIsUnknownIsNotAbortedWhenDropped) {
  auto options = cluster_.options();
  options.coordinators = {cluster_.first.port.address()};
  options.unknown_after_ms = 50;
  auto client = Client::connect(options).value();
  cluster_.first.commit.always([](const auto&) { return fake::Silence{}; });
  {
    auto unknown = client.start();
    ASSERT_TRUE(unknown.execute("orders", "UPDATE a"));
    ASSERT_EQ(unknown.commit().state, CommitState::kUnknown);
  }
  std::string dropped;
  {
    auto transaction = client.start();
    ASSERT_TRUE(transaction.execute("orders", "UPDATE a"));
    dropped = transaction.id();
  }
  ASSERT_TRUE(cluster_.first.abort.wait_for(1));
  EXPECT_EQ(cluster_.first.abort.requests()[0].transaction, dropped);
}

TEST_F(Lifetime, AClientMayGoWithAnAbortInFlight) {
  cluster_.first.abort.always([](const auto&) { return fake::Silence{}; });
  auto client = connect();
  {
    auto transaction = client->start();
    ASSERT_TRUE(transaction.execute("orders", "UPDATE a"));
  }
  ASSERT_TRUE(cluster_.first.abort.wait_for(1));
  client.reset();
}

}  // namespace
}  // namespace assent
