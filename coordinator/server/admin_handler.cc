// The admin port of a replica: how this process is.
#include "coordinator/server/doctor.h"
#include "coordinator/server/handlers.h"
#include "runtime/rpc/admin.h"

namespace assent::coordinator {
namespace {

std::int64_t count(std::uint64_t value) {
  return static_cast<std::int64_t>(value);
}

rpc::ProcessStatus status(const Services& services) {
  const storage::WriteAheadLogCounters& log = services.log.counters();
  const commit::Office& office = services.office.office();
  const state::StateMachine& state = services.log.state();
  return {.ready = true,
          .facts = {{"cluster", services.config.cluster},
                    {"replica", to_string(services.config.replica)},
                    {"ballot", to_string(services.log.ballot())}},
          .counters = {{"log_records", count(log.records)},
                       {"log_bytes", count(log.bytes)},
                       {"log_flushes", count(log.flushes)},
                       {"log_replayed", count(services.log.replayed())},
                       {"committed", count(office.counters().committed)},
                       {"aborted", count(office.counters().aborted)},
                       {"one_phase", count(office.counters().one_phase)},
                       {"read_only_votes", count(office.counters().read_only_votes)},
                       {"one_shots", count(office.counters().one_shots)},
                       {"settles", count(office.counters().settles)},
                       {"presumed_aborted", count(office.counters().presumed_aborted)},
                       {"heuristic", count(office.counters().heuristic)},
                       {"driven", count(office.driven_count())},
                       {"retained", count(state.record_count())},
                       {"executed_slot", count(state.executed().value)}}};
}

}  // namespace

std::shared_ptr<apache::thrift::async::TAsyncProcessor> admin_processor(Services& services) {
  return rpc::admin_processor(
      "assent-coordinator", [&services] { return status(services); },
      [&services](auto done) { done(examine(services)); });
}

}  // namespace assent::coordinator
