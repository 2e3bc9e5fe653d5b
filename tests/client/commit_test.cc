#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "assent/client.h"
#include "tests/client/fake_cluster.h"

namespace assent {
namespace {

using testing::ElementsAre;

class Commit : public testing::Test {
 protected:
  // A repeat is the same request, but for the promise that nobody acted upon it before.
  static wire::CommitRequest without_promise(wire::CommitRequest request) {
    request.__set_first(false);
    request.__isset.office = false;
    return request;
  }

  // A client that gives up on outcomes early.
  static ClientOptions impatient(ClientOptions options) {
    options.unknown_after_ms = 100;
    return options;
  }

  // A transaction with a statement on each participant.
  Transaction transfer(Client& client) {
    auto transaction = client.start();
    EXPECT_TRUE(transaction.execute("orders", "UPDATE a"));
    EXPECT_TRUE(transaction.execute("stock", "UPDATE b"));
    return transaction;
  }
  Transaction transfer() { return transfer(client_); }

  fake::Cluster cluster_;
  Client client_ = Client::connect(cluster_.options()).value();
  Client impatient_ = Client::connect(impatient(cluster_.options())).value();
};

TEST_F(Commit, ListsEachBranchWithItsStatements) {
  auto transaction = transfer();
  ASSERT_TRUE(transaction.execute("stock", "UPDATE c"));

  const auto result = transaction.commit({.acknowledge = Acknowledge::kDecided, .timeout_ms = 77});

  EXPECT_TRUE(result.committed());
  EXPECT_EQ(result.transaction, transaction.id());
  const auto request = cluster_.first.commit.requests().at(0);
  EXPECT_EQ(request.transaction, transaction.id());
  EXPECT_EQ(request.acknowledge, wire::Acknowledge::DECIDED);
  EXPECT_EQ(request.timeout_ms, 77);
  ASSERT_EQ(request.branches.size(), 2U);
  EXPECT_EQ(request.branches[0].participant, "orders");
  EXPECT_EQ(request.branches[0].epoch, 3);
  EXPECT_EQ(request.branches[0].attempt, 7);
  EXPECT_EQ(request.branches[0].statements, 1);
  EXPECT_EQ(request.branches[1].participant, "stock");
  EXPECT_EQ(request.branches[1].statements, 2);
}

TEST_F(Commit, PassesOnWhatTheCoordinatorSays) {
  auto reply = fake::decided(wire::Outcome::COMMITTED);
  reply.pending = {"stock"};
  reply.__set_heuristic({"orders"});
  reply.read_only = {"orders"};
  reply.one_phase = true;
  cluster_.first.commit.next(reply);

  const auto result = transfer().commit();

  EXPECT_EQ(result.state, CommitState::kCommitted);
  EXPECT_THAT(result.pending, ElementsAre("stock"));
  EXPECT_THAT(result.heuristic, ElementsAre("orders"));
  EXPECT_THAT(result.read_only, ElementsAre("orders"));
  EXPECT_TRUE(result.one_phase);
  EXPECT_TRUE(result.rows.empty());
  EXPECT_FALSE(result.results_unavailable);
}

TEST_F(Commit, SaysWhyItWasAborted) {
  const Error reason{ErrorCode::kDeadline, "no vote in time", "stock"};
  cluster_.first.commit.next(fake::aborted(reason));

  const auto result = transfer().commit();

  EXPECT_EQ(result.state, CommitState::kAborted);
  EXPECT_EQ(result.reason, reason);
}

TEST_F(Commit, ATransactionWithoutStatementsCommitsWithoutAMessage) {
  EXPECT_TRUE(client_.start().commit().committed());
  EXPECT_TRUE(cluster_.first.commit.requests().empty());
}

TEST_F(Commit, AnOutcomeIsAskedForOnce) {
  auto transaction = transfer();
  ASSERT_TRUE(transaction.commit().committed());
  EXPECT_TRUE(transaction.commit().committed());
  EXPECT_EQ(transaction.abort().state, CommitState::kCommitted);
  EXPECT_EQ(cluster_.first.commit.requests().size(), 1U);
}

// ── repeats (R9) ────────────────────────────────────────────────────────────────────────────────

TEST_F(Commit, RepeatsTheSameRequestWhenTheAnswerIsLost) {
  cluster_.first.commit.next(fake::Disconnect{});

  EXPECT_TRUE(transfer().commit().committed());

  const auto first = cluster_.first.commit.requests();
  const auto second = cluster_.second.commit.requests();
  ASSERT_EQ(first.size(), 1U);
  ASSERT_EQ(second.size(), 1U) << "the other coordinator may have taken over";
  EXPECT_EQ(without_promise(first[0]), second[0]);
}

TEST_F(Commit, RepeatsTheSameRequestWhileTheOutcomeIsUnknown) {
  cluster_.first.commit.next(Error{ErrorCode::kOutcomeUnknown, "the log is behind"});
  cluster_.second.commit.next(Error{ErrorCode::kOverloaded, "too many transactions"});

  EXPECT_TRUE(transfer().commit().committed());

  EXPECT_EQ(cluster_.second.commit.requests().size(), 2U) << "an overloaded leader still leads";
  EXPECT_EQ(cluster_.second.commit.requests()[1],
            without_promise(cluster_.first.commit.requests()[0]));
}

TEST_F(Commit, FollowsTheHintAtTheLeader) {
  auto options = cluster_.options();
  options.coordinators = {cluster_.first.port.address()};
  auto client = Client::connect(options).value();
  Error not_leader{ErrorCode::kNotLeader, "replica 2 leads"};
  not_leader.leader = cluster_.second.port.address();
  cluster_.first.commit.next(not_leader);

  EXPECT_TRUE(transfer(client).commit().committed());

  EXPECT_EQ(cluster_.second.commit.requests().size(), 1U);
}

TEST_F(Commit, RidesOutTheLossOfEveryCoordinator) {
  auto transaction = transfer();
  cluster_.first.port.close();
  cluster_.second.port.close();
  std::thread committing([&] { EXPECT_TRUE(transaction.commit().committed()); });
  cluster_.second.port.reopen();
  committing.join();
}

TEST_F(Commit, IsUnknownWhenNobodyAnswersInTimeAndMayBeRepeated) {
  auto transaction = transfer(impatient_);
  cluster_.first.commit.next(fake::Silence{});

  const auto unknown = transaction.commit({.acknowledge = Acknowledge::kDecided});
  EXPECT_EQ(unknown.state, CommitState::kUnknown);
  ASSERT_TRUE(unknown.reason);
  EXPECT_EQ(unknown.reason->code, ErrorCode::kOutcomeUnknown);
  EXPECT_EQ(transaction.execute("orders", "UPDATE c").error().code, ErrorCode::kBranchEnded);

  EXPECT_TRUE(transaction.commit().committed());
  auto requests = cluster_.first.commit.requests();
  const auto second = cluster_.second.commit.requests();
  requests.insert(requests.end(), second.begin(), second.end());
  ASSERT_EQ(requests.size(), 2U);
  EXPECT_EQ(without_promise(requests[0]), without_promise(requests[1]))
      << "the repeat ignores other options";
}

TEST_F(Commit, IsUnknownWhenTheCoordinatorFailsInAWayThatProvesNothing) {
  cluster_.first.commit.next(Error{ErrorCode::kInternal, "a fault of ours"});
  auto transaction = transfer();
  EXPECT_EQ(transaction.commit().state, CommitState::kUnknown);

  cluster_.first.commit.next(Error{ErrorCode::kExpired, "older than the retention"});
  EXPECT_EQ(transaction.commit().state, CommitState::kUnknown)
      << "the first request may have committed it";
}

TEST_F(Commit, ARefusalOfTheOnlyRequestIsAnAbort) {
  for (const auto code : {ErrorCode::kClock, ErrorCode::kExpired, ErrorCode::kInvalidArgument}) {
    cluster_.first.commit.next(Error{code, "refused"});
    auto transaction = transfer();

    const auto result = transaction.commit();

    EXPECT_EQ(result.state, CommitState::kAborted);
    EXPECT_EQ(result.reason->code, code);
    EXPECT_EQ(transaction.commit().state, CommitState::kAborted) << "for ever";
  }
  EXPECT_EQ(cluster_.first.commit.requests().size(), 3U);
  EXPECT_TRUE(cluster_.first.abort.wait_for(3)) << "the branches are freed";
}

TEST_F(Commit, ARefusalAfterALostAnswerIsUnknown) {
  cluster_.first.commit.next(fake::Disconnect{});
  cluster_.second.commit.next(Error{ErrorCode::kExpired, "older than the retention"});

  const auto result = transfer().commit();

  EXPECT_EQ(result.state, CommitState::kUnknown);
  EXPECT_EQ(result.reason->code, ErrorCode::kExpired);
}

// ── aborts ──────────────────────────────────────────────────────────────────────────────────────

TEST_F(Commit, AfterAFailedStatementItAbortsAndSaysWhy) {
  auto transaction = client_.start();
  ASSERT_TRUE(transaction.execute("orders", "UPDATE a"));
  ASSERT_FALSE(transaction.execute("nowhere", "UPDATE b"));

  const auto result = transaction.commit();

  EXPECT_EQ(result.state, CommitState::kAborted);
  ASSERT_TRUE(result.reason);
  EXPECT_EQ(result.reason->code, ErrorCode::kUnknownParticipant);
  EXPECT_TRUE(cluster_.first.commit.requests().empty());
  EXPECT_EQ(cluster_.first.abort.requests().at(0).branches.at(0).participant, "orders");
}

TEST_F(Commit, AfterAnUnmendedSqlErrorItAbortsAndSaysWhy) {
  auto transaction = transfer();
  cluster_.orders.execute.next(fake::sql_error("22012"));
  ASSERT_FALSE(transaction.execute("orders", "SELECT 1/0"));
  ASSERT_TRUE(transaction.execute("stock", "UPDATE c"));

  const auto result = transaction.commit();

  EXPECT_EQ(result.state, CommitState::kAborted);
  EXPECT_EQ(result.reason->sql->sqlstate, "22012");
  EXPECT_TRUE(cluster_.first.commit.requests().empty());
}

TEST_F(Commit, AbortNamesTheBranchesAndIsForEver) {
  auto transaction = transfer();

  EXPECT_EQ(transaction.abort().state, CommitState::kAborted);
  EXPECT_EQ(transaction.commit().state, CommitState::kAborted);

  const auto requests = cluster_.first.abort.requests();
  ASSERT_EQ(requests.size(), 1U);
  EXPECT_EQ(requests[0].transaction, transaction.id());
  EXPECT_EQ(requests[0].branches.size(), 2U);
  EXPECT_TRUE(cluster_.first.commit.requests().empty());
}

TEST_F(Commit, EveryAbortHasAReason) {
  cluster_.first.commit.next(fake::decided(wire::Outcome::ABORTED));
  EXPECT_TRUE(transfer().commit().reason);
  EXPECT_TRUE(transfer().abort().reason);
  EXPECT_TRUE(client_.start().abort().reason);

  wire::StatusReply aborted;
  aborted.state = wire::TransactionState::ABORTED;
  cluster_.first.status.next(aborted);
  EXPECT_TRUE(client_.outcome("some id").reason);
}

TEST_F(Commit, AbortIsCertainWithoutACoordinatorWhenNobodyAskedToCommit) {
  auto transaction = transfer(impatient_);
  cluster_.first.port.close();
  cluster_.second.port.close();

  const auto result = transaction.abort();

  EXPECT_EQ(result.state, CommitState::kAborted);
  EXPECT_EQ(result.reason->code, ErrorCode::kUnavailable);
}

TEST_F(Commit, AbortAfterAnUnknownCommitTellsTheOutcome) {
  cluster_.first.commit.next(fake::Silence{});
  auto transaction = transfer(impatient_);
  ASSERT_EQ(transaction.commit().state, CommitState::kUnknown);
  wire::AbortReply too_late;
  too_late.outcome = wire::Outcome::COMMITTED;
  for (auto* coordinator : {&cluster_.first, &cluster_.second}) {
    coordinator->abort.next(too_late);
  }

  EXPECT_EQ(transaction.abort().state, CommitState::kCommitted);
  EXPECT_TRUE(transaction.commit().committed());
}

TEST_F(Commit, AnUnknownCommitStaysUnknownWhenTheAbortIsNotAnswered) {
  auto transaction = transfer(impatient_);
  cluster_.first.port.close();
  cluster_.second.port.close();
  ASSERT_EQ(transaction.commit().state, CommitState::kUnknown);
  EXPECT_EQ(transaction.abort().state, CommitState::kUnknown);
}

// ── outcome ─────────────────────────────────────────────────────────────────────────────────────

TEST_F(Commit, OutcomeTellsTheStatus) {
  const std::string id = client_.start().id();
  wire::StatusReply reply;
  reply.state = wire::TransactionState::COMMITTED;
  reply.pending = {"stock"};
  cluster_.first.status.next(reply);
  const auto committed = client_.outcome(id);
  EXPECT_TRUE(committed.committed());
  EXPECT_THAT(committed.pending, ElementsAre("stock"));
  EXPECT_EQ(cluster_.first.status.requests().at(0).transaction, id);

  reply.state = wire::TransactionState::ABORTED;
  cluster_.first.status.next(reply);
  EXPECT_EQ(client_.outcome(id).state, CommitState::kAborted);
}

TEST_F(Commit, OutcomeNeverTakesAMissingRecordForAnAbort) {
  const auto result = client_.outcome(client_.start().id());
  EXPECT_EQ(result.state, CommitState::kUnknown);
  EXPECT_EQ(result.reason->code, ErrorCode::kOutcomeUnknown);

  cluster_.first.status.next(Error{ErrorCode::kExpired, "older than the retention"});
  const auto expired = client_.outcome("some id");
  EXPECT_EQ(expired.state, CommitState::kUnknown);
  EXPECT_EQ(expired.reason->code, ErrorCode::kExpired);
}

TEST_F(Commit, OutcomeAsksTheOtherCoordinatorToo) {
  cluster_.first.port.close();
  wire::StatusReply reply;
  reply.state = wire::TransactionState::ABORTED;
  cluster_.second.status.next(reply);
  EXPECT_EQ(client_.outcome(client_.start().id()).state, CommitState::kAborted);
}

}  // namespace
}  // namespace assent
