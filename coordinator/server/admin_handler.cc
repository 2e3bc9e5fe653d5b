// The admin port of a replica: how this process is.
#include "coordinator/server/doctor.h"
#include "coordinator/server/handlers.h"
#include "runtime/rpc/admin.h"

namespace assent::coordinator {
namespace {

std::int64_t count(std::uint64_t value) {
  return static_cast<std::int64_t>(value);
}

std::string role(const GroupLog& log) {
  // It leads, and has not executed its own no-op yet (R1).
  if (!log.admitted()) return "waiting";
  const std::string_view name = log.consensus().role_name();
  return name == "leader" && !log.serving() ? "elected" : std::string(name);
}

void add_office(std::map<std::string, std::int64_t>& out, const Services& services) {
  const commit::OfficeCounters office = services.office_counters();
  out["committed"] = count(office.committed);
  out["aborted"] = count(office.aborted);
  out["one_phase"] = count(office.one_phase);
  out["read_only_votes"] = count(office.read_only_votes);
  out["one_shots"] = count(office.one_shots);
  out["settles"] = count(office.settles);
  out["presumed_aborted"] = count(office.presumed_aborted);
  out["heuristic"] = count(office.heuristic);
  out["driven"] = services.term ? count(services.term->office.office().driven_count()) : 0;
}

void add_log(std::map<std::string, std::int64_t>& out, const GroupLog& log) {
  const storage::WriteAheadLogCounters& disk = log.storage().counters();
  const paxos::Consensus& consensus = log.consensus();
  out["log_records"] = count(disk.records);
  out["log_bytes"] = count(disk.bytes);
  out["log_flushes"] = count(disk.flushes);
  out["log_bytes_held"] = count(disk.bytes_held);
  out["log_segments_deleted"] = count(disk.segments_deleted);
  out["log_first_slot"] = count(log.storage().first().value);
  out["log_replayed"] = count(log.storage().replayed());
  out["retained"] = count(log.state().record_count());
  out["executed_slot"] = count(log.state().executed().value);
  out["chosen_slot"] = count(consensus.chosen_through().value);
  out["office_number"] = count(log.state().office_number());
  out["elections_begun"] = count(consensus.candidacies());
  out["elections_won"] = count(consensus.elections_won());
  out["peer_messages_dropped"] = count(log.peers().dropped());
  for (const auto& [peer, chosen] : consensus.peers_chosen()) {
    out["peer_" + to_string(peer) + "_chosen_slot"] = count(chosen.value);
  }
}

void add_snapshots(std::map<std::string, std::int64_t>& out, const GroupLog& log) {
  const SnapshotCounters& counters = log.snapshots().counters();
  const auto newest = log.storage().snapshots().newest();
  out["snapshot_slot"] = newest ? count(newest->through.value) : 0;
  out["snapshot_bytes"] = newest ? count(newest->bytes) : 0;
  out["snapshots_kept"] = count(log.storage().snapshots().kept().size());
  out["snapshots_written"] = count(counters.written);
  out["snapshots_fetched"] = count(counters.fetched);
  out["snapshots_failed"] = count(counters.failed);
  out["snapshot_pause_us_max"] = counters.pause_max_us;
  out["snapshot_install_us_max"] = counters.install_max_us;
  const auto fetched = log.snapshots().fetch().snapshot();
  out["fetch_slot"] = fetched ? count(fetched->through.value) : 0;
  out["fetch_bytes"] = fetched ? count(fetched->bytes) : 0;
  out["fetch_bytes_here"] = count(log.snapshots().fetch().have());
}

rpc::ProcessStatus status(const Services& services) {
  const GroupLog& log = services.log;
  const auto leader = log.leader();
  rpc::ProcessStatus out;
  out.ready = log.serving() || (leader && *leader != services.config.replica);
  out.facts = {{"cluster", services.config.cluster},
               {"replica", to_string(services.config.replica)},
               {"group", std::to_string(services.config.group.size())},
               {"role", role(log)},
               {"leader", leader ? to_string(*leader) : "none"},
               {"disk", log.disk_short() ? "short of space" : "has room"},
               {"ballot", to_string(log.consensus().highest_ballot())}};
  add_office(out.counters, services);
  add_log(out.counters, log);
  add_snapshots(out.counters, log);
  return out;
}

}  // namespace

std::shared_ptr<apache::thrift::async::TAsyncProcessor> admin_processor(Services& services) {
  return rpc::admin_processor(
      "assent-coordinator", [&services] { return status(services); },
      [&services](auto done) { done(examine(services)); });
}

}  // namespace assent::coordinator
