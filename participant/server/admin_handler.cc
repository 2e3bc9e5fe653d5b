// The admin port of an agent: how this process is.
#include <unistd.h>

#include <memory>

#include "base/version.h"
#include "participant/server/handlers.h"
#include "runtime/process.h"
#include "runtime/rpc/handler.h"
#include "wire/Admin.h"

namespace assent::participant {
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
    out.program = "assent-agent";
    out.version = kVersion;
    out.pid = getpid();
    out.uptime_ms = (process::monotonic_now() - services_.started).value;
    out.ready = services_.open;
    out.facts["cluster"] = services_.config.cluster;
    out.facts["participant"] = services_.config.participant;
    out.facts["epoch"] = to_string(services_.enrolment.epoch);
    const postgres::DatabaseCounters& database = services_.database.counters();
    out.counters = {
        {"connects", count(database.connects)},
        {"connections_lost", count(database.connections_lost)},
        {"work_busy", count(database.work_busy)},
        {"work_waiting", count(database.work_waiting)},
    };
    if (services_.branches) add_branches(out);
    return out;
  }

  void add_branches(wire::ProcessStatusReply& out) const {
    const branch::BranchTable& table = services_.branches->table();
    const branch::BranchCounters& counters = table.counters();
    out.facts["ballot"] = to_string(table.ballot());
    out.counters.insert({
        {"branches_live", count(table.live_count())},
        {"branches_opened", count(counters.opened)},
        {"statements", count(counters.statements)},
        {"voted_yes", count(counters.voted_yes)},
        {"voted_no", count(counters.voted_no)},
        {"committed", count(counters.committed)},
        {"rolled_back", count(counters.rolled_back)},
        {"idle_rolled_back", count(counters.idle_rolled_back)},
        {"heuristic", count(counters.heuristic)},
    });
  }

  Services& services_;
};

}  // namespace

std::shared_ptr<apache::thrift::async::TAsyncProcessor> admin_processor(Services& services) {
  return std::make_shared<wire::AdminAsyncProcessor>(std::make_shared<AdminHandler>(services));
}

}  // namespace assent::participant
