// The admin port of a replica: how this process is, and who the group's replicas are.
#include <algorithm>
#include <set>

#include "base/check.h"
#include "coordinator/server/doctor.h"
#include "coordinator/server/handlers.h"
#include "coordinator/server/heuristics_wire.h"
#include "coordinator/server/insight.h"
#include "coordinator/server/paxos_wire.h"
#include "coordinator/server/withdrawals_wire.h"
#include "runtime/logging.h"
#include "runtime/rpc/address.h"
#include "runtime/rpc/admin.h"
#include "runtime/rpc/handler.h"
#include "wire/CoordinatorInsight.h"

namespace assent::coordinator {
namespace {

using rpc::answer;
using rpc::Cob;
using rpc::ExnCob;

std::int64_t count(std::uint64_t value) {
  return static_cast<std::int64_t>(value);
}

std::string role(const GroupLog& log) {
  // It leads, and has not executed its own no-op yet (R1).
  if (!log.admitted()) return "waiting";
  const std::string_view name = log.consensus().role_name();
  return name == "leader" && !log.serving() ? "elected" : std::string(name);
}

// Damage that others have repaired is on the disk until snapshots have taken its place.
std::string state_of_log(const GroupLog& log) {
  if (log.consensus().recovering()) return "recovering";
  return log.storage().damage().empty() ? "whole" : "repaired";
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
  services.answered.tell(out);
  const state::Heuristics& heuristics = services.log.state().heuristics();
  out["heuristics_kept"] = count(heuristics.kept().size());
  out["heuristics_untold"] = count(heuristics.untold());
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
  out["disks_agreed"] = std::ranges::count_if(log.state().membership().replicas(),
                                              [](const auto& one) { return one.second.disk != 0; });
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
               {"group", std::to_string(log.consensus().group().members().size())},
               {"role", role(log)},
               {"leader", leader ? to_string(*leader) : "none"},
               {"log", state_of_log(log)},
               {"disk", log.disk_short() ? "short of space" : "has room"},
               {"ballot", to_string(log.consensus().highest_ballot())}};
  add_office(out.counters, services);
  add_log(out.counters, log);
  add_snapshots(out.counters, log);
  return out;
}

// As for elections (paxos::Options::lag_max): who is let in could stand, and be welcome.
constexpr std::uint64_t kPromotionLagMax = 1'024;

class GroupHandler final : public wire::CoordinatorInsightCobSvIf {
 public:
  explicit GroupHandler(Services& services)
      : services_(services),
        process_(rpc::admin_handler(
            "assent-coordinator", [&services] { return status(services); },
            [&services](auto done) { done(examine(services)); })) {}

  void process_status(Cob<wire::ProcessStatusReply> cob, ExnCob exn,
                      const wire::ProcessStatusRequest& request) override {
    process_->process_status(std::move(cob), std::move(exn), request);
  }

  void doctor(Cob<wire::DoctorReply> cob, ExnCob exn, const wire::DoctorRequest& request) override {
    process_->doctor(std::move(cob), std::move(exn), request);
  }

  void group(Cob<wire::GroupReply> cob, ExnCob exn, const wire::GroupRequest& request) override {
    if (auto known = check(request.protocol_version); !known) {
      return answer<wire::GroupReply>(cob, exn, tl::unexpected(known.error()));
    }
    // Who was succeeded, and has not heard of it, would name too low a chosen slot.
    services_.log.read([this, cob, exn](bool current) {
      if (current) return answer<wire::GroupReply>(cob, exn, group_reply());
      answer<wire::GroupReply>(cob, exn, tl::unexpected(not_leader()));
    });
  }

