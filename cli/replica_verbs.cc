// assentctl replica: who the replicas of a coordinator are, and changes of them, one at a time.
// Every verb may be given again: it goes on where it was interrupted.
#include <cstdio>
#include <functional>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <utility>
#include <vector>

#include "cli/explain/units.h"
#include "cli/group_client.h"
#include "cli/options.h"
#include "cli/program.h"
#include "cli/verb.h"
#include "runtime/process.h"

namespace assent::cli {
namespace {

using explain::with_commas;
using nlohmann::json;

constexpr Millis kLookEvery{300};
constexpr Millis kTellEvery{2'000};
// As near as a learner must come before it is made a member.
constexpr std::int64_t kCaughtUp = 64;

// What is given on the command line; each verb uses some.
struct Arguments {
  std::vector<std::string> at;
  std::int32_t replica = 0;
  std::int32_t by = 0;  // that takes its place
  std::string client;
  std::string peer;
  std::string admin;
  std::int32_t to = 0;
  std::int64_t timeout_s = 300;
};

// Runs the steps of a verb, tells of them, and gives up when its time is over.
class Work {
 public:
  Work(const Settings& settings, const Arguments& arguments)
      : settings_(settings),
        arguments_(arguments),
        client_(arguments.at),
        give_up_(process::monotonic_now() + Millis(arguments.timeout_s * 1'000)) {}

  GroupClient& client() { return client_; }

  // Progress, for people only.
  void tell(const std::string& words) const {
    if (settings_.json) return;
    std::printf("%s\n", words.c_str());
    std::fflush(stdout);
  }

  // The same words no more often than people can read.
  void tell_slowly(const std::string& words) {
    const MonoTime now = process::monotonic_now();
    if (now - told_ < kTellEvery) return;
    told_ = now;
    tell(words);
  }

  // Looks at the group until it is as wanted. `wanted` says what is missing; empty: nothing.
  Result<wire::GroupReply> await(
      const std::function<std::string(const wire::GroupReply&)>& wanted) {
    for (;;) {
      auto group = client_.group();
      if (!group) return group;
      const std::string missing = wanted(*group);
      if (missing.empty()) return group;
      if (give_up_ <= process::monotonic_now()) {
        return failure(ErrorCode::kDeadline,
                       missing + ", and the time is over: give the same command again to go on");
      }
      tell_slowly(missing);
      client_.pause(kLookEvery);
    }
  }

  // Asks until it is done, or refused for good: an earlier change may have to govern first.
  Result<void> change(const wire::ChangeGroupRequest& request) {
    for (;;) {
      const auto changed = client_.change(request);
      if (changed) return {};
      if (!retryable(changed.error()) || give_up_ <= process::monotonic_now()) {
        return tl::unexpected(changed.error());
      }
      tell_slowly(changed.error().message);
      client_.pause(kLookEvery);
    }
  }

 private:
  const Settings& settings_;
  const Arguments& arguments_;
  GroupClient client_;
  const MonoTime give_up_;
  MonoTime told_ = process::monotonic_now();  // what is over at once needs no words
};

const wire::ReplicaInfo* find(const wire::GroupReply& group, std::int32_t replica) {
  for (const wire::ReplicaInfo& one : group.replicas) {
    if (one.replica == replica) return &one;
  }
  return nullptr;
}

std::string name_of(std::int32_t replica) {
  return "replica " + std::to_string(replica);
}

json as_json(const wire::GroupReply& group) {
  json replicas = json::array();
  for (const wire::ReplicaInfo& one : group.replicas) {
    replicas.push_back({{"replica", one.replica},
                        {"role", one.replica == group.leader ? "leader"
                                 : one.learner               ? "learner"
                                                             : "member"},
                        {"client_address", one.client_address},
                        {"peer_address", one.peer_address},
                        {"admin_address", one.admin_address},
                        {"chosen_slot", one.chosen_slot},
                        {"connected", one.connected}});
  }
  return {{"cluster", group.cluster},         {"leader", group.leader},
          {"chosen_slot", group.chosen_slot}, {"governs_from", group.governs_from},
          {"settled", group.settled},         {"replicas", replicas}};
}

void print_group(const wire::GroupReply& group) {
  std::printf("%-8s %-8s %-12s %-22s %s\n", "replica", "role", "behind", "clients", "peers");
  for (const wire::ReplicaInfo& one : group.replicas) {
    const char* role = one.replica == group.leader ? "leader" : one.learner ? "learner" : "member";
    const std::int64_t behind = std::max<std::int64_t>(0, group.chosen_slot - one.chosen_slot);
    std::printf("%-8d %-8s %-12s %-22s %s\n", one.replica, role,
                one.connected ? with_commas(behind).c_str() : "unreachable",
                one.client_address.c_str(), one.peer_address.c_str());
  }
}

int finish(const Settings& settings, const Result<wire::GroupReply>& group) {
  if (!group) {
    refuse(settings, group.error());
    return group.error().code == ErrorCode::kInvalidArgument ? kExitUsage : kExitProblem;
  }
  if (settings.json) {
    std::printf("%s\n", as_json(*group).dump().c_str());
  } else {
    print_group(*group);
  }
  return kExitGood;
}

// ── the steps ───────────────────────────────────────────────────────────────────────────────────

Result<wire::GroupReply> settle(Work& work) {
  return work.await([](const wire::GroupReply& group) {
    return group.settled ? "" : std::string("the change does not govern everywhere yet");
  });
}

// It comes as a learner, catches up, becomes a member.
Result<wire::GroupReply> add(Work& work, const Arguments& arguments, std::int32_t replica) {
  wire::ChangeGroupRequest request;
  request.change = wire::GroupChange::ADD;
  request.replica = replica;
  request.__set_client_address(arguments.client);
  request.__set_peer_address(arguments.peer);
  request.__set_admin_address(arguments.admin);
  if (auto added = work.change(request); !added) return tl::unexpected(added.error());
  work.tell(name_of(replica) + " is in the group, as a learner");
  auto caught_up = work.await([&](const wire::GroupReply& group) -> std::string {
    const wire::ReplicaInfo* one = find(group, replica);
    if (one == nullptr) return name_of(replica) + " is not in the group";
    if (!one->learner) return "";
    if (!one->connected) {
      return "the leader cannot reach " + name_of(replica) + " at " + one->peer_address +
             ": is it running, with joins = true?";
    }
    const std::int64_t behind = group.chosen_slot - one->chosen_slot;
    if (behind <= kCaughtUp && one->chosen_slot > 0) return "";
    return "learner is " + with_commas(behind) + " slots behind";
  });
  if (!caught_up) return caught_up;
  request.change = wire::GroupChange::PROMOTE;
  if (auto promoted = work.change(request); !promoted) return tl::unexpected(promoted.error());
  work.tell(name_of(replica) + " has caught up, and is a member");
  return settle(work);
}

Result<wire::GroupReply> remove(Work& work, std::int32_t replica) {
  wire::ChangeGroupRequest request;
  request.change = wire::GroupChange::REMOVE;
  request.replica = replica;
  if (auto removed = work.change(request); !removed) return tl::unexpected(removed.error());
  auto settled = settle(work);
  if (settled) {
    work.tell(name_of(replica) + " has left, and is needed no more: stop it, remove its directory");
  }
  return settled;
}

Result<wire::GroupReply> transfer(Work& work, std::int32_t to) {
  const auto asked = work.client().transfer(to);
  if (!asked) return tl::unexpected(asked.error());
  return work.await([&](const wire::GroupReply& group) {
    return group.leader == asked->to ? "" : name_of(asked->to) + " does not lead yet";
  });
}

// ── the verbs ───────────────────────────────────────────────────────────────────────────────────

using Run = std::function<Result<wire::GroupReply>(Work&, const Arguments&)>;

// The command, what all of them take, and how it is run.
Verb add_verb(CLI::App& group, const Settings& settings, const char* name, const char* what,
              const std::shared_ptr<Arguments>& arguments, Run run) {
  CLI::App* const command = group.add_subcommand(name, what);
  add_at(*command, arguments->at);
  return {command, [&settings, arguments, run = std::move(run)] {
            Work work(settings, *arguments);
            return finish(settings, run(work, *arguments));
          }};
}

void add_timeout(CLI::App& command, Arguments& arguments) {
  command.add_option("--timeout", arguments.timeout_s, "seconds until it gives up (default: 300)")
      ->check(CLI::Range(1, 86'400));
}

void add_addresses(CLI::App& command, Arguments& arguments) {
  command.add_option("--client", arguments.client, "its client port, \"host:port\"")
      ->required()
      ->check(reachable_address());
  command.add_option("--peer", arguments.peer, "its peer port, \"host:port\"")
      ->required()
      ->check(reachable_address());
  command.add_option("--admin", arguments.admin, "its admin port, \"host:port\"")
      ->check(reachable_address());
}

}  // namespace

Verb add_replica_list(CLI::App& replica, const Settings& settings) {
  return add_verb(replica, settings, "list", "Who the replicas are", std::make_shared<Arguments>(),
                  [](Work& work, const Arguments&) { return work.client().group(); });
}

Verb add_replica_add(CLI::App& replica, const Settings& settings) {
  const auto arguments = std::make_shared<Arguments>();
  Verb verb =
      add_verb(replica, settings, "add",
               "Adds a replica, which runs with joins = true: it learns, then counts", arguments,
               [](Work& work, const Arguments& given) { return add(work, given, given.replica); });
  verb.parsed_by->add_option("id", arguments->replica, "its id, which was never used")->required();
  add_addresses(*verb.parsed_by, *arguments);
  add_timeout(*verb.parsed_by, *arguments);
  return verb;
}

Verb add_replica_remove(CLI::App& replica, const Settings& settings) {
  const auto arguments = std::make_shared<Arguments>();
  Verb verb =
      add_verb(replica, settings, "remove", "Removes a replica, dead or alive, for ever", arguments,
               [](Work& work, const Arguments& given) { return remove(work, given.replica); });
  verb.parsed_by->add_option("id", arguments->replica, "its id")->required();
  add_timeout(*verb.parsed_by, *arguments);
  return verb;
}

Verb add_replica_replace(CLI::App& replica, const Settings& settings) {
  const auto arguments = std::make_shared<Arguments>();
  Verb verb =
      add_verb(replica, settings, "replace",
               "Adds a replica, which runs with joins = true, and then removes another", arguments,
               [](Work& work, const Arguments& given) -> Result<wire::GroupReply> {
                 auto added = add(work, given, given.by);
                 return added ? remove(work, given.replica) : added;
               });
  verb.parsed_by->add_option("id", arguments->replica, "of the replica that goes")->required();
  verb.parsed_by->add_option("--by", arguments->by, "id of the one that comes, never used before")
      ->required();
  add_addresses(*verb.parsed_by, *arguments);
  add_timeout(*verb.parsed_by, *arguments);
  return verb;
}

Verb add_replica_transfer_leader(CLI::App& replica, const Settings& settings) {
  const auto arguments = std::make_shared<Arguments>();
  Verb verb =
      add_verb(replica, settings, "transfer-leader", "Asks another member to lead", arguments,
               [](Work& work, const Arguments& given) { return transfer(work, given.to); });
  verb.parsed_by->add_option("--to", arguments->to,
                             "id of the member that is to lead (default: the furthest)");
  add_timeout(*verb.parsed_by, *arguments);
  return verb;
}

}  // namespace assent::cli
