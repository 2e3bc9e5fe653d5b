#include "coordinator/server/life_inquiry.h"

#include <algorithm>
#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <utility>

#include "runtime/rpc/call.h"
#include "wire/Participant.h"
#include "wire/common_constants.h"

namespace assent::coordinator {
namespace {

// Who waits for it repeats its request after less than two seconds.
constexpr Millis kInquiryMax{500};

// Somebody else has taken the address since.
bool answers_for_another(ErrorCode code) {
  return code == ErrorCode::kUnknownParticipant || code == ErrorCode::kWrongCluster;
}

}  // namespace

struct LifeInquiry::Question {
  Question(boost::asio::io_context& loop, const state::ParticipantRecord& life)
      : client(loop, life.peer_address, {.connect_max = kInquiryMax}), nonce(life.nonce) {}

  [[nodiscard]] Presence conclude(const Result<wire::LifeReply>& reply) const {
    if (reply) return reply->nonce == nonce ? Presence::kThere : Presence::kGone;
    const bool gone = client.refused() || answers_for_another(reply.error().code);
    return gone ? Presence::kGone : Presence::kUnknown;
  }

  rpc::Client client;
  const std::string nonce;
  std::function<void(Presence)> done;
};

LifeInquiry::LifeInquiry(boost::asio::io_context& loop, std::string cluster)
    : loop_(loop), cluster_(std::move(cluster)) {}

LifeInquiry::~LifeInquiry() = default;

void LifeInquiry::ask(const std::string& participant, const state::ParticipantRecord& life,
                      std::function<void(Presence)> done) {
  auto& question = questions_.emplace_back(std::make_unique<Question>(loop_, life));
  question->done = std::move(done);
  wire::LifeRequest request;
  request.protocol_version = wire::g_common_constants.PROTOCOL_VERSION;
  request.cluster = cluster_;
  request.participant = participant;
  ASSENT_CALL(wire::Participant, life, wire::LifeReply)
  (question->client, request, kInquiryMax,
   [this, asked = question.get()](const Result<wire::LifeReply>& reply) {
     end(asked, asked->conclude(reply));
   });
}

// The client is at work in this call: it goes later.
void LifeInquiry::end(const Question* question, Presence presence) {
  const auto found = std::find_if(questions_.begin(), questions_.end(),
                                  [&](const auto& each) { return each.get() == question; });
  std::shared_ptr<Question> ended = std::move(*found);
  questions_.erase(found);
  boost::asio::post(loop_, [ended] {});
  ended->done(presence);
}

}  // namespace assent::coordinator
