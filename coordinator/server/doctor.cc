#include "coordinator/server/doctor.h"

#include <sys/resource.h>

#include <cstdlib>
#include <filesystem>
#include <string>
#include <utility>

#include "runtime/process.h"

namespace assent::coordinator {
namespace {

constexpr std::uint64_t kMiB = 1u << 20;
constexpr std::uint64_t kRoomMin = 1'024 * kMiB;
constexpr std::uint64_t kOpenFilesMin = 12'000;    // 10,000 clients, agents, segments
constexpr std::int64_t kClockDistanceMax = 5'000;  // ms

Finding finding(std::string check, bool good, std::string found, std::string remedy) {
  return {std::move(check), good ? Verdict::kGood : Verdict::kWarning, std::move(found),
          good ? std::string() : std::move(remedy)};
}

Finding check_room(const std::string& directory) {
  std::error_code failed;
  const auto space = std::filesystem::space(directory, failed);
  if (failed) {
    return {"disk", Verdict::kFailure, directory + ": " + failed.message(),
            "see that the data directory can be reached"};
  }
  return finding(
      "disk", space.available >= kRoomMin,
      std::to_string(space.available / kMiB) + " MiB are free for the log in " + directory,
      "make room: a replica without room for more log steps aside until there is some");
}

Finding check_open_files() {
  rlimit limit{};
  getrlimit(RLIMIT_NOFILE, &limit);
  return finding("open_files", limit.rlim_cur >= kOpenFilesMin,
                 "at most " + std::to_string(limit.rlim_cur) + " files and connections may be open",
                 "raise the hard limit of open files to " + std::to_string(kOpenFilesMin) +
                     " or more (LimitNOFILE of the service)");
}

// By R17 the log's time follows the clock slowly; ids that clients make follow the log's time.
Finding check_clock(LogTime log) {
  const std::int64_t behind = process::wall_now_ms() - log.value;
  return finding("clock", std::llabs(behind) <= kClockDistanceMax,
                 "the log's time is " + std::to_string(std::llabs(behind)) + " ms " +
                     (behind < 0 ? "ahead of" : "behind") + " this machine's clock",
                 "nothing, if the cluster was down for a while: it catches up at 1 %. Else see "
                 "that the clock is right");
}

Finding check_participant(const std::string& name, bool alive, const std::string& address) {
  return finding("participant " + name, alive,
                 "its agent at " + address + (alive ? " is alive" : " has gone silent"),
                 "see whether the agent runs and reaches this replica's peer port");
}

Finding check_leader(const Services& services) {
  const auto leader = services.log.leader();
  if (!leader) {
    return {"leader", Verdict::kFailure, "no replica leads, as far as this one knows",
            "see that more than half of the replicas run and reach each other's peer ports"};
  }
  return {"leader", Verdict::kGood, "replica " + to_string(*leader) + " leads", ""};
}

Finding check_replica(ReplicaId replica, bool connected, const Member& member) {
  return finding("replica " + to_string(replica), connected,
                 std::string(connected ? "is" : "is not") + " connected, at " + member.peer_address,
                 "see whether it runs and whether its peer port is reached from here");
}

}  // namespace

std::vector<Finding> examine(const Services& services) {
  std::vector<Finding> out{check_room(services.config.data_directory), check_open_files(),
                           check_leader(services)};
  for (const auto& [replica, member] : services.config.group) {
    if (replica == services.config.replica) continue;
    out.push_back(check_replica(replica, services.log.peers().connected(replica), member));
  }
  // Only the leader hears the agents, and tells the time.
  if (!services.term) return out;
  out.push_back(check_clock(services.log.now()));
  for (const auto& [name, record] : services.log.state().participants()) {
    out.push_back(check_participant(
        name, services.term->enrolment.alive(process::monotonic_now(), name), record.peer_address));
  }
  return out;
}

}  // namespace assent::coordinator
