#include "coordinator/server/config.h"

#include <charconv>
#include <optional>

#include "coordinator/state/membership.h"
#include "runtime/config.h"
#include "runtime/rpc/address.h"

namespace assent::coordinator {
namespace {

// A leader must be heard several times before it may be taken for dead.
constexpr std::int64_t kHeartbeatsPerElection = 4;
constexpr std::int64_t kSnapshotLogBytesMin = 64LL << 10;
constexpr std::int64_t kSnapshotLogBytesMax = 64LL << 30;

std::optional<ReplicaId> parse_replica(const std::string& text) {
  std::uint32_t number = 0;
  const auto [end, failed] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (failed != std::errc() || end != text.data() + text.size()) return std::nullopt;
  if (!valid_replica(number) || std::to_string(number) != text) return std::nullopt;
  return ReplicaId(number);
}

// The log keeps what the first start of a group tells it: nothing that nobody can connect to.
void check_address(config::File& file, const std::string& key, const std::string& address) {
  if (address.empty()) return;
  if (auto reachable = rpc::check_reachable(address); !reachable) {
    file.refuse(key, "not an address: " + reachable.error().message);
  }
}

// [replicas.1] client = "…" peer = "…", one table for each.
std::map<ReplicaId, Member> take_group(config::File& file) {
  std::map<ReplicaId, Member> out;
  for (const std::string& key : file.keys("replicas")) {
    const std::string path = "replicas." + key;
    const std::optional<ReplicaId> replica = parse_replica(key);
    if (!replica) {
      file.refuse(path, "not named by a replica's number, 1 to " + std::to_string(kReplicaIdMax));
      continue;
    }
    Member& member = out[*replica];
    file.require(path + ".client", member.client_address);
    file.require(path + ".peer", member.peer_address);
    file.take(path + ".admin", member.admin_address);
    check_address(file, path + ".client", member.client_address);
    check_address(file, path + ".peer", member.peer_address);
    check_address(file, path + ".admin", member.admin_address);
  }
  if (out.size() > state::kReplicasMax) {
    file.refuse("replicas", "a group of " + std::to_string(out.size()) + ", but may have at most " +
                                std::to_string(state::kReplicasMax) + ": 3 or 5 are usual");
  }
  return out;
}

void take_group_times(config::File& file, Config& out) {
  std::int64_t heartbeat = out.heartbeat_every.value;
  std::int64_t election = out.election_min.value;
  file.take("group.heartbeat_ms", heartbeat, 5, 10'000);
  file.take("group.election_ms", election, 50, 100'000);
  if (election < kHeartbeatsPerElection * heartbeat) {
    file.refuse("group.election_ms", std::to_string(election) + ", but must be at least " +
                                         std::to_string(kHeartbeatsPerElection) +
                                         " times group.heartbeat_ms");
  }
  out.heartbeat_every = Millis(heartbeat);
  out.election_min = Millis(election);
}

void take_limits(config::File& file, const std::string& key, const std::string& unit,
                 commit::LimitPair& limits) {
  constexpr std::int64_t kMax = 1LL << 40;
  auto alarm = static_cast<std::int64_t>(limits.alarm);
  auto refuse = static_cast<std::int64_t>(limits.refuse);
  file.take(key + "_alarm" + unit, alarm, 0, kMax);
  file.take(key + "_refuse" + unit, refuse, 0, kMax);
  if (refuse != 0 && refuse < alarm) {
    file.refuse(key + "_refuse" + unit, std::to_string(refuse) +
                                            ", but must not be below the alarm, " +
                                            std::to_string(alarm) + " (0: never refused)");
  }
  limits = {static_cast<std::uint64_t>(alarm), static_cast<std::uint64_t>(refuse)};
}

void take_budget(config::File& file, commit::BudgetLimits& budget) {
  take_limits(file, "in_doubt.age", "_ms", budget.age_ms);
  take_limits(file, "in_doubt.number", "", budget.number);
  take_limits(file, "in_doubt.horizon", "_xids", budget.horizon);
}

}  // namespace

Result<Config> load_config(const std::string& path) {
  auto file = config::File::load(path);
  if (!file) return tl::unexpected(file.error());

  Config out;
  std::int64_t replica = 1;
  std::int64_t retention = out.retention.value;
  auto snapshot_log_bytes = static_cast<std::int64_t>(out.snapshot_log_bytes);
  std::int64_t agent_silence = out.agent_silence.value;
  auto one_shots_max = static_cast<std::int64_t>(out.one_shots_max);
  std::string level = "info";
  file->require("cluster", out.cluster);
  file->take("replica", replica, 1, kReplicaIdMax);
  file->take("joins", out.joins);
  out.replica = ReplicaId(static_cast<std::uint32_t>(replica));
  file->require("data_directory", out.data_directory);
  out.group = take_group(*file);
  if (!out.group.empty() && !out.group.contains(out.replica)) {
    file->refuse("replicas",
                 "without a table for replica " + to_string(out.replica) + ", which is this one");
  }
  if (const auto self = out.group.find(out.replica); self != out.group.end()) {
    out.client_address = self->second.client_address;
    out.peer_address = self->second.peer_address;
    if (!self->second.admin_address.empty()) out.admin_address = self->second.admin_address;
  }
  file->take("listen.client", out.client_address);
  file->take("listen.peer", out.peer_address);
  file->take("listen.admin", out.admin_address);
  if (out.joins && out.group.size() < 2) {
    file->refuse("joins", "true, but no [replicas.N] names a replica of the group to join");
  }
  if (out.group.empty()) {
    out.group[out.replica] = {out.client_address, out.peer_address, out.admin_address};
  }
  if (out.group[out.replica].admin_address.empty()) {
    out.group[out.replica].admin_address = out.admin_address;
  }
  take_group_times(*file, out);
  file->take("outcomes.retention_ms", retention, 1'000, 30LL * 86'400'000);
  file->take("snapshots.log_bytes", snapshot_log_bytes, kSnapshotLogBytesMin, kSnapshotLogBytesMax);
  take_budget(*file, out.budget);
  file->take("agents.silence_ms", agent_silence, 200, 600'000);
  file->take("agents.one_shots_max", one_shots_max, 1, 1'000'000);
  file->take("log.level", level);
  if (auto finished = file->finish(); !finished) return tl::unexpected(finished.error());

  if (!valid_cluster_name(out.cluster)) {
    return failure(ErrorCode::kInvalidArgument,
                   path + ": cluster is not a name: expected 1 to 32 of [a-z0-9_-]");
  }
  const auto parsed_level = log::parse_level(level);
  if (!parsed_level)
    return failure(ErrorCode::kInvalidArgument,
                   path + ": log.level: " + parsed_level.error().message);
  out.retention = Millis(retention);
  out.snapshot_log_bytes = static_cast<std::uint64_t>(snapshot_log_bytes);
  out.agent_silence = Millis(agent_silence);
  out.one_shots_max = static_cast<std::size_t>(one_shots_max);
  out.log_level = *parsed_level;
  return out;
}

}  // namespace assent::coordinator
