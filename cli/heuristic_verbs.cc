// assentctl heuristic: transactions with branches that ended otherwise than decided, because
// somebody ended them by hand or a database lost them. They are told until an operator has seen to
// them.
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <utility>
#include <vector>

#include "cli/describe.h"
#include "cli/group_client.h"
#include "cli/options.h"
#include "cli/program.h"
#include "cli/verb.h"
#include "runtime/rpc/ids.h"

namespace assent::cli {
namespace {

using nlohmann::json;

struct Arguments {
  std::vector<std::string> at;
  std::string transaction;
  std::string operator_name;
  std::string reason;
};

const char* word(wire::HeuristicKind::type kind) {
  switch (kind) {
    case wire::HeuristicKind::COMMIT:
      return "commit";
    case wire::HeuristicKind::ROLLBACK:
      return "rollback";
    case wire::HeuristicKind::MIXED:
      return "mixed";
    case wire::HeuristicKind::HAZARD:
      return "hazard";
    case wire::HeuristicKind::SETTLED:
      return "settled";
  }
  return "hazard";
}

const char* word(wire::Outcome::type outcome) {
  return outcome == wire::Outcome::COMMITTED ? "COMMITTED" : "ABORTED";
}

// What happened to the branch, and what is left to do.
std::string sentence(const wire::Heuristic& of, const wire::HeuristicBranch& one) {
  if (of.listed == 0 && one.result == wire::FinishResult::HAZARD) {
    return "is of a transaction without a record, and nobody knows how it ended or is to end. If "
           "its gid is still prepared, see what became of the transaction elsewhere, and end it by "
           "hand";
  }
  switch (one.result) {
    case wire::FinishResult::DONE:
      return "was lost, and has ended as decided since: nothing is left to do";
    case wire::FinishResult::HEURISTIC_COMMIT:
      return "was committed by somebody else: take its effects back there by hand";
    case wire::FinishResult::HEURISTIC_ROLLBACK:
      return "was rolled back by somebody else: make its changes there again by hand";
    case wire::FinishResult::HAZARD:
      return "is gone, and its database does not tell how it ended: compare its data by hand";
  }
  return "ended in a way that this version does not know";
}

std::string branch_name(const wire::BranchId& branch) {
  return branch.participant + "/" + std::to_string(branch.epoch) + "." +
         std::to_string(branch.attempt);
}

std::string proof(const wire::HeuristicBranch& one) {
  if (!one.__isset.evidence) return "";
  return " (xid " + std::to_string(one.evidence.xid) + " on timeline " +
         std::to_string(one.evidence.timeline) + ")";
}

json as_json(const wire::HeuristicBranch& one) {
  json out = {{"participant", one.branch.participant},
              {"epoch", one.branch.epoch},
              {"attempt", one.branch.attempt},
              {"result", name(rpc::from_wire(one.result))}};
  if (one.__isset.evidence) {
    out["evidence"] = {
        {"xid", one.evidence.xid},
        {"system_identifier", static_cast<std::uint64_t>(one.evidence.system_identifier)},
        {"timeline", one.evidence.timeline},
        {"wal_position", one.evidence.wal_position}};
  }
  return out;
}

json as_json(const wire::HeuristicsReply& reply) {
  json all = json::array();
  for (const wire::Heuristic& one : reply.heuristics) {
    json branches = json::array();
    for (const wire::HeuristicBranch& branch : one.branches) branches.push_back(as_json(branch));
    all.push_back({{"transaction", one.transaction},
                   {"outcome", one.listed == 0 ? json() : json(word(one.outcome))},
                   {"kind", word(one.kind)},
                   {"found_at", utc(LogTime(one.found_at_ms))},
                   {"listed", one.listed},
                   {"branches", branches}});
  }
  return {{"heuristics", all}, {"untold", reply.untold}};
}

void print(const wire::HeuristicsReply& reply) {
  for (const wire::Heuristic& one : reply.heuristics) {
    const char* outcome = one.listed == 0 ? "NO RECORD" : word(one.outcome);
    std::printf("%s  %s  %s  found %s\n", one.transaction.c_str(), outcome, word(one.kind),
                utc(LogTime(one.found_at_ms)).c_str());
    for (const wire::HeuristicBranch& branch : one.branches) {
      std::printf("    %s %s%s\n", branch_name(branch.branch).c_str(),
                  sentence(one, branch).c_str(), proof(branch).c_str());
    }
  }
  if (reply.untold > 0) {
    std::printf(
        "%lld more were found when no more were kept: the leader's log of that time names "
        "them (\"by someone else\", \"nothing proves how it ended\")\n",
        static_cast<long long>(reply.untold));
  }
  if (reply.heuristics.empty()) {
    if (reply.untold == 0) std::printf("every branch ended as it was decided\n");
    return;
  }
  std::printf("when you have seen to one: assentctl heuristic forget TRANSACTION --reason WHY\n");
}

int fail(const Settings& settings, const Error& error) {
  refuse(settings, error);
  return error.code == ErrorCode::kInvalidArgument ? kExitUsage : kExitProblem;
}

int list(const Settings& settings, const Arguments& arguments) {
  const auto reply = GroupClient(arguments.at).heuristics();
  if (!reply) return fail(settings, reply.error());
  if (settings.json) {
    std::printf("%s\n", as_json(*reply).dump().c_str());
  } else {
    print(*reply);
  }
  return reply->heuristics.empty() && reply->untold == 0 ? kExitGood : kExitProblem;
}

int forget(const Settings& settings, const Arguments& arguments) {
  const auto reply =
      GroupClient(arguments.at)
          .forget_heuristic(arguments.transaction, arguments.operator_name, arguments.reason);
  if (!reply) return fail(settings, reply.error());
  if (settings.json) {
    std::printf("%s\n", json({{"forgotten", reply->forgotten}}).dump().c_str());
  } else if (reply->forgotten) {
    std::printf("forgotten; the log keeps who did it and why\n");
  } else {
    std::printf("nothing was kept of it: it ended as decided, or was forgotten before\n");
  }
  return kExitGood;
}

std::string login_name() {
  const char* const user = std::getenv("USER");
  if (user != nullptr && *user != '\0') return user;
  return "uid " + std::to_string(getuid());
}

}  // namespace

Verb add_heuristic_list(CLI::App& heuristic, const Settings& settings) {
  const auto arguments = std::make_shared<Arguments>();
  CLI::App* const command = heuristic.add_subcommand(
      "list", "What ended otherwise than decided, and what to do; exit code 1 if anything did");
  add_at(*command, arguments->at);
  return {command, [&settings, arguments] { return list(settings, *arguments); }};
}

Verb add_heuristic_forget(CLI::App& heuristic, const Settings& settings) {
  const auto arguments = std::make_shared<Arguments>();
  arguments->operator_name = login_name();
  CLI::App* const command =
      heuristic.add_subcommand("forget", "Stops telling of one; nothing else is done");
  command->add_option("transaction", arguments->transaction, "its id")->required();
  add_at(*command, arguments->at);
  command->add_option("--reason", arguments->reason, "what was done about it; stands in the log")
      ->required();
  command->add_option("--operator", arguments->operator_name,
                      "who you are; stands in the log (default: your login name)");
  return {command, [&settings, arguments] { return forget(settings, *arguments); }};
}

}  // namespace assent::cli