  void change_group(Cob<wire::ChangeGroupReply> cob, ExnCob exn,
                    const wire::ChangeGroupRequest& request) override {
    auto command =
        check(request.protocol_version).and_then([&] { return change_from_wire(request); });
    if (!command) {
      return answer<wire::ChangeGroupReply>(cob, exn, tl::unexpected(command.error()));
    }
    propose(std::move(*command), [cob, exn](Result<state::CommandResult> result) {
      answer(cob, exn, std::move(result).map([](const state::CommandResult& changed) {
        const auto* governs = std::get_if<state::GroupGoverns>(&changed);
        CHECK(governs != nullptr, "a change of the group is refused, or governs from some slot on");
        auto reply = rpc::versioned<wire::ChangeGroupReply>();
        reply.governs_from = static_cast<std::int64_t>(governs->from.value);
        return reply;
      }));
    });
  }

  void heuristics(Cob<wire::HeuristicsReply> cob, ExnCob exn,
                  const wire::HeuristicsRequest& request) override {
    answer(cob, exn, check(request.protocol_version).map([this] {
      return to_wire(services_.log.state().heuristics());
    }));
  }

  void forget_heuristic(Cob<wire::ForgetHeuristicReply> cob, ExnCob exn,
                        const wire::ForgetHeuristicRequest& request) override {
    auto command = check(request.protocol_version).and_then([&] { return from_wire(request); });
    if (!command) {
      return answer<wire::ForgetHeuristicReply>(cob, exn, tl::unexpected(command.error()));
    }
    log::warning("an operator forgets branches that ended otherwise than decided",
                 {{"transaction", request.transaction},
                  {"untold", std::to_string(request.untold)},
                  {"operator", request.operator_name},
                  {"reason", request.reason}});
    propose(std::move(*command), [cob, exn](Result<state::CommandResult> result) {
      answer(cob, exn, std::move(result).map([](const state::CommandResult& forgotten) {
        auto reply = rpc::versioned<wire::ForgetHeuristicReply>();
        reply.forgotten = std::holds_alternative<state::TookEffect>(forgotten);
        return reply;
      }));
    });
  }

  void resolve(Cob<wire::ResolveReply> cob, ExnCob exn,
               const wire::ResolveRequest& request) override {
    auto command = check(request.protocol_version)
                       .and_then([&] { return from_wire(request); })
                       .and_then([&](state::HeuristicResolved asked) { return resolvable(asked); });
    if (!command) return answer<wire::ResolveReply>(cob, exn, tl::unexpected(command.error()));
    log::warning("an operator decides about a transaction without a record",
                 {{"transaction", to_string(command->transaction)},
                  {"outcome", std::string(name(command->outcome))},
                  {"operator", command->operator_name},
                  {"reason", command->reason}});
    const TransactionId transaction = command->transaction;
    propose(
        std::move(*command), [this, cob, exn, transaction](Result<state::CommandResult> result) {
          answer(cob, exn, std::move(result).and_then([&](const state::CommandResult& resolved) {
            return resolve_reply(transaction, resolved);
          }));
        });
  }

  void change_participant(Cob<wire::ChangeParticipantReply> cob, ExnCob exn,
                          const wire::ChangeParticipantRequest& request) override {
    auto command =
        check(request.protocol_version).and_then([&] { return command_of(services_, request); });
    if (!command) {
      return answer<wire::ChangeParticipantReply>(cob, exn, tl::unexpected(command.error()));
    }
    auto reply = rpc::versioned<wire::ChangeParticipantReply>();
    const bool abandons = request.change == wire::ParticipantChange::ABANDON;
    reply.changed = !is_so(services_.log.state(), request);
    if (abandons) (void)tell_unconfirmed(services_, request.participant, reply);
    if (request.dry_run) return answer<wire::ChangeParticipantReply>(cob, exn, reply);
    log::warning("an operator changes whether a participant takes part",
                 {{"participant", request.participant},
                  {"change", wire::to_string(request.change)},
                  {"operator", request.operator_name},
                  {"reason", request.reason}});
    if (abandons) return abandon(cob, exn, std::move(*command), request);
    const bool removes = request.change == wire::ParticipantChange::REMOVE;
    if (removes) services_.term->office.leaves(request.participant);
    propose(std::move(*command), [this, cob, exn, reply, removes,
                                  name = request.participant](Result<state::CommandResult> result) {
      if (removes && services_.term) services_.term->office.left(name);
      answer(cob, exn, std::move(result).map([&](const state::CommandResult&) { return reply; }));
    });
  }

