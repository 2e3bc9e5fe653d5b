// The admin port of an agent: how this process is.
#include "participant/server/handlers.h"
#include "runtime/rpc/admin.h"

namespace assent::participant {
namespace {

std::int64_t count(std::uint64_t value) {
  return static_cast<std::int64_t>(value);
}

void add_branches(rpc::ProcessStatus& out, const branch::BranchTable& table) {
  const branch::BranchCounters& counters = table.counters();
  out.facts["ballot"] = to_string(table.ballot());
  out.counters.insert({{"branches_live", count(table.live_count())},
                       {"branches_opened", count(counters.opened)},
                       {"statements", count(counters.statements)},
                       {"voted_yes", count(counters.voted_yes)},
                       {"voted_no", count(counters.voted_no)},
                       {"voted_read_only", count(counters.voted_read_only)},
                       {"committed_one_phase", count(counters.committed_one_phase)},
                       {"one_shots", count(counters.one_shots)},
                       {"settled", count(counters.settled)},
                       {"cancelled", count(counters.cancelled)},
                       {"expired", count(counters.expired)},
                       {"committed", count(counters.committed)},
                       {"rolled_back", count(counters.rolled_back)},
                       {"idle_rolled_back", count(counters.idle_rolled_back)},
                       {"heuristic", count(counters.heuristic)}});
}

rpc::ProcessStatus status(const Services& services) {
  const postgres::DatabaseCounters& database = services.database.counters();
  rpc::ProcessStatus out{.ready = services.open && services.heard,
                         .facts = {{"cluster", services.config.cluster},
                                   {"participant", services.config.participant},
                                   {"epoch", to_string(services.enrolment.epoch)},
                                   {"coordinator", services.heard ? "heard" : "not heard"}},
                         .counters = {{"connects", count(database.connects)},
                                      {"connections_lost", count(database.connections_lost)},
                                      {"work_busy", count(database.work_busy)},
                                      {"work_waiting", count(database.work_waiting)},
                                      {"strangers", count(database.strangers)}}};
  if (services.branches) add_branches(out, services.branches->table());
  return out;
}

}  // namespace

std::shared_ptr<apache::thrift::async::TAsyncProcessor> admin_processor(Services& services) {
  return rpc::admin_processor(
      "assent-agent", [&services] { return status(services); },
      [&services](auto done) { services.database.doctor(std::move(done)); });
}

}  // namespace assent::participant
