// The promises of a request: `first` of a commit, `never_committed` of an abort.
#include <gtest/gtest.h>

#include "assent/client.h"
#include "tests/client/fake_cluster.h"

namespace assent {
namespace {

class Promise : public testing::Test {
 protected:
  Transaction transfer(Client& client) {
    auto transaction = client.start();
    EXPECT_TRUE(transaction.execute("orders", "UPDATE a"));
    return transaction;
  }

  // `first` of the second try of a commit whose first one met `refusal`.
  bool kept_after(decltype(fake::Coordinator::commit)::Reaction refusal) {
    fake::Cluster cluster;
    auto client = Client::connect(cluster.options()).value();
    cluster.first.commit.next(std::move(refusal));
    EXPECT_TRUE(transfer(client).commit().committed());
    auto requests = cluster.first.commit.requests();
    const auto others = cluster.second.commit.requests();
    requests.insert(requests.end(), others.begin(), others.end());
    EXPECT_EQ(requests.size(), 2U);
    EXPECT_TRUE(requests.at(0).first);
    return requests.at(1).first;
  }

  fake::Cluster cluster_;
  Client client_ = Client::connect(cluster_.options()).value();
};

TEST_F(Promise, IsKeptAfterRefusalsThatProveThatNothingWasDone) {
  EXPECT_TRUE(kept_after(Error{ErrorCode::kNotLeader, "another one leads"}));
  EXPECT_TRUE(kept_after(Error{ErrorCode::kOverloaded, "too many transactions"}));
}

TEST_F(Promise, IsBrokenByEveryOtherFailure) {
  EXPECT_FALSE(kept_after(Error{ErrorCode::kOutcomeUnknown, "the log is behind"}));
  EXPECT_FALSE(kept_after(Error{ErrorCode::kUnavailable, "lost what it needs half-way"}));
  EXPECT_FALSE(kept_after(fake::Disconnect{}));
}

TEST_F(Promise, IsMadeToTheOfficeThatHelloTold) {
  ASSERT_TRUE(transfer(client_).commit().committed());

  EXPECT_EQ(cluster_.first.commit.requests().at(0).office, fake::Cluster::kOffice);
}

TEST_F(Promise, IsMadeAnewToALaterOfficeThatHasDoneNothing) {
  Error refusal{ErrorCode::kNotLeader, "promised to another office"};
  refusal.office = fake::Cluster::kOffice + 1;
  cluster_.first.commit.next(refusal);

  ASSERT_TRUE(transfer(client_).commit().committed());
  ASSERT_TRUE(transfer(client_).commit().committed());

  const auto requests = cluster_.first.commit.requests();
  ASSERT_EQ(requests.size(), 3U) << "it leads, so it is asked again";
  EXPECT_TRUE(requests[1].first);
  EXPECT_EQ(requests[1].office, fake::Cluster::kOffice + 1);
  EXPECT_EQ(requests[2].office, fake::Cluster::kOffice + 1);
}

TEST_F(Promise, OnceBrokenNamesNoOffice) {
  cluster_.first.commit.next(fake::Disconnect{});

  ASSERT_TRUE(transfer(client_).commit().committed());

  EXPECT_FALSE(cluster_.second.commit.requests().at(0).__isset.office);
}

TEST_F(Promise, IsKeptWhenNoConnectionStood) {
  auto transaction = transfer(client_);
  cluster_.first.port.close();

  EXPECT_TRUE(transaction.commit().committed());

  EXPECT_TRUE(cluster_.second.commit.requests().at(0).first);
}

TEST_F(Promise, StaysBrokenForEver) {
  auto options = cluster_.options();
  options.coordinators = {cluster_.first.port.address()};
  auto client = Client::connect(options).value();
  cluster_.first.commit.next(Error{ErrorCode::kOutcomeUnknown, "the log is behind"});
  cluster_.first.commit.next(Error{ErrorCode::kOverloaded, "too many transactions"});
  cluster_.first.commit.next(Error{ErrorCode::kInternal, "a fault of ours"});
  auto transaction = transfer(client);
  ASSERT_EQ(transaction.commit().state, CommitState::kUnknown);
  ASSERT_TRUE(transaction.commit().committed());

  const auto requests = cluster_.first.commit.requests();
  ASSERT_EQ(requests.size(), 4U);
  EXPECT_TRUE(requests[0].first);
  for (std::size_t i = 1; i < requests.size(); ++i) EXPECT_FALSE(requests[i].first) << i;
}

TEST_F(Promise, OfACommitThatReachedNobodyOutlastsTheCall) {
  auto options = cluster_.options();
  options.unknown_after_ms = 50;
  auto client = Client::connect(options).value();
  auto transaction = transfer(client);
  cluster_.first.port.close();
  cluster_.second.port.close();
  ASSERT_EQ(transaction.commit().state, CommitState::kUnknown);
  cluster_.first.port.reopen();
  cluster_.second.port.reopen();

  while (transaction.commit().state == CommitState::kUnknown) {
  }

  std::size_t promised = 0;
  for (const auto* coordinator : {&cluster_.first, &cluster_.second}) {
    for (const auto& request : coordinator->commit.requests()) promised += request.first ? 1 : 0;
  }
  EXPECT_EQ(promised, 1U);
}

// The refusal of a request without the promise proves nothing of its earlier copy.
TEST_F(Promise, DecidesWhetherARefusalIsAnAbort) {
  cluster_.first.commit.next(Error{ErrorCode::kNotLeader, "another one leads"});
  cluster_.second.commit.next(Error{ErrorCode::kExpired, "older than the retention"});
  EXPECT_EQ(transfer(client_).commit().state, CommitState::kAborted);
}

TEST_F(Promise, AnAbortSaysWhetherCommitWasAskedFor) {
  (void)transfer(client_).abort();
  ASSERT_TRUE(cluster_.first.abort.wait_for(1));
  EXPECT_TRUE(cluster_.first.abort.requests()[0].never_committed);

  { auto dropped = transfer(client_); }
  ASSERT_TRUE(cluster_.first.abort.wait_for(2));
  EXPECT_TRUE(cluster_.first.abort.requests()[1].never_committed);

  cluster_.first.commit.next(Error{ErrorCode::kInternal, "a fault of ours"});
  auto unknown = transfer(client_);
  ASSERT_EQ(unknown.commit().state, CommitState::kUnknown);
  (void)unknown.abort();
  ASSERT_TRUE(cluster_.first.abort.wait_for(3));
  EXPECT_FALSE(cluster_.first.abort.requests()[2].never_committed);
}

}  // namespace
}  // namespace assent