  void backup(Cob<wire::BackupReply> cob, ExnCob exn, const wire::BackupRequest& request) override {
    if (auto known = rpc::check_version(request.protocol_version); !known) {
      return answer<wire::BackupReply>(cob, exn, tl::unexpected(known.error()));
    }
    if (auto enough = has_executed(request); !enough) {
      return answer<wire::BackupReply>(cob, exn, tl::unexpected(enough.error()));
    }
    services_.log.backup([this, cob, exn](Result<storage::SnapshotInfo> taken) {
      answer(cob, exn, std::move(taken).map([this](const storage::SnapshotInfo& snapshot) {
        auto reply = rpc::versioned<wire::BackupReply>();
        reply.snapshot =
            to_wire(paxos::SnapshotInfo{snapshot.through, snapshot.id, snapshot.bytes});
        reply.cluster = services_.config.cluster;
        reply.replica = static_cast<std::int32_t>(services_.config.replica.value);
        return reply;
      }));
    });
  }

  void backup_part(Cob<wire::BackupPartReply> cob, ExnCob exn,
                   const wire::BackupPartRequest& request) override {
    auto part = rpc::check_version(request.protocol_version)
                    .and_then([&] { return from_wire(request.snapshot); })
                    .and_then([&](const paxos::SnapshotInfo& snapshot) {
                      return services_.log.snapshot_part(
                          snapshot, static_cast<std::uint64_t>(request.offset));
                    });
    answer<wire::BackupPartReply>(cob, exn, std::move(part).map([](std::string bytes) {
      auto reply = rpc::versioned<wire::BackupPartReply>();
      reply.bytes = std::move(bytes);
      return reply;
    }));
  }

  void participants(Cob<wire::ParticipantsReply> cob, ExnCob exn,
                    const wire::ParticipantsRequest& request) override {
    answer(cob, exn, coordinator::participants(services_, request));
  }

  void transactions(Cob<wire::TransactionsReply> cob, ExnCob exn,
                    const wire::TransactionsRequest& request) override {
    answer(cob, exn, coordinator::transactions(services_, request));
  }

  void transfer_leader(Cob<wire::TransferLeaderReply> cob, ExnCob exn,
                       const wire::TransferLeaderRequest& request) override {
    answer(cob, exn, check(request.protocol_version).and_then([&] {
      return successor(request).map([this](ReplicaId to) {
        auto reply = rpc::versioned<wire::TransferLeaderReply>();
        reply.to = static_cast<std::int32_t>(to.value);
        services_.log.hand_over(to);
        return reply;
      });
    }));
  }

 private:
  // `command` says who asks, and why: it is in the log before anything is given up. The agent may
  // have come back meanwhile.
  void abandon(const Cob<wire::ChangeParticipantReply>& cob, const ExnCob& exn,
               state::Command command, const wire::ChangeParticipantRequest& request) {
    propose(std::move(command), [this, cob, exn, request](Result<state::CommandResult> result) {
      auto reply = rpc::versioned<wire::ChangeParticipantReply>();
      auto still = std::move(result)
                       .and_then([&](const auto&) { return check(request.protocol_version); })
                       .and_then([&] { return command_of(services_, request); });
      answer(cob, exn, std::move(still).map([&](const state::Command&) {
        const std::string& participant = request.participant;
        services_.term->office.abandon(tell_unconfirmed(services_, participant, reply));
        return reply;
      }));
    });
  }

  [[nodiscard]] Result<void> check(std::int32_t version) const {
    if (auto known = rpc::check_version(version); !known) return known;
    if (services_.term) return {};
    return tl::unexpected(not_leader());
  }

