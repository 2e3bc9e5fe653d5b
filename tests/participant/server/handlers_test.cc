// The agent's client and peer port, as far as no database is needed: requests that are refused, and
// what branches that never began are answered.
#include "participant/server/handlers.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <boost/asio/io_context.hpp>
#include <chrono>
#include <memory>
#include <optional>
#include <string>

#include "participant/postgres/libpq_connection.h"
#include "runtime/rpc/call.h"
#include "runtime/rpc/handler.h"
#include "runtime/rpc/ids.h"
#include "runtime/rpc/server.h"
#include "wire/Branches.h"
#include "wire/Participant.h"

namespace assent::participant {
namespace {

using rpc::versioned;
using ::testing::HasSubstr;

const TransactionId kId{0x0190000000007000ULL, 0x8000000000000001ULL, 1};

Ballot ballot(std::uint64_t round) {
  return Ballot{Incarnation(1), Round(round), ReplicaId(1)};
}

Config config_of_test() {
  Config config;
  config.cluster = "demo";
  config.participant = "orders";
  config.database.cluster = "demo";
  config.database.participant = "orders";
  return config;
}

class HandlersTest : public testing::Test {
 protected:
  HandlersTest()
      : config_(config_of_test()),
        database_(loop_, config_.database, postgres::LibpqConnection::open),
        services_{config_, database_, {}, nullptr, false},
        clients_(loop_, "client port", client_processor(services_), rpc::ServerLimits{}),
        peers_(loop_, "peer port", peer_processor(services_), rpc::ServerLimits{}),
        client_(loop_, address(clients_)),
        peer_(loop_, address(peers_)) {}

  static std::string address(rpc::Server& server) {
    return "127.0.0.1:" + std::to_string(server.listen("127.0.0.1:0").value());
  }

  // As after the epoch was claimed, and before the fence is complete.
  void be_enrolled() {
    services_.branches = std::make_unique<BranchRunner>(
        loop_, database_, branch::BranchTableOptions{.participant = "orders", .epoch = Epoch(3)},
        ballot(2));
  }
  void be_open() {
    be_enrolled();
    services_.open = true;
  }

