#include "coordinator/server/config.h"

#include "runtime/config.h"

namespace assent::coordinator {

Result<Config> load_config(const std::string& path) {
  auto file = config::File::load(path);
  if (!file) return tl::unexpected(file.error());

  Config out;
  std::int64_t replica = 1;
  std::int64_t retention = out.retention.value;
  std::int64_t agent_silence = out.agent_silence.value;
  std::string level = "info";
  file->require("cluster", out.cluster);
  file->take("replica", replica, 1, 1'000);
  file->require("data_directory", out.data_directory);
  file->take("listen.client", out.client_address);
  file->take("listen.peer", out.peer_address);
  file->take("listen.admin", out.admin_address);
  file->take("outcomes.retention_ms", retention, 1'000, 30LL * 86'400'000);
  file->take("agents.silence_ms", agent_silence, 200, 600'000);
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
  out.replica = ReplicaId(static_cast<std::uint32_t>(replica));
  out.retention = Millis(retention);
  out.agent_silence = Millis(agent_silence);
  out.log_level = *parsed_level;
  return out;
}

}  // namespace assent::coordinator
