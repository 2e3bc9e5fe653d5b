// assentctl resolve: an operator decides about a transaction that has no record, and whose branches
// were left prepared because nobody knows its outcome (R15).
#include <cstdio>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>

#include "cli/group_client.h"
#include "cli/heuristics.h"
#include "cli/options.h"
#include "cli/program.h"
#include "cli/verb.h"

namespace assent::cli {
namespace {

using nlohmann::json;

struct Arguments {
  std::vector<std::string> at;
  std::string transaction;
  std::string operator_name;
  std::string reason;
  bool commit = false;
  bool abort = false;
  bool yes = false;

  [[nodiscard]] wire::Outcome::type outcome() const {
    return commit ? wire::Outcome::COMMITTED : wire::Outcome::ABORTED;
  }
};

void show(const Settings& settings, const wire::Heuristic& one, bool done) {
  if (settings.json) {
    json out = as_json(one);
    out["done"] = done;
    std::printf("%s\n", out.dump().c_str());
    return;
  }
  std::printf("%s", words(one).c_str());
}

// Nothing of T was left to an operator, or nothing is left any more.
Error not_ours(const std::string& transaction, const wire::Heuristic* found) {
  if (found == nullptr) {
    return {ErrorCode::kInvalidArgument, "nothing was left to an operator of transaction " +
                                             transaction + ": see assentctl heuristic list"};
  }
  return {ErrorCode::kInvalidArgument, "transaction " + transaction +
                                           " is decided: " + word(found->outcome) +
                                           "; its branches end so by themselves"};
}

// What would be done: every branch that waits for the decision, and nothing else.
int rehearse(const Settings& settings, const Arguments& arguments, const wire::Heuristic& one) {
  show(settings, one, false);
  if (settings.json) return kExitGood;
  const char* const verb = arguments.commit ? "COMMIT PREPARED" : "ROLLBACK PREPARED";
  for (const wire::HeuristicBranch& branch : one.branches) {
    if (branch.result != wire::FinishResult::HAZARD) continue;
    std::printf("would be done: %s of %s\n", verb, branch_name(branch.branch).c_str());
  }
  std::printf("nothing was done: give it again with --yes --reason WHY\n");
  return kExitGood;
}

int resolve(const Settings& settings, const Arguments& arguments) {
  GroupClient client(arguments.at);
  const auto all = client.heuristics();
  if (!all) return fail(settings, all.error());
  const wire::Heuristic* found = nullptr;
  for (const wire::Heuristic& one : all->heuristics) {
    if (one.transaction == arguments.transaction) found = &one;
  }
  if (!arguments.yes) {
    const bool open = found != nullptr && found->listed == 0 && !found->__isset.resolution;
    if (!open) return fail(settings, not_ours(arguments.transaction, found));
    return rehearse(settings, arguments, *found);
  }
  if (arguments.reason.empty()) {
    return fail(settings, {ErrorCode::kInvalidArgument, "--reason is required with --yes"});
  }
  wire::ResolveRequest request;
  request.transaction = arguments.transaction;
  request.outcome = arguments.outcome();
  request.operator_name = arguments.operator_name;
  request.reason = arguments.reason;
  const auto reply = client.resolve(request);
  if (!reply) return fail(settings, reply.error());
  show(settings, reply->heuristic, true);
  if (!settings.json) {
    std::printf(
        "decided, and in the log; its branches end within seconds: see assentctl heuristic "
        "list\n");
  }
  return kExitGood;
}

}  // namespace

Verb add_resolve(CLI::App& app, const Settings& settings) {
  const auto arguments = std::make_shared<Arguments>();
  CLI::App* const command = app.add_subcommand(
      "resolve", "Decides about a transaction without a record, whose branches were left prepared");
  command->add_option("transaction", arguments->transaction, "its id")->required();
  CLI::Option* const commit =
      command->add_flag("--commit", arguments->commit, "its branches are to commit");
  CLI::Option* const abort =
      command->add_flag("--abort", arguments->abort, "its branches are to roll back");
  commit->excludes(abort);
  add_at(*command, arguments->at);
  command->add_flag("--yes", arguments->yes, "do it; without it, only what would be done is told");
  command->add_option("--reason", arguments->reason, "why; stands in the log");
  add_operator(*command, arguments->operator_name);
  return {command, [&settings, arguments] {
            if (arguments->commit == arguments->abort) {
              return fail(settings,
                          {ErrorCode::kInvalidArgument, "one of --commit and --abort is required"});
            }
            return resolve(settings, *arguments);
          }};
}

}  // namespace assent::cli
