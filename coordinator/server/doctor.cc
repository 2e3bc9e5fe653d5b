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

std::string limits(const commit::LimitPair& pair, const char* unit) {
  const auto one = [&](std::uint64_t limit) {
    return limit == 0 ? std::string("never") : std::to_string(limit) + unit;
  };
  return "(alarm " + one(pair.alarm) + ", refused " + one(pair.refuse) + ")";
}

// What is in doubt at a participant, against the limits of the configuration.
Finding check_in_doubt(const Services& services, const std::string& name) {
  const commit::Budget& budget = services.term->office.office().budget();
  const commit::Budget::Standing* const standing = budget.standing(name);
  if (standing == nullptr) {
    return {"in_doubt " + name, Verdict::kGood, "its agent has not told yet what is prepared", ""};
  }
  const commit::BudgetLimits& limit = services.config.budget;
  const commit::InDoubt& seen = standing->seen;
  const bool within = standing->level == commit::BudgetLevel::kWithin;
  return finding("in_doubt " + name, within,
                 within ? std::to_string(seen.number) + " branches for over a second " +
                              limits(limit.number, "") + ", the oldest for " +
                              std::to_string(seen.oldest_age.value) + " ms " +
                              limits(limit.age_ms, " ms") + ", vacuum held back by " +
                              std::to_string(seen.horizon) + " transactions " +
                              limits(limit.horizon, "")
                        : budget.describe(name),
                 "end the oldest branch: assentctl explain says how" +
                     (seen.oldest ? " (" + to_string(seen.oldest->transaction) + ")" : ""));
}

Finding check_drained(const std::string& name, const state::Withdrawal& drain) {
  return finding(
      "drained " + name, false,
      "it takes no new branches: " + drain.operator_name + " has drained it (" + drain.reason + ")",
      "when its maintenance is over: assentctl participants resume " + name);
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
    out.push_back(check_in_doubt(services, name));
    if (const auto* drain = services.log.state().withdrawals().drained(name)) {
      out.push_back(check_drained(name, *drain));
    }
  }
  return out;
}

}  // namespace assent::coordinator
