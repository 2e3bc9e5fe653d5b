// The admin port of a replica: how this process is.
#include <unistd.h>

#include <memory>

#include "base/version.h"
#include "coordinator/server/handlers.h"
#include "runtime/process.h"
#include "runtime/rpc/handler.h"
#include "wire/Admin.h"

namespace assent::coordinator {
namespace {

std::int64_t count(std::uint64_t value) {
  return static_cast<std::int64_t>(value);
}

class AdminHandler final : public wire::AdminCobSvIf {
 public:
  explicit AdminHandler(Services& services) : services_(services) {}

  void process_status(rpc::Cob<wire::ProcessStatusReply> cob, rpc::ExnCob exn,
                      const wire::ProcessStatusRequest& request) override {
    rpc::answer(cob, exn,
                rpc::check_version(request.protocol_version).map([this] { return reply(); }));
  }

 private:
  wire::ProcessStatusReply reply() const {
    auto out = rpc::versioned<wire::ProcessStatusReply>();
    out.program = "assent-coordinator";
    out.version = kVersion;
    out.pid = getpid();
    out.uptime_ms = (process::monotonic_now() - services_.started).value;
    out.ready = true;
    out.facts["cluster"] = services_.config.cluster;
    out.facts["replica"] = to_string(services_.config.replica);
    out.facts["ballot"] = to_string(services_.log.ballot());
    const storage::WriteAheadLogCounters& log = services_.log.counters();
    const commit::Office& office = services_.office.office();
    const state::StateMachine& state = services_.log.state();
    out.counters = {
        {"log_records", count(log.records)},
        {"log_bytes", count(log.bytes)},
        {"log_flushes", count(log.flushes)},
        {"log_replayed", count(services_.log.replayed())},
        {"committed", count(office.counters().committed)},
        {"aborted", count(office.counters().aborted)},
        {"presumed_aborted", count(office.counters().presumed_aborted)},
        {"heuristic", count(office.counters().heuristic)},
        {"driven", count(office.driven_count())},
        {"retained", count(state.record_count())},
        {"executed_slot", count(state.executed().value)},
    };
    return out;
  }

  Services& services_;
};

}  // namespace

std::shared_ptr<apache::thrift::async::TAsyncProcessor> admin_processor(Services& services) {
  return std::make_shared<wire::AdminAsyncProcessor>(std::make_shared<AdminHandler>(services));
}

}  // namespace assent::coordinator
