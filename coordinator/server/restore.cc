#include "coordinator/server/restore.h"

#include <fcntl.h>

#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <filesystem>
#include <memory>
#include <optional>
#include <system_error>
#include <utility>

#include "base/check.h"
#include "coordinator/server/group_log_options.h"
#include "coordinator/state/state_machine.h"
#include "coordinator/storage/snapshot_io.h"

namespace assent::coordinator {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kChunkRecords = 500;

struct Loaded {
  Backup backup;
  std::unique_ptr<state::StateMachine> state;
};

Error about(const std::string& file, Error why) {
  why.message = file + " " + why.message;
  return why;
}

Result<storage::SnapshotInfo> header_of(const storage::File& file) {
  const auto bytes = file.read_at(0, storage::kSnapshotHeaderBytes);
  if (!bytes) return tl::unexpected(bytes.error());
  auto info = storage::decode_snapshot_header(*bytes);
  if (!info && info.error().code == ErrorCode::kInternal) {
    return failure(ErrorCode::kInvalidArgument,
                   file.path() + " is no backup: it does not begin like one");
  }
  return std::move(info).map_error([&](Error why) { return about(file.path(), std::move(why)); });
}

Result<Loaded> load(const std::string& path, const std::string& cluster,
                    const state::StateOptions& options) {
  const auto file = storage::File::open(path, O_RDONLY);
  if (!file) return tl::unexpected(file.error());
  const auto info = header_of(*file);
  if (!info) return tl::unexpected(info.error());
  Loaded out{{path, info->id, info->through, {}, 0, 0, 0},
             std::make_unique<state::StateMachine>(options)};
  const auto read = storage::read_snapshot(
      *file, *info, cluster, [&](std::string_view chunk) { return out.state->load(chunk); });
  if (!read) return tl::unexpected(read.error());
  out.backup.time = out.state->time();
  out.backup.records = out.state->record_count();
  out.backup.unforgotten = out.state->unforgotten().size();
  out.backup.participants = out.state->participants().size();
  return out;
}

Result<void> check_place(const Config& config) {
  if (config.joins) {
    return failure(ErrorCode::kInvalidArgument,
                   "replica " + to_string(config.replica) +
                       " joins a group (joins = true): it is not restored, but gets the group's "
                       "state. Restore the replicas that found the group");
  }
  std::error_code error;
  if (!fs::exists(config.data_directory, error) || fs::is_empty(config.data_directory, error)) {
    return {};
  }
  return failure(ErrorCode::kInvalidArgument,
                 "data_directory " + config.data_directory +
                     " is not empty: a replica is restored into a new directory only. If this one "
                     "is lost for good, move it away first");
}

fs::path without_slash(const std::string& directory) {
  const fs::path path = fs::path(directory).lexically_normal();
  return path.has_filename() ? path : path.parent_path();
}

// Writes the state as the snapshot that this log begins with.
Result<void> write(const std::string& directory, const Config& config, state::StateMachine& state) {
  boost::asio::io_context loop;
  const auto work = boost::asio::make_work_guard(loop);  // the store posts from its thread
  storage::ReplicaLogOptions options = group_log_options(loop, config).storage;
  options.log.directory = directory;
  storage::ReplicaLog log(options);
  if (auto opened = log.open([](const auto&) {}, [](paxos::RecordIndex) {}); !opened) return opened;
  storage::SnapshotStore& store = log.snapshots();
  const Slot through = state.executed();
  state.begin_snapshot();
  std::optional<Result<storage::SnapshotInfo>> done;
  store.begin(through, log.replay_from(through), [] {});
  while (std::optional<std::string> chunk = state.next_chunk(kChunkRecords)) {
    store.append(std::move(*chunk));
    while (!store.ready()) loop.run_one();
  }
  store.finish([&](Result<storage::SnapshotInfo> result) { done = std::move(result); });
  while (!done) loop.run_one();
  if (!*done) return tl::unexpected(done->error());
  log.rebase(through);
  return {};
}

// As the replica will read it.
Result<void> read_back(const std::string& directory, const Config& config,
                       const state::StateMachine& written, const state::StateOptions& options) {
  boost::asio::io_context loop;
  storage::ReplicaLogOptions storage = group_log_options(loop, config).storage;
  storage.log.directory = directory;
  storage::ReplicaLog log(storage);
  state::StateMachine state(options);
  const auto opened = log.open([](const auto&) {}, [](paxos::RecordIndex) {},
                               [&](std::string_view chunk) { return state.load(chunk); });
  if (!opened) return opened;
  if (state.state_hash() == written.state_hash()) return {};
  return failure(ErrorCode::kInternal, directory + " does not hold the state that was written");
}

}  // namespace

Result<Backup> inspect_backup(const std::string& file, const std::string& cluster) {
  return load(file, cluster, {}).map([](const Loaded& loaded) { return loaded.backup; });
}

// Made aside, and given its name when it is whole: half a directory would begin an empty log.
Result<Backup> restore_backup(const std::string& file, const Config& config,
                              const std::function<Result<void>(const Backup&)>& may) {
  if (auto place = check_place(config); !place) return tl::unexpected(place.error());
  boost::asio::io_context loop;
  const state::StateOptions options = group_log_options(loop, config).core.state;
  auto loaded = load(file, config.cluster, options);
  if (!loaded) return tl::unexpected(loaded.error());
  if (auto allowed = may(loaded->backup); !allowed) return tl::unexpected(allowed.error());
  loaded->state->restore(loaded->backup.id);

  const fs::path target = without_slash(config.data_directory);
  const fs::path aside = target.string() + ".restoring";
  std::error_code error;
  fs::remove_all(aside, error);
  auto written = write(aside, config, *loaded->state).and_then([&] {
    return read_back(aside, config, *loaded->state, options);
  });
  if (!written) {
    fs::remove_all(aside, error);
    return tl::unexpected(written.error());
  }
  fs::rename(aside, target, error);
  if (error) {
    return failure(ErrorCode::kInternal, "cannot rename " + aside.string() + " to " +
                                             target.string() + ": " + error.message());
  }
  const fs::path parent = target.has_parent_path() ? target.parent_path() : fs::path(".");
  return storage::flush_directory(parent.string()).map([&] { return loaded->backup; });
}

}  // namespace assent::coordinator
