// assentctl transactions: what is under way, decided and not applied everywhere, or left to an
// operator.
#include <algorithm>
#include <cstdio>
#include <map>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>

#include "cli/explain/units.h"
#include "cli/heuristics.h"
#include "cli/options.h"
#include "cli/program.h"
#include "cli/survey.h"
#include "cli/table.h"
#include "cli/transactions.h"
#include "cli/verb.h"
#include "runtime/rpc/ids.h"

namespace assent::cli {
namespace {

using explain::duration;
using nlohmann::json;

struct Arguments {
  SurveyOptions look;
  bool in_doubt = false;
  std::string older_than;
  std::string participant;
};

// Prepared branches of ours, by transaction: the participants where they are.
using PreparedAt = std::map<std::string, std::vector<std::string>>;

PreparedAt prepared_at(const Survey& seen) {
  PreparedAt out;
  for (const SeenParticipant& one : seen.participants) {
    for (const auto* prepared : one.in_doubt()) {
      out[prepared->branch.transaction].push_back(one.state.name);
    }
  }
  return out;
}

// What the log lists, and what only databases know: nobody works on that (yet).
Result<Transactions> all_of(GroupClient& client, const PreparedAt& prepared) {
  auto listed = restless_transactions(client);
  if (!listed) return listed;
  std::vector<std::string> others;
  for (const auto& [transaction, participants] : prepared) {
    const bool known = std::ranges::any_of(
        listed->all, [&](const auto& one) { return one.transaction == transaction; });
    if (!known) others.push_back(transaction);
  }
  if (others.empty()) return listed;
  auto named = named_transactions(client, others);
  if (!named) return named;
  std::ranges::move(named->all, std::back_inserter(listed->all));
  std::ranges::sort(listed->all, {}, &wire::TransactionState::transaction);
  return listed;
}

bool wanted(const Arguments& arguments, const wire::TransactionState& one,
            const wire::Viewpoint& viewpoint, const PreparedAt& prepared) {
  const auto found = prepared.find(one.transaction);
  const bool is_prepared = found != prepared.end();
  if (arguments.in_doubt && !in_doubt(one) && !is_prepared) return false;
  const Millis older = parse_duration(arguments.older_than).value_or(Millis(0));
  if (age_of(one, viewpoint) < older) return false;
  if (arguments.participant.empty() || touches(one, arguments.participant)) return true;
  return is_prepared &&
         std::ranges::find(found->second, arguments.participant) != found->second.end();
}

std::string joined(const std::vector<std::string>& words) {
  std::string out;
  for (const std::string& word : words) out += (out.empty() ? "" : ", ") + word;
  return out.empty() ? "-" : out;
}

// "db1 voted, db2 asked (connection refused)"
std::string branches_of(const wire::TransactionState& one) {
  std::vector<std::string> out;
  if (one.__isset.driven) {
    for (const wire::DrivenBranch& branch : one.driven.branches) {
      std::string words = branch.branch.participant + " " + word(branch.stage);
      if (branch.stage == wire::BranchStage::ASKED && branch.__isset.last_loss) {
        words += " (" + branch.last_loss + ")";
      }
      out.push_back(words);
    }
  } else if (one.__isset.heuristic) {
    for (const wire::HeuristicBranch& branch : one.heuristic.branches) {
      out.push_back(branch.branch.participant + " " +
                    std::string(name(rpc::from_wire(branch.result))));
    }
  }
  return joined(out);
}

void print(const Transactions& shown, const PreparedAt& prepared) {
  if (shown.all.empty()) {
    std::printf("none\n");
    return;
  }
  Table table({"transaction", "state", "outcome", "age", "prepared at", "branches"});
  for (const wire::TransactionState& one : shown.all) {
    const auto outcome = outcome_of(one);
    const auto found = prepared.find(one.transaction);
    const std::string state = state_word(one);
    table.add({one.transaction,
               {state, state == "left to an operator" || state == "ended otherwise" ? Tone::kBad
                                                                                    : Tone::kPlain},
               outcome ? word(*outcome) : "-",
               duration(age_of(one, shown.viewpoint)),
               found == prepared.end() ? "-" : joined(found->second),
               branches_of(one)});
  }
  std::printf("%s", table.text().c_str());
  std::printf("\nwhat became of one, and what comes next: assentctl explain TRANSACTION\n");
}

json as_json(const Transactions& shown, const PreparedAt& prepared,
             const std::vector<std::string>& missing) {
  json all = json::array();
  for (const wire::TransactionState& one : shown.all) {
    json told = cli::as_json(one, shown.viewpoint);
    const auto found = prepared.find(one.transaction);
    told["prepared_at"] = found == prepared.end() ? json::array() : json(found->second);
    all.push_back(told);
  }
  return {
      {"viewpoint", cli::as_json(shown.viewpoint)}, {"transactions", all}, {"missing", missing}};
}

int transactions(const Settings& settings, const Arguments& arguments) {
  GroupClient client(arguments.look.at, kLeaderPatience);
  const auto seen = survey(client, arguments.look);
  if (!seen) return fail(settings, seen.error());
  const PreparedAt prepared = prepared_at(*seen);
  auto shown = all_of(client, prepared);
  if (!shown) return fail(settings, shown.error());
  std::erase_if(shown->all, [&](const wire::TransactionState& one) {
    return !wanted(arguments, one, shown->viewpoint, prepared);
  });
  const auto missing = seen->missing();
  if (settings.json) {
    print_json(as_json(*shown, prepared, missing));
  } else {
    print(*shown, prepared);
    print_missing(missing);
  }
  return missing.empty() ? kExitGood : kExitProblem;
}

}  // namespace

Verb add_transactions(CLI::App& app, const Settings& settings) {
  const auto arguments = std::make_shared<Arguments>();
  arguments->look.replicas = false;
  CLI::App* const command = app.add_subcommand(
      "transactions",
      "Transactions that are under way, not applied everywhere, or left to an operator");
  command->add_flag("--in-doubt", arguments->in_doubt,
                    "only those with a prepared branch that its outcome has not reached");
  command
      ->add_option("--older-than", arguments->older_than,
                   "only those whose ids were made longer ago: 30s, 5m, 2h")
      ->check([](const std::string& text) {
        return parse_duration(text) ? std::string()
                                    : std::string("expected a time such as 30s or 5m");
      });
  command->add_option("--participant", arguments->participant,
                      "only those with a branch at this participant");
  add_at(*command, arguments->look.at);
  add_agents(*command, arguments->look.agents);
  return {command, [&settings, arguments] { return transactions(settings, *arguments); }};
}

}  // namespace assent::cli
