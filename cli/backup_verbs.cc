// assentctl backup, assentctl restore: a copy of a replica's state, and a new data directory from
// it for each replica of a group that was lost as a whole (R15; docs/operations.md).
#include <boost/asio/io_context.hpp>
#include <cstdio>
#include <filesystem>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>

#include "cli/describe.h"
#include "cli/group_client.h"
#include "cli/options.h"
#include "cli/program.h"
#include "cli/verb.h"
#include "coordinator/server/config.h"
#include "coordinator/server/restore.h"
#include "coordinator/storage/snapshot_io.h"
#include "runtime/process.h"
#include "runtime/rpc/call.h"
#include "wire/Replica.h"
#include "wire/common_constants.h"

namespace assent::cli {
namespace {

using nlohmann::json;

constexpr Millis kTellEvery{2'000};
constexpr Millis kExecutedMax{30'000};  // until a replica has executed what was chosen
constexpr Millis kBetweenTries{200};
constexpr Millis kIdentifyMax{1'000};

// ── backup ──────────────────────────────────────────────────────────────────────────────────────

struct BackupArguments {
  std::vector<std::string> at;
  std::string to;
};

Slot through(const wire::BackupReply& backup) {
  return Slot(static_cast<std::uint64_t>(backup.snapshot.through));
}

void tell(const Settings& settings, std::uint64_t here, std::uint64_t bytes, MonoTime& told) {
  const MonoTime now = process::monotonic_now();
  if (settings.json || now - told < kTellEvery) return;
  told = now;
  std::printf("%llu of %llu bytes\n", static_cast<unsigned long long>(here),
              static_cast<unsigned long long>(bytes));
  std::fflush(stdout);
}

// What was taken, and whether it has all that a client was told of before.
struct Taken {
  wire::BackupReply backup;
  bool complete = false;
};

// 1. A transaction that a client was told of was executed by the leader of that time, so every slot
//    up to its own was chosen, and the leader who answers now names a slot that is not below it.
// 2. A follower may lag, for as long as it is cut off: one that has not executed that slot does not
//    serve. The leader itself has, within a moment.
// 3. Without a leader nobody knows what was chosen. The backup of what is left is worth having all
//    the same, and is told apart.
Result<Taken> take(GroupClient& client) {
  const auto group = client.group();
  if (!group) {
    return client.backup(std::nullopt).map([](wire::BackupReply&& it) { return Taken{it, false}; });
  }
  const MonoTime give_up = process::monotonic_now() + kExecutedMax;
  while (true) {
    auto backup = client.backup(group->chosen_slot);
    if (backup) return Taken{*backup, true};
    if (process::monotonic_now() >= give_up) return tl::unexpected(backup.error());
    client.pause(kBetweenTries);
  }
}

// What an earlier try has brought of the same backup is not fetched again.
Result<void> fetch(const Settings& settings, GroupClient& client, const wire::BackupReply& backup,
                   storage::IncomingFile& file) {
  const auto bytes = static_cast<std::uint64_t>(backup.snapshot.bytes);
  Result<std::uint64_t> here = file.salvage();
  if (!here) return tl::unexpected(here.error());
  MonoTime told = process::monotonic_now();
  while (*here < bytes) {
    const auto part = client.backup_part(backup.snapshot, static_cast<std::int64_t>(*here));
    if (!part) return tl::unexpected(part.error());
    if (part->bytes.empty() || part->bytes.size() > bytes - *here) {
      return failure(ErrorCode::kInternal, "a part of the backup has no length that it may");
    }
    if (auto put = file.put(*here, part->bytes); !put) return put;
    *here += part->bytes.size();
    tell(settings, *here, bytes, told);
  }
  return {};
}

Result<std::string> back_up(const Settings& settings, const BackupArguments& arguments,
                            Taken& out) {
  if (auto made = storage::make_directory(arguments.to); !made) {
    return tl::unexpected(made.error());
  }
  GroupClient client(arguments.at);
  auto took = take(client);
  if (!took) return tl::unexpected(took.error());
  out = *took;
  const wire::BackupReply& taken = out.backup;
  const storage::IncomingName name{through(taken), static_cast<std::uint64_t>(taken.snapshot.id)};
  auto file = storage::IncomingFile::open(arguments.to, taken.cluster, name);
  if (!file) return tl::unexpected(file.error());
  if (auto fetched = fetch(settings, client, taken, *file); !fetched) {
    return tl::unexpected(fetched.error());
  }
  // A restored replica has no log beside it.
  const auto whole =
      file->verify(static_cast<std::uint64_t>(taken.snapshot.bytes), storage::Sequence(1));
  if (!whole) {
    file->discard();
    return tl::unexpected(whole.error());
  }
  return file->become_snapshot(*whole).map([&] {
    return (std::filesystem::path(arguments.to) / storage::snapshot_name(name.through)).string();
  });
}

int run_backup(const Settings& settings, const BackupArguments& arguments) {
  Taken took;
  const auto file = back_up(settings, arguments, took);
  if (!file) return fail(settings, file.error());
  const wire::BackupReply& taken = took.backup;
  if (settings.json) {
    const json out = {{"file", *file},
                      {"cluster", taken.cluster},
                      {"replica", taken.replica},
                      {"slot", taken.snapshot.through},
                      {"bytes", taken.snapshot.bytes},
                      {"complete", took.complete}};
    std::printf("%s\n", out.dump().c_str());
  } else {
    std::printf("%s: the state of cluster %s after slot %lld, by replica %d, whole and durable\n",
                file->c_str(), taken.cluster.c_str(),
                static_cast<long long>(taken.snapshot.through), taken.replica);
    if (!took.complete) {
      std::printf(
          "no leader answers, so this is what replica %d has: transactions that clients were told "
          "of may be missing. Give the command again when the group has a leader\n",
          taken.replica);
    }
  }
  return kExitGood;
}

// ── restore ─────────────────────────────────────────────────────────────────────────────────────

struct RestoreArguments {
  std::string file;
  std::string config;
  bool yes = false;
};

json as_json(const coordinator::Backup& backup, const coordinator::Config& config, bool done) {
  return {{"file", backup.file},
          {"slot", backup.through.value},
          {"time", utc(backup.time)},
          {"records", backup.records},
          {"unforgotten", backup.unforgotten},
          {"participants", backup.participants},
          {"replica", config.replica.value},
          {"data_directory", config.data_directory},
          {"done", done}};
}

void print(const coordinator::Backup& backup, const coordinator::Config& config, bool done) {
  std::printf(
      "%s: the state of cluster %s after slot %llu, at %s: %llu outcomes, %llu of them not "
      "confirmed everywhere, %llu participants\n",
      backup.file.c_str(), config.cluster.c_str(),
      static_cast<unsigned long long>(backup.through.value), utc(backup.time).c_str(),
      static_cast<unsigned long long>(backup.records),
      static_cast<unsigned long long>(backup.unforgotten),
      static_cast<unsigned long long>(backup.participants));
  if (!done) {
    std::printf(
        "nothing was done. What was decided after %s is lost: branches that wait for such a "
        "decision stay prepared until you decide about them. Restore only a group of which no "
        "replica is left, every replica of it, all from this file; then give it again with --yes\n",
        utc(backup.time).c_str());
    return;
  }
  std::printf(
      "replica %u has it in %s. Restore all replicas of the group from this file before you start "
      "them; then see assentctl heuristic list for what waits for your decision\n",
      config.replica.value, config.data_directory.c_str());
}

// A replica of before that still runs is a group that may live, or a part of one (R15). One that
// was restored from the same backup is one that was started early.
Result<void> nobody_lives(const coordinator::Config& config, std::uint64_t backup) {
  boost::asio::io_context loop;
  for (const auto& [replica, member] : config.group) {
    rpc::Client client(loop, member.peer_address, rpc::ClientLimits{.connect_max = kIdentifyMax});
    wire::IdentifyRequest request;
    request.protocol_version = wire::g_common_constants.PROTOCOL_VERSION;
    request.cluster = config.cluster;
    std::optional<Result<wire::IdentifyReply>> answer;
    ASSENT_CALL(wire::Replica, identify, wire::IdentifyReply)
    (client, request, kIdentifyMax, [&](Result<wire::IdentifyReply> reply) { answer = reply; });
    loop.restart();
    while (!answer && loop.run_one() > 0) {
    }
    const bool lives =
        answer && *answer && static_cast<std::uint64_t>((*answer)->restored_from) != backup;
    if (!lives) continue;
    return failure(ErrorCode::kInvalidArgument,
                   "replica " + to_string(replica) + " at " + member.peer_address +
                       " runs: only a group of which no replica is left is restored. Stop it, if "
                       "it is to be lost; else let the others join it (assentctl replica replace)");
  }
  return {};
}

int run_restore(const Settings& settings, const RestoreArguments& arguments) {
  const auto config = coordinator::load_config(arguments.config);
  if (!config) return fail(settings, config.error());
  const auto backup = arguments.yes
                          ? coordinator::restore_backup(
                                arguments.file, *config,
                                [&](const auto& read) { return nobody_lives(*config, read.id); })
                          : coordinator::inspect_backup(arguments.file, config->cluster);
  if (!backup) return fail(settings, backup.error());
  if (settings.json) {
    std::printf("%s\n", as_json(*backup, *config, arguments.yes).dump().c_str());
  } else {
    print(*backup, *config, arguments.yes);
  }
  return kExitGood;
}

}  // namespace

Verb add_backup(CLI::App& app, const Settings& settings) {
  const auto arguments = std::make_shared<BackupArguments>();
  CLI::App* const command = app.add_subcommand(
      "backup", "Copies the state of a coordinator, which goes on meanwhile, into a file");
  add_at(*command, arguments->at);
  command->add_option("--to", arguments->to, "directory for it; its parent must exist")->required();
  return {command, [&settings, arguments] { return run_backup(settings, *arguments); }};
}

Verb add_restore(CLI::App& app, const Settings& settings) {
  const auto arguments = std::make_shared<RestoreArguments>();
  CLI::App* const command = app.add_subcommand(
      "restore", "Makes the data directory of a replica from a backup; only for a lost group");
  command->add_option("file", arguments->file, "the backup")->required();
  command->add_option("--config", arguments->config, "configuration file of the replica")
      ->required();
  command->add_flag("--yes", arguments->yes, "do it; without it, only what would be done is told");
  return {command, [&settings, arguments] { return run_restore(settings, *arguments); }};
}

}  // namespace assent::cli
