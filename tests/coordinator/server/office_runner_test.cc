// The office's shell against an agent made for the test, on real sockets.
#include "coordinator/server/office_runner.h"

#include <gtest/gtest.h>

#include <boost/asio/io_context.hpp>
#include <chrono>
#include <optional>
#include <vector>

#include "runtime/process.h"
#include "runtime/rpc/handler.h"
#include "runtime/rpc/ids.h"
#include "runtime/rpc/server.h"
#include "tests/coordinator/server/manual_log.h"
#include "wire/Participant.h"

namespace assent::coordinator {
namespace {

// Votes YES unless told otherwise. Answers a finish, or holds it for ever when told to.
class FakeAgent final : public wire::ParticipantCobSvIf {
 public:
  void prepare(rpc::Cob<wire::PrepareReply> cob, rpc::ExnCob exn,
               const wire::PrepareRequest& request) override {
    prepares.push_back(request);
    if (silent_at_prepare) return held_prepares.push_back(cob);
    auto reply = rpc::versioned<wire::PrepareReply>();
    reply.vote = vote;
    if (vote == wire::VoteKind::YES) reply.__set_evidence(rpc::to_wire(Evidence{9, 77, 1, 1'000}));
    if (request.__isset.one_shot) {
      wire::StatementResult result;
      result.command_tag = "UPDATE 1";
      reply.__set_results({result});
    }
    rpc::answer<wire::PrepareReply>(cob, exn, reply);
  }

  void settle(rpc::Cob<wire::SettleReply> cob, rpc::ExnCob exn,
              const wire::SettleRequest& request) override {
    settles.push_back(request);
    auto reply = rpc::versioned<wire::SettleReply>();
    reply.committed = true;
    rpc::answer<wire::SettleReply>(cob, exn, reply);
  }

  void finish(rpc::Cob<wire::FinishReply> cob, rpc::ExnCob exn,
              const wire::FinishRequest& request) override {
    finishes.push_back(request);
    if (silent) return held.push_back(cob);
    auto reply = rpc::versioned<wire::FinishReply>();
    reply.result = wire::FinishResult::DONE;
    rpc::answer<wire::FinishReply>(cob, exn, reply);
  }

  void inventory(rpc::Cob<wire::InventoryReply> cob, rpc::ExnCob exn,
                 const wire::InventoryRequest& request) override {
    ++inventories;
    inventory_requests.push_back(request);
    if (silent_about_inventory) return held_inventories.push_back(cob);
    rpc::answer<wire::InventoryReply>(cob, exn, inventory_reply);
  }

  void life(rpc::Cob<wire::LifeReply> cob, rpc::ExnCob exn, const wire::LifeRequest&) override {
    rpc::answer<wire::LifeReply>(cob, exn, rpc::versioned<wire::LifeReply>());
  }

  std::vector<wire::InventoryRequest> inventory_requests;
  bool silent = false;
  bool silent_at_prepare = false;
  std::vector<rpc::Cob<wire::PrepareReply>> held_prepares;
  bool silent_about_inventory = false;
  int inventories = 0;
  wire::InventoryReply inventory_reply = rpc::versioned<wire::InventoryReply>();
  std::vector<rpc::Cob<wire::InventoryReply>> held_inventories;
  wire::VoteKind::type vote = wire::VoteKind::YES;
  std::vector<wire::PrepareRequest> prepares;
  std::vector<wire::SettleRequest> settles;
  std::vector<wire::FinishRequest> finishes;
  std::vector<rpc::Cob<wire::FinishReply>> held;
};

struct AgentServer {
  explicit AgentServer(boost::asio::io_context& loop)
      : server(loop, "fake agent", std::make_shared<wire::ParticipantAsyncProcessor>(agent),
               rpc::ServerLimits{}),
        address("127.0.0.1:" + std::to_string(server.listen("127.0.0.1:0").value())) {}
  ~AgentServer() {  // a held call keeps its connection, and it the agent
    agent->held.clear();
    agent->held_prepares.clear();
    agent->held_inventories.clear();
  }

  std::shared_ptr<FakeAgent> agent = std::make_shared<FakeAgent>();
  rpc::Server server;
  std::string address;
};

class OfficeRunnerTest : public testing::Test {
 protected:
  OfficeRunnerTest() : first_(loop_), second_(loop_) {
    log_.execute(
        state::Enrolled{"orders", "nonce", Epoch(0), {77, 5}, 1, 1'000, "h:1", first_.address});
    runner_ = std::make_unique<OfficeRunner>(loop_, "demo", log_, commit::OfficeOptions{},
                                             /*one_shots_max=*/2);
    runner_->take_office();
  }

  template <class Condition>
  bool run_until(Condition condition) {
    const auto give_up = std::chrono::steady_clock::now() + std::chrono::seconds(20);
    while (!condition() && std::chrono::steady_clock::now() < give_up) {
      loop_.run_one_for(std::chrono::milliseconds(20));
      log_.execute_all();
    }
    return condition();
  }

  void commit() { ask({"orders", Epoch(1), Attempt(1), 1}); }
  void commit_one_shot(bool first) {
    auto work = std::make_shared<OneShotBranch>();
    work->statements = {{"UPDATE t SET x = $1", {std::nullopt}, Millis(7), 1}};
    ask({"orders", Epoch(0), Attempt(0), 0, work}, first);
  }
  void ask(commit::RequestedBranch branch, bool first = true) {
    commit::CommitAsked asked;
    asked.transaction = make_transaction_id(log_.now(), number_, 2, 3);
    asked.branches = {std::move(branch)};
    if (first) asked.first_in = log_.state().office_number();
    runner_->commit(asked,
                    [this](Result<commit::CommitAnswer> done) { answer_ = std::move(done); });
  }

  boost::asio::io_context loop_;
  ManualLog log_;
  AgentServer first_;
  AgentServer second_;
  std::uint64_t number_ = 1;  // of the next transaction
  std::optional<Result<commit::CommitAnswer>> answer_;
  std::unique_ptr<OfficeRunner> runner_;
};

TEST_F(OfficeRunnerTest, CommitsWithAnAgent) {
  commit();

  ASSERT_TRUE(run_until([&] { return answer_.has_value(); }));
  ASSERT_TRUE(answer_->has_value()) << answer_->error().message;
  EXPECT_EQ((*answer_)->outcome, Outcome::kCommitted);
  ASSERT_EQ(first_.agent->finishes.size(), 1u);
  EXPECT_EQ(first_.agent->finishes[0].evidence.xid, 9);
}

TEST_F(OfficeRunnerTest, AOneShotTravelsWithItsPrepareAndItsResultsComeBack) {
  first_.agent->vote = wire::VoteKind::READ_ONLY;
  commit_one_shot(/*first=*/true);

  ASSERT_TRUE(run_until([&] { return answer_.has_value(); }));
  ASSERT_TRUE(answer_->has_value()) << answer_->error().message;
  ASSERT_EQ(first_.agent->prepares.size(), 1u);
  const wire::PrepareRequest& sent = first_.agent->prepares[0];
  EXPECT_EQ(sent.branch.attempt,
            static_cast<std::int64_t>(one_shot_attempt({log_.state().office_number(), 1}).value));
  EXPECT_EQ(sent.low_water, 1);
  EXPECT_FALSE(sent.__isset.one_phase);
  ASSERT_EQ(sent.one_shot.statements.size(), 1u);
  EXPECT_EQ(sent.one_shot.statements[0].sql, "UPDATE t SET x = $1");
  EXPECT_FALSE(sent.one_shot.statements[0].parameters[0].__isset.text);
  EXPECT_EQ((*answer_)->read_only, std::vector<std::string>{"orders"});
  ASSERT_EQ((*answer_)->results.size(), 1u);
  EXPECT_EQ((*answer_)->results[0].results->at(0).command_tag, "UPDATE 1");
}

TEST_F(OfficeRunnerTest, OneShotsBeyondWhatMayBeUnderWayAtAnAgentAreRefusedAtOnce) {
  first_.agent->silent_at_prepare = true;
  for (number_ = 1; number_ <= 2; ++number_) commit_one_shot(/*first=*/true);
  ASSERT_TRUE(run_until([&] { return first_.agent->prepares.size() == 2; }));
  ASSERT_FALSE(answer_.has_value());

  commit_one_shot(/*first=*/true);

  ASSERT_TRUE(answer_.has_value());
  ASSERT_FALSE(answer_->has_value());
  EXPECT_EQ(answer_->error().code, ErrorCode::kOverloaded);
  EXPECT_EQ(answer_->error().participant, "orders");
  EXPECT_NE(answer_->error().message.find("2 one-shots are under way at orders"),
            std::string::npos);
}

TEST_F(OfficeRunnerTest, WhatTheClientHasOpenedIsNeverRefusedForOneShots) {
  first_.agent->silent_at_prepare = true;
  for (number_ = 1; number_ <= 2; ++number_) commit_one_shot(/*first=*/true);
  ASSERT_TRUE(run_until([&] { return first_.agent->prepares.size() == 2; }));
  first_.agent->silent_at_prepare = false;

  commit();

  ASSERT_TRUE(run_until([&] { return answer_.has_value(); }));
  ASSERT_TRUE(answer_->has_value()) << answer_->error().message;
  EXPECT_EQ((*answer_)->outcome, Outcome::kCommitted);
}

TEST_F(OfficeRunnerTest, AConfirmedCommitMakesRoomForTheNextOneShot) {
  for (number_ = 1; number_ <= 5; ++number_) {
    answer_.reset();
    commit_one_shot(/*first=*/true);
    ASSERT_TRUE(run_until([&] { return answer_.has_value(); }));
    ASSERT_TRUE(answer_->has_value()) << answer_->error().message;
  }
  EXPECT_EQ(first_.agent->prepares.size(), 5u);
}

TEST_F(OfficeRunnerTest, ASettleIsSentAndAnswered) {
  commit_one_shot(/*first=*/false);

  ASSERT_TRUE(run_until([&] { return answer_.has_value(); }));
  ASSERT_TRUE(answer_->has_value()) << answer_->error().message;
  ASSERT_EQ(first_.agent->settles.size(), 1u);
  EXPECT_EQ(first_.agent->settles[0].participant, "orders");
  EXPECT_TRUE((*answer_)->one_phase);
  EXPECT_TRUE((*answer_)->results_unavailable);
}

TEST_F(OfficeRunnerTest, ACommitInOnePhaseIsAskedForAndBelieved) {
  log_.execute(state::Enrolled{
      "orders", "another", Epoch(1), {77, 5}, 1, 1'000, "h:1", first_.address, true});
  first_.agent->vote = wire::VoteKind::COMMITTED;
  commit();

  ASSERT_TRUE(run_until([&] { return answer_.has_value(); }));
  ASSERT_TRUE(answer_->has_value()) << answer_->error().message;
  EXPECT_TRUE(first_.agent->prepares.at(0).one_phase);
  EXPECT_TRUE((*answer_)->one_phase);
}

TEST_F(OfficeRunnerTest, AFinishInFlightToAnAgentThatMovedIsSentToItsNewAddress) {
  first_.agent->silent = true;
  commit();
  ASSERT_TRUE(run_until([&] { return !first_.agent->finishes.empty(); }));

  runner_->follow("orders", second_.address, "the next life");

  EXPECT_TRUE(run_until([&] { return !second_.agent->finishes.empty(); }));
  EXPECT_TRUE(run_until([&] { return answer_.has_value(); }));
}

// The address of an agent that is gone may be a stranger's by now.
TEST_F(OfficeRunnerTest, R8EveryRequestNamesTheLifeThatIsMeant) {
  commit_one_shot(/*first=*/true);
  ASSERT_TRUE(run_until([&] { return !first_.agent->finishes.empty(); }));
  ASSERT_TRUE(run_until([&] { return !first_.agent->inventory_requests.empty(); }));

  EXPECT_EQ(first_.agent->prepares.at(0).life, "nonce");
  EXPECT_EQ(first_.agent->finishes.at(0).life, "nonce");
  EXPECT_EQ(first_.agent->inventory_requests.at(0).life, "nonce");

  runner_->follow("orders", first_.address, "the next life");
  number_ = 2;
  commit();

  ASSERT_TRUE(run_until([&] { return first_.agent->prepares.size() == 2; }));
  EXPECT_EQ(first_.agent->prepares.at(1).life, "the next life");
}

TEST_F(OfficeRunnerTest, AnIdleLogKeepsItsTime) {
  const Slot before = log_.state().executed();
  log_.idle = Millis(10'000);

  EXPECT_TRUE(run_until([&] { return log_.state().executed() > before; }));
  EXPECT_EQ(log_.state().time(), log_.now());
}

// R3: what was proposed may still be chosen, whoever leads next.
TEST_F(OfficeRunnerTest, WhoWaitsWhenTheOfficeIsLostIsToldThatNothingIsKnown) {
  first_.agent->silent = true;
  commit();
  ASSERT_TRUE(run_until([&] { return !first_.agent->finishes.empty(); }));

  runner_->lose_office();

  ASSERT_TRUE(answer_.has_value());
  EXPECT_EQ(answer_->error().code, ErrorCode::kOutcomeUnknown);
}

// The first inventory may have been read before the agent recovered.
TEST_F(OfficeRunnerTest, AnAgentThatRecoversIsAskedForItsInventoryAgainAtOnce) {
  first_.agent->silent_about_inventory = true;
  ASSERT_TRUE(run_until([&] { return first_.agent->inventories == 1; }));

  runner_->recovered("orders");
  first_.agent->silent_about_inventory = false;
  first_.agent->held_inventories.at(0)(rpc::versioned<wire::InventoryReply>());
  const auto begun = process::monotonic_now();

  ASSERT_TRUE(run_until([&] { return first_.agent->inventories == 2; }));
  EXPECT_LT(process::monotonic_now() - begun, Millis(900)) << "not only with the next round";
}

TEST_F(OfficeRunnerTest, WhatAnInventoryFindsIsFinishedWithItsEvidence) {
  const TransactionId prepared = make_transaction_id(log_.now(), 1, 2, 3);
  const TransactionId ended = make_transaction_id(log_.now(), 4, 5, 6);
  wire::InventoryReply& reply = first_.agent->inventory_reply;
  reply.prepared.push_back(rpc::to_wire(BranchId{prepared, "orders", Epoch(1), Attempt(1)}));
  reply.__set_evidence({rpc::to_wire(Evidence{11, 77, 1, 1'000})});
  wire::FoundBranch unheard;
  unheard.branch = rpc::to_wire(BranchId{ended, "orders", Epoch(1), Attempt(2)});
  unheard.evidence = rpc::to_wire(Evidence{12, 77, 1, 1'000});
  reply.__set_ended({unheard});

  ASSERT_TRUE(run_until([&] { return first_.agent->finishes.size() >= 2; }));

  for (const wire::FinishRequest& finish : first_.agent->finishes) {
    EXPECT_EQ(finish.outcome, wire::Outcome::ABORTED);
    EXPECT_EQ(finish.evidence.xid, finish.branch.attempt == 1 ? 11 : 12);
  }
}

TEST_F(OfficeRunnerTest, AnInventoryThatIsNotAnsweredDoesNotKeepOthersOff) {
  first_.agent->silent_about_inventory = true;
  ASSERT_TRUE(run_until([&] { return first_.agent->inventories == 1; }));
  const auto begun = process::monotonic_now();

  ASSERT_TRUE(run_until([&] { return first_.agent->inventories == 2; }));
  EXPECT_LT(process::monotonic_now() - begun, Millis(4'000));
}

}  // namespace
}  // namespace assent::coordinator
