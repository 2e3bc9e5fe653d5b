#include "cli/look.h"

#include <algorithm>
#include <boost/asio/io_context.hpp>
#include <functional>
#include <memory>
#include <optional>
#include <string_view>
#include <utility>

#include "runtime/process.h"
#include "runtime/rpc/call.h"
#include "wire/AgentInsight.h"
#include "wire/common_constants.h"

namespace assent::cli {
namespace {

constexpr Millis kDoctorMax{10'000};  // it looks at many things, one by one

template <class Reply>
using Call = std::function<void(rpc::Client&, std::function<void(Result<Reply>)>)>;

// Which question it was is of no interest to who reads that it had no answer.
void drop_method(std::string& message) {
  for (const std::string_view method : {"process_status: ", "doctor: ", "prepared: ", "trace: "}) {
    if (message.starts_with(method)) return static_cast<void>(message.erase(0, method.size()));
  }
}

Error another_answers(const AgentAt& meant, const std::string& who, const std::string& cluster) {
  return {ErrorCode::kUnavailable, "at " + meant.address + " answers " + who +
                                       (cluster.empty() ? "" : " of cluster " + cluster)};
}

std::string agent_of(const std::string& participant) {
  return "the agent of participant " + participant;
}

// Empty: the process tells no such fact.
std::string fact(const wire::ProcessStatusReply& reply, const char* name) {
  const auto found = reply.facts.find(name);
  return found == reply.facts.end() ? std::string() : found->second;
}

bool is_meant(const AgentAt& meant, const std::string& participant, const std::string& cluster) {
  const bool same_cluster = cluster.empty() || meant.cluster.empty() || cluster == meant.cluster;
  return same_cluster && participant == meant.participant;
}

// The answer, if it is of the agent that is meant.
template <class Reply>
Result<Reply> only_of(const AgentAt& meant, Result<Reply> reply) {
  if (!reply || is_meant(meant, reply->participant, reply->cluster)) return reply;
  return tl::unexpected(another_answers(meant, agent_of(reply->participant), reply->cluster));
}

Result<wire::ProcessStatusReply> only_of(const AgentAt& meant,
                                         Result<wire::ProcessStatusReply> reply) {
  if (!reply) return reply;
  const std::string participant = fact(*reply, "participant");
  const std::string cluster = fact(*reply, "cluster");
  if (is_meant(meant, participant, cluster)) return reply;
  const std::string who = participant.empty() ? reply->program : agent_of(participant);
  return tl::unexpected(another_answers(meant, who, cluster));
}

std::vector<std::string> addresses_of(const std::vector<AgentAt>& agents) {
  std::vector<std::string> out;
  for (const AgentAt& agent : agents) out.push_back(agent.address);
  return out;
}

template <class Reply>
std::vector<Result<Reply>> only_of(const std::vector<AgentAt>& agents,
                                   std::vector<Result<Reply>> answers) {
  for (std::size_t i = 0; i < agents.size(); ++i) {
    answers[i] = only_of(agents[i], std::move(answers[i]));
  }
  return answers;
}

template <class Reply>
std::vector<Result<Reply>> ask_all(const std::vector<std::string>& addresses,
                                   const Call<Reply>& call) {
  boost::asio::io_context loop{1};
  std::vector<std::unique_ptr<rpc::Client>> clients;
  std::vector<std::optional<Result<Reply>>> answers(addresses.size());
  std::size_t missing = addresses.size();
  for (std::size_t i = 0; i < addresses.size(); ++i) {
    auto& client = clients.emplace_back(std::make_unique<rpc::Client>(loop, addresses[i]));
    call(*client, [&, i](Result<Reply> reply) {
      if (!reply) drop_method(reply.error().message);
      answers[i] = std::move(reply);
      --missing;
    });
  }
  while (missing > 0 && loop.run_one() > 0) {
  }
  std::vector<Result<Reply>> out;
  for (auto& answer : answers) {
    out.push_back(answer ? std::move(*answer) : failure(ErrorCode::kUnavailable, "no answer"));
  }
  return out;
}

template <class Request>
Request versioned() {
  Request request;
  request.protocol_version = wire::g_common_constants.PROTOCOL_VERSION;
  return request;
}

// All looks at once. The second question to somebody has what the first has left of kLookMax.
class Round {
 public:
  explicit Round(const std::vector<Look>& looks)
      : looks_(looks), begun_(process::monotonic_now()), missing_(looks.size()) {}

  std::vector<Seen> run() {
    for (const Look& look : looks_) {
      clients_.push_back(std::make_unique<rpc::Client>(loop_, look.address));
      const auto none = tl::unexpected(Error{ErrorCode::kUnavailable, "not asked"});
      seen_.push_back({none, none});
    }
    for (std::size_t i = 0; i < looks_.size(); ++i) {
      if (looks_[i].process) {
        ask_process(i);
      } else {
        ask_prepared(i);
      }
    }
    while (missing_ > 0 && loop_.run_one() > 0) {
    }
    return std::move(seen_);
  }

 private:
  void ask_process(std::size_t i) {
    ASSENT_CALL(wire::Admin, process_status, wire::ProcessStatusReply)
    (*clients_[i], versioned<wire::ProcessStatusRequest>(), left(),
     [this, i](Result<wire::ProcessStatusReply> reply) {
       if (looks_[i].agent) reply = only_of(*looks_[i].agent, std::move(reply));
       if (!reply) {
         drop_method(reply.error().message);
         seen_[i].prepared = tl::unexpected(reply.error());
       }
       seen_[i].process = std::move(reply);
       if (looks_[i].prepared && seen_[i].process) return ask_prepared(i);
       --missing_;
     });
  }

  void ask_prepared(std::size_t i) {
    ASSENT_CALL(wire::AgentInsight, prepared, wire::PreparedReply)
    (*clients_[i], versioned<wire::PreparedRequest>(), left(),
     [this, i](Result<wire::PreparedReply> reply) {
       if (looks_[i].agent) reply = only_of(*looks_[i].agent, std::move(reply));
       if (!reply) drop_method(reply.error().message);
       seen_[i].prepared = std::move(reply);
       --missing_;
     });
  }

  [[nodiscard]] Millis left() const {
    return std::max(Millis(0), kLookMax - (process::monotonic_now() - begun_));
  }

  const std::vector<Look>& looks_;
  const MonoTime begun_;
  std::size_t missing_;  // of those that were asked, who has not answered all
  std::vector<Seen> seen_;
  boost::asio::io_context loop_{1};  // outlives the clients
  std::vector<std::unique_ptr<rpc::Client>> clients_;
};

}  // namespace

std::vector<Seen> look_at(const std::vector<Look>& looks) {
  return Round(looks).run();
}

std::vector<Result<wire::DoctorReply>> call_doctors(const std::vector<std::string>& addresses) {
  return ask_all<wire::DoctorReply>(addresses, [](rpc::Client& client, auto done) {
    ASSENT_CALL(wire::Admin, doctor, wire::DoctorReply)
    (client, versioned<wire::DoctorRequest>(), kDoctorMax, std::move(done));
  });
}

std::vector<Result<wire::PreparedReply>> look_at_prepared(const std::vector<AgentAt>& agents) {
  return only_of(agents, ask_all<wire::PreparedReply>(addresses_of(agents), [](rpc::Client& client,
                                                                               auto done) {
                   ASSENT_CALL(wire::AgentInsight, prepared, wire::PreparedReply)
                   (client, versioned<wire::PreparedRequest>(), kLookMax, std::move(done));
                 }));
}

std::vector<Result<wire::TraceReply>> trace(const std::vector<AgentAt>& agents,
                                            const std::string& transaction) {
  return only_of(
      agents, ask_all<wire::TraceReply>(addresses_of(agents), [&](rpc::Client& client, auto done) {
        auto request = versioned<wire::TraceRequest>();
        request.transaction = transaction;
        ASSENT_CALL(wire::AgentInsight, trace, wire::TraceReply)
        (client, request, kLookMax, std::move(done));
      }));
}

}  // namespace assent::cli
