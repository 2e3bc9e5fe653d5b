#include "integration/workload/admin.h"

#include <boost/asio/io_context.hpp>
#include <cstdio>
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

std::map<std::int32_t, ProcessStatus> ask_all(const std::vector<std::string>& admins) {
  std::map<std::int32_t, ProcessStatus> all;
  for (const std::string& admin : admins) {
    if (auto status = ask_admin(admin)) {
      all[status->pid] = std::move(*status);
    } else {
      std::fprintf(stderr, "no counters: %s\n", status.error().message.c_str());
    }
  }
  return all;
}

std::map<std::string, std::int64_t> leaders_counters(
    const std::map<std::int32_t, ProcessStatus>& before,
    const std::map<std::int32_t, ProcessStatus>& after) {
  for (const auto& [pid, replica] : after) {
    if (!leads(replica)) continue;
    const auto then = before.find(pid);
    return difference(then == before.end() ? ProcessStatus{} : then->second, replica);
  }
  return {};
}

}  // namespace assent::workload
