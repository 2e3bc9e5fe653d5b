#include "integration/workload/admin.h"

#include <boost/asio/io_context.hpp>
#include <utility>

#include "runtime/rpc/call.h"
#include "wire/Admin.h"
#include "wire/common_constants.h"

namespace assent::workload {
namespace {

constexpr Millis kAnswerMax{3'000};

// Counts that only grow; docs/architecture.md tells all of them. Others are gauges.
constexpr const char* kGrowing[] = {
    "log_records", "log_bytes",       "log_flushes", "committed", "aborted",         "one_phase",
    "one_shots",   "read_only_votes", "settles",     "heuristic", "presumed_aborted"};

}  // namespace

Result<ProcessStatus> ask_admin(const std::string& address) {
  boost::asio::io_context loop(1);
  rpc::Client connection(loop, address);
  wire::ProcessStatusRequest request;
  request.protocol_version = wire::g_common_constants.PROTOCOL_VERSION;
  Result<ProcessStatus> status = failure(ErrorCode::kUnavailable, "no answer from " + address);
  ASSENT_CALL(wire::Admin, process_status, wire::ProcessStatusReply)
  (connection, request, kAnswerMax, [&](Result<wire::ProcessStatusReply> reply) {
    status = std::move(reply).map([](const wire::ProcessStatusReply& told) {
      return ProcessStatus{told.pid, told.ready, told.facts, told.counters};
    });
    loop.stop();
  });
  loop.run();
  return status;
}

bool leads(const ProcessStatus& replica) {
  const auto role = replica.facts.find("role");
  return role != replica.facts.end() && role->second == "leader";
}

std::map<std::string, std::int64_t> difference(const ProcessStatus& before,
                                               const ProcessStatus& after) {
  std::map<std::string, std::int64_t> grown;
  for (const char* name : kGrowing) {
    const auto now = after.counters.find(name);
    if (now == after.counters.end()) continue;
    const auto then = before.counters.find(name);
    const bool comparable = before.pid == after.pid && then != before.counters.end();
    grown[name] = now->second - (comparable ? then->second : 0);
  }
  return grown;
}

}  // namespace assent::workload