  [[nodiscard]] Error not_leader() const { return services_.not_leader(&Member::admin_address); }

  [[nodiscard]] Result<void> has_executed(const wire::BackupRequest& request) const {
    const Slot executed = services_.log.state().executed();
    if (!request.__isset.at_least || request.at_least <= count(executed.value)) return {};
    return failure(ErrorCode::kUnavailable, "this replica has executed slot " +
                                                to_string(executed) + ", and not yet slot " +
                                                std::to_string(request.at_least));
  }

  void propose(state::Command command, OperatorCommands::Done done) {
    services_.term->commands.propose(std::move(command), std::move(done));
  }

  // Nobody knows which attempt of a branch was the one that counts: two of them cannot both commit.
  [[nodiscard]] Result<state::HeuristicResolved> resolvable(state::HeuristicResolved asked) const {
    const state::Heuristic* kept = services_.log.state().heuristics().find(asked.transaction);
    if (kept == nullptr || asked.outcome != Outcome::kCommitted) return asked;
    std::set<std::string> participants;
    for (const state::HeuristicBranch& one : kept->branches) {
      if (participants.insert(one.branch.participant).second) continue;
      return failure(ErrorCode::kInvalidArgument,
                     "transaction " + to_string(asked.transaction) +
                         " has several branches of participant " + one.branch.participant +
                         ", of which at most one may commit: end them by hand");
    }
    return asked;
  }

  [[nodiscard]] Result<wire::ResolveReply> resolve_reply(const TransactionId& transaction,
                                                         const state::CommandResult& result) const {
    if (const auto* decided = std::get_if<state::AlreadyDecided>(&result)) {
      return failure(ErrorCode::kInvalidArgument,
                     "transaction " + to_string(transaction) +
                         " is decided: " + std::string(name(decided->outcome)) +
                         "; its branches end so by themselves");
    }
    const state::Heuristic* kept = services_.log.state().heuristics().find(transaction);
    if (kept == nullptr) {
      return failure(ErrorCode::kInvalidArgument,
                     "nothing was left to an operator of transaction " + to_string(transaction) +
                         ": see assentctl heuristic list");
    }
    auto reply = rpc::versioned<wire::ResolveReply>();
    reply.heuristic = to_wire(transaction, *kept);
    return reply;
  }

  // The chosen mark of a replica as this leader last heard it.
  [[nodiscard]] Slot mark_of(ReplicaId replica) const {
    if (replica == services_.config.replica) return services_.log.state().executed();
    const auto marks = services_.log.consensus().peers_chosen();
    const auto found = marks.find(replica);
    return found == marks.end() ? Slot() : found->second;
  }

  [[nodiscard]] wire::GroupReply group_reply() const {
    const GroupLog& log = services_.log;
    const state::Membership& group = log.state().membership();
    auto reply = rpc::versioned<wire::GroupReply>();
    reply.cluster = services_.config.cluster;
    reply.leader = static_cast<std::int32_t>(services_.config.replica.value);
    reply.chosen_slot = count(log.consensus().chosen_through().value);
    reply.governs_from = count(group.governs_from().value);
    for (const auto& [id, replica] : group.replicas()) {
      wire::ReplicaInfo& told = reply.replicas.emplace_back();
      told.replica = static_cast<std::int32_t>(id.value);
      told.learner = replica.learner;
      told.client_address = replica.client_address;
      told.peer_address = replica.peer_address;
      told.admin_address = replica.admin_address;
      told.chosen_slot = count(mark_of(id).value);
      told.connected = id == services_.config.replica || log.peers().connected(id);
    }
    const Slot before(group.governs_from().value - (group.empty() ? 0 : 1));
    reply.settled = !group.empty() && before <= log.consensus().chosen_through() &&
                    log.consensus().known_to_quorum(before);
    return reply;
  }

