// assentctl heuristic: transactions with branches that ended otherwise than decided, because
// somebody ended them by hand or a database lost them. They are told until an operator has seen to
// them.
#include <cstdio>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <utility>
#include <vector>

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
  std::int64_t untold = 0;
  std::string operator_name;
  std::string reason;
};

json as_json(const wire::HeuristicsReply& reply) {
  json all = json::array();
  for (const wire::Heuristic& one : reply.heuristics) all.push_back(cli::as_json(one));
  return {{"heuristics", all}, {"untold", reply.untold}};
}

void print(const wire::HeuristicsReply& reply) {
  for (const wire::Heuristic& one : reply.heuristics) {
    std::printf("%s", words(one).c_str());
  }
  if (reply.untold > 0) {
    std::printf(
        "%lld more were found when no more were kept: the leader's log of that time names "
        "them (\"by someone else\", \"nothing proves how it ended\"). When you have seen to them: "
        "assentctl heuristic forget --untold %lld --reason WHY\n",
        static_cast<long long>(reply.untold), static_cast<long long>(reply.untold));
  }
  if (reply.heuristics.empty()) {
    if (reply.untold == 0) std::printf("every branch ended as it was decided\n");
    return;
  }
  std::printf("when you have seen to one: assentctl heuristic forget TRANSACTION --reason WHY\n");
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
  if (arguments.transaction.empty() == (arguments.untold == 0)) {
    return refuse(settings, {ErrorCode::kInvalidArgument,
                             "one of TRANSACTION and --untold is required, and not both"});
  }
  GroupClient client(arguments.at);
  const auto reply =
      arguments.untold > 0
          ? client.forget_untold(arguments.untold, arguments.operator_name, arguments.reason)
          : client.forget_heuristic(arguments.transaction, arguments.operator_name,
                                    arguments.reason);
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
  CLI::App* const command =
      heuristic.add_subcommand("forget", "Stops telling of one; nothing else is done");
  command->add_option("transaction", arguments->transaction, "its id");
  command
      ->add_option("--untold", arguments->untold,
                   "instead of one: as many of those that were only counted")
      ->check(CLI::Range(std::int64_t{1}, std::int64_t{1} << 40));
  add_at(*command, arguments->at);
  command->add_option("--reason", arguments->reason, "what was done about it; stands in the log")
      ->required();
  add_operator(*command, arguments->operator_name);
  return {command, [&settings, arguments] { return forget(settings, *arguments); }};
}

}  // namespace assent::cli
