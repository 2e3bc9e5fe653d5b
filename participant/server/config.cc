#include "participant/server/config.h"

#include "base/ids.h"
#include "runtime/config.h"

namespace assent::participant {
namespace {

void take_postgres(config::File& file, postgres::DatabaseOptions& out) {
  std::int64_t port = out.port;
  std::int64_t work_connections = static_cast<std::int64_t>(out.work_connections);
  std::int64_t work_wait = out.work_wait.value;
  std::int64_t lock_timeout = out.lock_timeout.value;
  std::int64_t finish_connections = static_cast<std::int64_t>(out.finish_connections);
  std::int64_t result_max_bytes = static_cast<std::int64_t>(out.result_max_bytes);
  std::int64_t prepared_statements = static_cast<std::int64_t>(out.prepared_statements);
  file.require("postgres.socket", out.socket_directory);
  file.take("postgres.port", port, 1, 65'535);
  file.require("postgres.database", out.database);
  file.take("postgres.control_role", out.control_role);
  file.take("postgres.work_role", out.work_role);
  file.take("postgres.work_connections", work_connections, 1, 10'000);
  file.take("postgres.work_wait_ms", work_wait, 1, 600'000);
  file.take("postgres.lock_timeout_ms", lock_timeout, 0, 3'600'000);
  file.take("postgres.finish_connections", finish_connections, 1, 1'000);
  file.take("postgres.outcome_row", out.outcome_row);
  file.take("postgres.result_max_bytes", result_max_bytes, 1'024, 67'108'864);
  file.take("postgres.prepared_statements", prepared_statements, 0, 1'000);
  out.port = static_cast<std::uint16_t>(port);
  out.work_connections = static_cast<std::size_t>(work_connections);
  out.work_wait = Millis(work_wait);
  out.lock_timeout = Millis(lock_timeout);
  out.finish_connections = static_cast<std::size_t>(finish_connections);
  out.result_max_bytes = static_cast<std::uint64_t>(result_max_bytes);
  out.prepared_statements = static_cast<std::size_t>(prepared_statements);
}

Result<void> check(const std::string& path, const Config& config) {
  if (!valid_cluster_name(config.cluster)) {
    return failure(ErrorCode::kInvalidArgument,
                   path + ": cluster is not a name: expected 1 to 32 of [a-z0-9_-]");
  }
  if (!valid_participant_name(config.participant)) {
    return failure(ErrorCode::kInvalidArgument,
                   path + ": participant is not a name: expected 1 to 63 of [a-z0-9_-]");
  }
  if (config.coordinators.empty()) {
    return failure(ErrorCode::kInvalidArgument,
                   path +
                       ": coordinators is missing: name the replicas' peer ports, "
                       "for example [\"127.0.0.1:7201\"]");
  }
  return {};
}

}  // namespace

Result<Config> load_config(const std::string& path) {
  auto file = config::File::load(path);
  if (!file) return tl::unexpected(file.error());

  Config out;
  std::int64_t heartbeat = out.heartbeat_every.value;
  std::int64_t displaced_wait = out.displaced_wait.value;
  std::string level = "info";
  file->require("cluster", out.cluster);
  file->require("participant", out.participant);
  file->take("coordinators", out.coordinators);
  file->take("listen.client", out.client_address);
  file->take("listen.peer", out.peer_address);
  file->take("listen.admin", out.admin_address);
  out.advertised_client_address = out.client_address;
  out.advertised_peer_address = out.peer_address;
  out.advertised_admin_address = out.admin_address;
  file->take("advertise.client", out.advertised_client_address);
  file->take("advertise.peer", out.advertised_peer_address);
  file->take("advertise.admin", out.advertised_admin_address);
  take_postgres(*file, out.database);
  file->take("commit.one_phase", out.one_phase);
  file->take("heartbeat.every_ms", heartbeat, 50, 60'000);
  file->take("heartbeat.displaced_wait_ms", displaced_wait, 0, 600'000);
  file->take("log.level", level);
  if (auto finished = file->finish(); !finished) return tl::unexpected(finished.error());

  if (auto checked = check(path, out); !checked) return tl::unexpected(checked.error());
  const auto parsed_level = log::parse_level(level);
  if (!parsed_level) {
    return failure(ErrorCode::kInvalidArgument,
                   path + ": log.level: " + parsed_level.error().message);
  }
  out.database.cluster = out.cluster;
  out.database.participant = out.participant;
  out.heartbeat_every = Millis(heartbeat);
  out.displaced_wait = Millis(displaced_wait);
  out.log_level = *parsed_level;
  return out;
}

}  // namespace assent::participant