  [[nodiscard]] Result<state::Command> change_from_wire(
      const wire::ChangeGroupRequest& request) const {
    if (request.replica < 1) {
      return failure(ErrorCode::kInvalidArgument, "a replica's id counts from 1");
    }
    const ReplicaId id(static_cast<std::uint32_t>(request.replica));
    switch (request.change) {
      case wire::GroupChange::ADD:
        return added(id, request);
      case wire::GroupChange::PROMOTE:
        return promoted(id);
      case wire::GroupChange::REMOVE:
        return state::Command(state::ReplicaRemoved{id});
    }
    return failure(ErrorCode::kInvalidArgument, "the change is none of ADD, PROMOTE, REMOVE");
  }

  static Result<void> check_port(const std::string& port, const std::string& address) {
    return rpc::check_reachable(address).map_error([&](const Error& why) {
      return Error{why.code, "the " + port + " port of the replica that comes: " + why.message};
    });
  }

  // What is in the log stays there: who could never be heard, or reached, would be counted by every
  // quorum.
  static Result<state::Command> added(ReplicaId id, const wire::ChangeGroupRequest& request) {
    if (!valid_replica(request.replica)) {
      return failure(ErrorCode::kInvalidArgument,
                     "a replica's id is 1 to " + std::to_string(kReplicaIdMax));
    }
    auto ports = check_port("client", request.client_address).and_then([&] {
      return check_port("peer", request.peer_address);
    });
    if (ports && !request.admin_address.empty()) ports = check_port("admin", request.admin_address);
    if (!ports) return tl::unexpected(ports.error());
    return state::Command(state::ReplicaAdded{
        {id, 0, true, request.client_address, request.peer_address, request.admin_address}});
  }

  // A member that lags, or that nobody can reach, could be what a quorum waits for.
  [[nodiscard]] Result<state::Command> promoted(ReplicaId id) const {
    const state::Member* known = services_.log.state().membership().find(id);
    const Slot chosen = services_.log.consensus().chosen_through();
    const Slot mark = mark_of(id);
    const bool learner = known != nullptr && known->learner;
    if (learner && mark == Slot()) {
      return failure(ErrorCode::kUnavailable,
                     "replica " + to_string(id) + " at " + known->peer_address +
                         " was not heard yet: is it running, with joins = true?");
    }
    if (learner && mark.value + kPromotionLagMax < chosen.value) {
      return failure(ErrorCode::kUnavailable,
                     "replica " + to_string(id) + " is " +
                         std::to_string(chosen.value - mark.value) +
                         " slots behind: promote it when it has caught up");
    }
    return state::Command(state::ReplicaPromoted{id});
  }

  [[nodiscard]] Result<ReplicaId> successor(const wire::TransferLeaderRequest& request) const {
    const ReplicaId self = services_.config.replica;
    const paxos::Group& group = services_.log.consensus().group();
    if (request.to != 0) {
      const ReplicaId to(static_cast<std::uint32_t>(request.to));
      if (to == self || group.contains(to)) return to;
      return failure(ErrorCode::kInvalidArgument,
                     "replica " + to_string(to) + " is no member of the group, and cannot lead");
    }
    std::optional<ReplicaId> best;
    for (const ReplicaId member : group.members()) {
      if (member == self || !services_.log.peers().connected(member)) continue;
      if (!best || mark_of(*best) < mark_of(member)) best = member;
    }
    if (best) return *best;
    return failure(ErrorCode::kUnavailable, "no other member is connected: nobody could take over");
  }

  Services& services_;
  const std::shared_ptr<wire::AdminCobSvIf> process_;
};

}  // namespace

std::shared_ptr<apache::thrift::async::TAsyncProcessor> admin_processor(Services& services) {
  return std::make_shared<wire::CoordinatorInsightAsyncProcessor>(
      std::make_shared<GroupHandler>(services));
}

}  // namespace assent::coordinator
