#include "tests/simulation/group.h"

#include <memory>
#include <string>
#include <utility>

namespace assent::simulation {

Group::Group(Scheduler& scheduler, Trace& trace, const Setting& setting, Answered answered,
             OfficeChanged office_changed)
    : ledger(scheduler, setting.replicas, setting.options.state),
      witness(ledger, setting.hosts()),
      history(ledger, Dice(setting.seed, 4)),
      network(
          scheduler, Dice(setting.seed, 5),
          [this](const Sender& from, ReplicaId to, const paxos::Message& message) {
            hosts[to.value - 1]->arrive(from, message);
          },
          [this](ReplicaId at, ReplicaId peer) { hosts[at.value - 1]->lose(peer); }),
      setting_(setting),
      around_{
          scheduler,
          trace,
          ledger,
          witness,
          history,
          network,
          std::move(answered),
          [this](ReplicaId replica, Moment moment) { faults.moment(replica, moment); },
          std::move(office_changed),
          [this](ReplicaId by, const replica::PartAsked& asked) {
            network.carry(by, asked.of, [this, by, asked] {
              hosts[asked.of.value - 1]->asked_for_part(by, asked);
            });
          },
          [this](ReplicaId to, const replica::PartAsked& asked, std::optional<std::string> bytes) {
            network.carry(asked.of, to, [this, to, asked, bytes = std::move(bytes)] {
              hosts[to.value - 1]->got_part(asked, bytes);
            });
          },
          [this](const Sender& by, ReplicaId of) {
            network.carry(by.replica, of, [this, by, of] { hosts[of.value - 1]->greeted_by(by); });
          },
          [this](ReplicaId to, ReplicaId by, DiskIncarnation known) {
            network.carry(by, to, [this, to, by, known] {
              hosts[to.value - 1]->greeting_answered(by, known);
            });
          }},
      operators(scheduler, setting, ledger, hosts),
      faults(scheduler, trace, setting, network, hosts, operators, ledger) {
  for (std::uint32_t id = 1; id <= setting.hosts(); ++id) {
    hosts.push_back(std::make_unique<Host>(around_, setting, ReplicaId(id)));
  }
}

void Group::restore(const std::string& backup) {
  for (const auto& host : hosts) host->crash();
  const state::StateOptions& options = setting_.options.state;
  const auto state = state_of(backup, options);
  state->restore(id_of(backup));
  StoredSnapshot snapshot;
  std::string content;
  state->begin_snapshot();
  while (const auto chunk = state->next_chunk(setting_.snapshot_chunk_records)) {
    add_chunk(content, *chunk);
  }
  snapshot.info = {state->executed(), id_of(content), content.size()};
  snapshot.content = std::make_shared<const std::string>(std::move(content));
  ledger.restore(state_of(*snapshot.content, options));
  history.restore();
  witness.restore(state->executed());
  for (const auto& host : hosts) host->disk().begin_from(snapshot, setting_.hosts());
}

void Group::boot() {
  const auto founders = operators.replicas();
  for (const ReplicaId founder : founders) hosts[founder.value - 1]->install(founders);
  for (const auto& host : hosts) host->boot();
}

}  // namespace assent::simulation
