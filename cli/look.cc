#include "cli/look.h"

#include <boost/asio/io_context.hpp>
#include <functional>
#include <memory>
#include <optional>
#include <string_view>

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

}  // namespace

std::vector<Result<wire::ProcessStatusReply>> look_at_processes(
    const std::vector<std::string>& addresses) {
  return ask_all<wire::ProcessStatusReply>(addresses, [](rpc::Client& client, auto done) {
    ASSENT_CALL(wire::Admin, process_status, wire::ProcessStatusReply)
    (client, versioned<wire::ProcessStatusRequest>(), kLookMax, std::move(done));
  });
}

std::vector<Result<wire::DoctorReply>> call_doctors(const std::vector<std::string>& addresses) {
  return ask_all<wire::DoctorReply>(addresses, [](rpc::Client& client, auto done) {
    ASSENT_CALL(wire::Admin, doctor, wire::DoctorReply)
    (client, versioned<wire::DoctorRequest>(), kDoctorMax, std::move(done));
  });
}

std::vector<Result<wire::PreparedReply>> look_at_prepared(
    const std::vector<std::string>& addresses) {
  return ask_all<wire::PreparedReply>(addresses, [](rpc::Client& client, auto done) {
    ASSENT_CALL(wire::AgentInsight, prepared, wire::PreparedReply)
    (client, versioned<wire::PreparedRequest>(), kLookMax, std::move(done));
  });
}

std::vector<Result<wire::TraceReply>> trace(const std::vector<std::string>& addresses,
                                            const std::string& transaction) {
  return ask_all<wire::TraceReply>(addresses, [&](rpc::Client& client, auto done) {
    auto request = versioned<wire::TraceRequest>();
    request.transaction = transaction;
    ASSENT_CALL(wire::AgentInsight, trace, wire::TraceReply)
    (client, request, kLookMax, std::move(done));
  });
}

}  // namespace assent::cli
