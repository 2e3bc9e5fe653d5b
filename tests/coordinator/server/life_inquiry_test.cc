// Who answers where an agent has enrolled, on real sockets.
#include "coordinator/server/life_inquiry.h"

#include <gtest/gtest.h>

#include <boost/asio/io_context.hpp>
#include <chrono>
#include <optional>

#include "runtime/rpc/handler.h"
#include "runtime/rpc/server.h"
#include "wire/Participant.h"

namespace assent::coordinator {
namespace {

// Answers nothing but who it is, and that only if it is told to.
class FakeAgent final : public wire::ParticipantCobSvNull {
 public:
  void life(rpc::Cob<wire::LifeReply> cob, rpc::ExnCob exn,
            const wire::LifeRequest& request) override {
    asked = request;
    if (silent) return held.push_back(cob);
    if (refusal) return rpc::answer<wire::LifeReply>(cob, exn, tl::unexpected(*refusal));
    auto reply = rpc::versioned<wire::LifeReply>();
    reply.nonce = nonce;
    rpc::answer<wire::LifeReply>(cob, exn, reply);
  }

  std::string nonce = "this life";
  bool silent = false;
  std::optional<Error> refusal;
  std::optional<wire::LifeRequest> asked;
  std::vector<rpc::Cob<wire::LifeReply>> held;
};

class LifeInquiryTest : public testing::Test {
 protected:
  LifeInquiryTest()
      : server_(loop_, "fake agent", std::make_shared<wire::ParticipantAsyncProcessor>(agent_),
                rpc::ServerLimits{}) {
    record_.nonce = "this life";
    record_.peer_address = "127.0.0.1:" + std::to_string(server_.listen("127.0.0.1:0").value());
  }
  ~LifeInquiryTest() override { agent_->held.clear(); }

  std::optional<Presence> ask() {
    std::optional<Presence> told;
    inquiry_->ask("orders", record_, [&](Presence presence) { told = presence; });
    EXPECT_FALSE(told.has_value()) << "never from inside the call";
    const auto give_up = std::chrono::steady_clock::now() + std::chrono::seconds(10);
    while (!told && std::chrono::steady_clock::now() < give_up) {
      loop_.run_one_for(std::chrono::milliseconds(20));
    }
    return told;
  }

  boost::asio::io_context loop_;
  std::shared_ptr<FakeAgent> agent_ = std::make_shared<FakeAgent>();
  rpc::Server server_;
  state::ParticipantRecord record_;
  std::optional<LifeInquiry> inquiry_ = std::optional<LifeInquiry>(std::in_place, loop_, "demo");
};

TEST_F(LifeInquiryTest, TheLifeThatEnrolledIsThere) {
  EXPECT_EQ(ask(), Presence::kThere);
  EXPECT_EQ(agent_->asked->cluster, "demo");
  EXPECT_EQ(agent_->asked->participant, "orders");
}

TEST_F(LifeInquiryTest, WhereALaterLifeAnswersTheEarlierOneIsGone) {
  agent_->nonce = "the next life";

  EXPECT_EQ(ask(), Presence::kGone);
}

TEST_F(LifeInquiryTest, WhereNobodyListensTheLifeIsGone) {
  record_.peer_address = "127.0.0.1:1";

  EXPECT_EQ(ask(), Presence::kGone);
}

TEST_F(LifeInquiryTest, WhereAnotherParticipantsAgentAnswersTheLifeIsGone) {
  agent_->refusal = Error{ErrorCode::kUnknownParticipant, "this agent serves stock"};

  EXPECT_EQ(ask(), Presence::kGone);
}

TEST_F(LifeInquiryTest, ALifeThatDoesNotAnswerMayBeThere) {
  agent_->silent = true;

  EXPECT_EQ(ask(), Presence::kUnknown);
}

TEST_F(LifeInquiryTest, ALifeThatDoesNotKnowTheQuestionMayBeThere) {
  agent_->refusal = Error{ErrorCode::kUnsupportedVersion, "an older one"};

  EXPECT_EQ(ask(), Presence::kUnknown);
}

TEST_F(LifeInquiryTest, NobodyIsToldWhenItIsGone) {
  bool told = false;
  inquiry_->ask("orders", record_, [&](Presence) { told = true; });

  inquiry_.reset();
  loop_.poll();

  EXPECT_FALSE(told);
}

}  // namespace
}  // namespace assent::coordinator