  template <class Reply, class Request, class Call>
  Result<Reply> ask(Call call, rpc::Client& through, const Request& request) {
    std::optional<Result<Reply>> answer;
    call(through, request, Millis(5'000), [&](Result<Reply> done) { answer = std::move(done); });
    const auto give_up = std::chrono::steady_clock::now() + std::chrono::seconds(10);
    while (!answer && std::chrono::steady_clock::now() < give_up) {
      loop_.run_one_for(std::chrono::milliseconds(20));
    }
    return answer ? std::move(*answer) : failure(ErrorCode::kInternal, "the test waited in vain");
  }

  Result<wire::ExecuteReply> execute(const wire::ExecuteRequest& request) {
    return ask<wire::ExecuteReply>(ASSENT_CALL(wire::Branches, execute, wire::ExecuteReply),
                                   client_, request);
  }
  Result<wire::CancelReply> cancel(const wire::CancelRequest& request) {
    return ask<wire::CancelReply>(ASSENT_CALL(wire::Branches, cancel, wire::CancelReply), client_,
                                  request);
  }
  Result<wire::PrepareReply> prepare(const wire::PrepareRequest& request) {
    return ask<wire::PrepareReply>(ASSENT_CALL(wire::Participant, prepare, wire::PrepareReply),
                                   peer_, request);
  }
  Result<wire::FinishReply> finish(const wire::FinishRequest& request) {
    return ask<wire::FinishReply>(ASSENT_CALL(wire::Participant, finish, wire::FinishReply), peer_,
                                  request);
  }
  Result<wire::InventoryReply> inventory(const wire::InventoryRequest& request) {
    return ask<wire::InventoryReply>(
        ASSENT_CALL(wire::Participant, inventory, wire::InventoryReply), peer_, request);
  }
  Result<wire::SettleReply> settle(const wire::SettleRequest& request) {
    return ask<wire::SettleReply>(ASSENT_CALL(wire::Participant, settle, wire::SettleReply), peer_,
                                  request);
  }

  boost::asio::io_context loop_;
  const Config config_;
  postgres::Database database_;
  Services services_;
  rpc::Server clients_;
  rpc::Server peers_;
  rpc::Client client_;
  rpc::Client peer_;
};

wire::ExecuteRequest opening() {
  auto request = versioned<wire::ExecuteRequest>();
  request.transaction = to_string(kId);
  request.participant = "orders";
  request.statement_number = 1;
  request.statement.sql = "COMMIT";
  wire::OpenBranch start;
  start.nonce = "nonce";
  request.__set_start(start);
  return request;
}

wire::CancelRequest cancelling() {
  auto request = versioned<wire::CancelRequest>();
  request.transaction = to_string(kId);
  request.participant = "orders";
  return request;
}

// A one-shot, or with no statements a prepare of a branch that was never opened.
wire::PrepareRequest preparing(const std::vector<std::string>& statements) {
  auto request = versioned<wire::PrepareRequest>();
  request.ballot = rpc::to_wire(ballot(2));
  const Attempt attempt = statements.empty() ? Attempt(1) : one_shot_attempt({1, 1});
  request.branch = rpc::to_wire(BranchId{kId, "orders", Epoch(3), attempt});
  if (statements.empty()) return request;
  wire::OneShot one_shot;
  for (const std::string& sql : statements) one_shot.statements.emplace_back().sql = sql;
  request.__set_one_shot(one_shot);
  return request;
}

wire::SettleRequest settling(const std::string& participant, std::uint64_t round) {
  auto request = versioned<wire::SettleRequest>();
  request.ballot = rpc::to_wire(ballot(round));
  request.transaction = to_string(kId);
  request.participant = participant;
  return request;
}

wire::FinishRequest finishing() {
  auto request = versioned<wire::FinishRequest>();
  request.branch = rpc::to_wire(BranchId{kId, "orders", Epoch(3), Attempt(1)});
  request.outcome = wire::Outcome::ABORTED;
  return request;
}

wire::InventoryRequest listing() {
  auto request = versioned<wire::InventoryRequest>();
  request.cluster = "demo";
  return request;
}

// ── the client port ─────────────────────────────────────────────────────────────────────────────

TEST_F(HandlersTest, OpensNoBranchBeforeTheFenceIsComplete) {
  EXPECT_EQ(execute(opening()).error().code, ErrorCode::kUnavailable);
  be_enrolled();
  EXPECT_EQ(execute(opening()).error().code, ErrorCode::kUnavailable);
  services_.open = true;
  EXPECT_EQ(execute(opening()).error().code, ErrorCode::kTransactionControl);
}

TEST_F(HandlersTest, BoundsTheLifetimeOfABranch) {
  be_open();
  for (const std::int32_t lifetime : {-1, 0, 86'400'001}) {
    auto request = opening();
    request.start.__set_lifetime_ms(lifetime);
    const auto reply = execute(request);
    EXPECT_EQ(reply.error().code, ErrorCode::kInvalidArgument);
    EXPECT_THAT(reply.error().message, HasSubstr("lifetime_ms"));
    EXPECT_EQ(reply.error().participant, "orders");
  }
}

TEST_F(HandlersTest, KnowsTheIsolationLevels) {
  be_open();
  auto request = opening();
  wire::BranchMode mode;
  mode.__set_isolation(static_cast<wire::Isolation::type>(9));
  request.start.__set_mode(mode);
  EXPECT_EQ(execute(request).error().code, ErrorCode::kInvalidArgument);
}

TEST_F(HandlersTest, ChecksStatements) {
  be_open();
  auto request = opening();
  request.statement.__set_expected_rows(-1);
  EXPECT_THAT(execute(request).error().message, HasSubstr("expected_rows"));
}

TEST_F(HandlersTest, CancelNamesItsBranchInOneWay) {
  be_open();
  auto request = cancelling();
  EXPECT_EQ(cancel(request).error().code, ErrorCode::kInvalidArgument);
  request.__set_nonce("nonce");
  EXPECT_EQ(cancel(request).error().code, ErrorCode::kUnknownBranch);
  wire::BranchRef branch;
  branch.epoch = 3;
  branch.attempt = 1;
  request.__set_branch(branch);
  EXPECT_EQ(cancel(request).error().code, ErrorCode::kInvalidArgument);
  request.__isset.nonce = false;
  const auto reply = cancel(request);
  EXPECT_EQ(reply.error().code, ErrorCode::kUnknownBranch);
  EXPECT_EQ(reply.error().participant, "orders");
}

TEST_F(HandlersTest, CancelNeedsItsParticipantAndAnEpoch) {
  auto request = cancelling();
  request.__set_nonce("nonce");
  EXPECT_EQ(cancel(request).error().code, ErrorCode::kUnavailable);
  request.participant = "stock";
  EXPECT_EQ(cancel(request).error().code, ErrorCode::kUnknownParticipant);
}

// ── the peer port ───────────────────────────────────────────────────────────────────────────────

TEST_F(HandlersTest, AOneShotBeforeTheFenceIsAnErrorAndNoVote) {
  be_enrolled();
  EXPECT_EQ(prepare(preparing({"SELECT 1"})).error().code, ErrorCode::kUnavailable);
  const auto vote = prepare(preparing({}));
  ASSERT_TRUE(vote) << "an interactive branch needs no open agent to vote";
  EXPECT_EQ(vote->vote, wire::VoteKind::NO);
}

// Found by the simulator (seed 1004249): a one-phase prepare that an agent had refused while it was
// starting came a second time when it served, and committed what had been told to be aborted. What
// names no participant counts as never sent.
TEST_F(HandlersTest, R12WhatReachedAStartingAgentNamesItsParticipant) {
  const auto starting = prepare(preparing({"SELECT 1"}));
  EXPECT_EQ(starting.error().code, ErrorCode::kUnavailable);
  EXPECT_EQ(starting.error().participant, "orders");
  be_enrolled();
  const auto unfenced = prepare(preparing({"SELECT 1"}));
  EXPECT_EQ(unfenced.error().code, ErrorCode::kUnavailable);
  EXPECT_EQ(unfenced.error().participant, "orders");
}

TEST_F(HandlersTest, ARefusedOneShotSaysWhichStatement) {
  be_open();
  const auto vote = prepare(preparing({"SELECT 1", "COMMIT"}));
  ASSERT_TRUE(vote) << vote.error().message;
  EXPECT_EQ(vote->vote, wire::VoteKind::NO);
  EXPECT_FALSE(vote->__isset.results);
  EXPECT_EQ(vote->reason.code, wire::ErrorCode::TRANSACTION_CONTROL);
  EXPECT_EQ(vote->reason.participant, "orders");
  EXPECT_THAT(vote->reason.message, HasSubstr("statement 2"));
  EXPECT_EQ(services_.branches->table().counters().voted_no, 1u);
}

TEST_F(HandlersTest, ChecksAPrepare) {
  be_open();
  auto request = preparing({"SELECT 1"});
  request.__set_low_water(-1);
  EXPECT_THAT(prepare(request).error().message, HasSubstr("low_water"));
  request = preparing({"SELECT 1"});
  request.one_shot.statements[0].__set_expected_rows(-1);
  EXPECT_THAT(prepare(request).error().message, HasSubstr("expected_rows"));
  EXPECT_EQ(services_.branches->table().counters().voted_no, 0u) << "an error is no vote";
}

TEST_F(HandlersTest, ASettleIsForThisParticipantUnderTheNewestBallot) {
  EXPECT_EQ(settle(settling("orders", 2)).error().code, ErrorCode::kUnavailable);
  be_enrolled();
  EXPECT_EQ(settle(settling("stock", 2)).error().code, ErrorCode::kUnknownParticipant);
  EXPECT_EQ(settle(settling("orders", 1)).error().code, ErrorCode::kStaleBallot);
}

// Found when the port of an agent that was gone was taken by an agent of another cluster: it took
// the ballots of the first one's leader for those of its own, and refused its own for ever.
TEST_F(HandlersTest, R4R8WhatIsMeantForAnotherLifeIsRefusedWithItsBallot) {
  services_.nonce = "this life";
  be_open();
  const auto strange = [](auto request) {
    request.__set_life("another life");
    request.ballot = rpc::to_wire(ballot(9));
    return request;
  };
  const auto expect_refused = [](const auto& reply) {
    ASSERT_FALSE(reply);
    EXPECT_EQ(reply.error().code, ErrorCode::kUnavailable);
    EXPECT_THAT(reply.error().message, HasSubstr("participant orders of cluster demo"));
  };
  expect_refused(prepare(strange(preparing({"SELECT 1", "COMMIT"}))));
  expect_refused(settle(strange(settling("orders", 9))));
  expect_refused(finish(strange(finishing())));
  expect_refused(inventory(strange(listing())));
  EXPECT_EQ(services_.branches->table().ballot(), ballot(2));

  auto meant = preparing({"SELECT 1", "COMMIT"});
  meant.__set_life("this life");
  EXPECT_EQ(prepare(meant)->vote, wire::VoteKind::NO);
}

TEST_F(HandlersTest, ALifeNamesItselfBeforeItHasAnEpoch) {
  services_.nonce = "this life";
  auto request = versioned<wire::LifeRequest>();
  request.cluster = "demo";
  request.participant = "orders";
  const auto asked = [&] {
    return ask<wire::LifeReply>(ASSENT_CALL(wire::Participant, life, wire::LifeReply), peer_,
                                request);
  };

  EXPECT_EQ(asked()->nonce, "this life");
  request.participant = "stock";
  EXPECT_EQ(asked().error().code, ErrorCode::kUnknownParticipant);
  request.cluster = "another";
  EXPECT_EQ(asked().error().code, ErrorCode::kWrongCluster);
}

}  // namespace
}  // namespace assent::participant
