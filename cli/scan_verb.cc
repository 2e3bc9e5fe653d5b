// assentctl scan: everything that is prepared in the participants' servers, against the log.
#include <algorithm>
#include <cstdio>
#include <map>
#include <memory>
#include <nlohmann/json.hpp>
#include <set>
#include <string>
#include <tuple>

#include "cli/explain/sorting.h"
#include "cli/explain/units.h"
#include "cli/facts_of.h"
#include "cli/options.h"
#include "cli/program.h"
#include "cli/survey.h"
#include "cli/table.h"
#include "cli/transactions.h"
#include "cli/verb.h"

namespace assent::cli {
namespace {

using explain::counted;
using explain::duration;
using explain::Sort;
using explain::with_commas;
using nlohmann::json;

constexpr Millis kForeignUsual{600'000};

// A prepared transaction, and the participant whose agent has shown it.
struct Found {
  const SeenParticipant* at = nullptr;
  explain::Prepared prepared;
  explain::Sorted sorted;
};

// Agents of databases in one server all show all of it: each is told once, by the agent of its
// database where there is one.
std::vector<Found> all_of(const Survey& seen) {
  std::map<std::tuple<std::int64_t, std::string>, Found> found;
  for (const SeenParticipant& one : seen.participants) {
    if (!one.prepared) continue;
    for (const wire::PreparedTransaction& prepared : one.prepared->transactions) {
      const bool home = prepared.database == one.prepared->database;
      auto [place, first] = found.try_emplace(
          {one.state.identity.system_identifier, prepared.database + "/" + prepared.gid});
      const bool better = home && prepared.belonging != wire::Belonging::FOREIGN;
      if (first || better) place->second = {&one, facts_of(prepared), {}};
    }
  }
  std::vector<Found> out;
  for (auto& [key, one] : found) out.push_back(std::move(one));
  std::ranges::sort(out, {}, [](const Found& one) {
    return std::tuple(one.at->state.name, Millis(-one.prepared.age.value), one.prepared.gid);
  });
  return out;
}

// Asks the log for what the gids name, and says of each whose it is.
Result<void> sort(GroupClient& client, std::vector<Found>& found) {
  std::set<std::string> names;
  for (const Found& one : found) {
    if (one.prepared.belonging != explain::Belonging::kForeign) {
      names.insert(to_string(one.prepared.parsed->branch.transaction));
    }
  }
  const auto told = named_transactions(client, {names.begin(), names.end()});
  if (!told) return tl::unexpected(told.error());
  std::map<std::string, explain::Known> known;
  for (const wire::TransactionState& one : told->all) known[one.transaction] = facts_of(one);
  const explain::Viewpoint log = facts_of(told->viewpoint);
  for (Found& one : found) {
    const explain::Participant participant = facts_of(one.at->state);
    const auto id = one.prepared.parsed ? to_string(one.prepared.parsed->branch.transaction) : "";
    one.sorted = explain::sort(one.prepared, known[id], &log, &participant);
  }
  return {};
}

bool is_problem(const Found& one) {
  switch (one.sorted.sort) {
    case Sort::kOperators:
    case Sort::kStranger:
    case Sort::kNotKnown:
      return true;
    case Sort::kForeign:
      return kForeignUsual <= one.prepared.age;
    case Sort::kOurs:
    case Sort::kOrphan:
      return false;
  }
  return true;
}

std::string held(const explain::Prepared& one) {
  std::string out;
  for (const explain::HeldLock& lock : one.locks) {
    out += (out.empty() ? "" : ", ") + lock.object + " " + lock.mode +
           (lock.count > 1 ? " (" + with_commas(lock.count) + ")" : "");
  }
  return out.empty() ? "-" : out;
}

std::string waits(const explain::LockWaiter& one) {
  std::string out = "backend " + std::to_string(one.pid) + " of " + one.user;
  if (!one.application.empty()) out += " (" + one.application + ")";
  out += " waits for " + one.object;
  return one.waiting ? out + ", for " + duration(*one.waiting) : out;
}

void print(const Survey& seen, const std::vector<Found>& found) {
  if (found.empty()) {
    std::printf("nothing is prepared\n");
  } else {
    Table table({"at", "database", "whose", "age", "xids since", "waiting", "owner", "gid"});
    for (const Found& one : found) {
      const explain::Prepared& prepared = one.prepared;
      table.add({one.at->state.name,
                 prepared.database,
                 {std::string(name(one.sorted.sort)), is_problem(one) ? Tone::kBad : Tone::kPlain},
                 duration(prepared.age),
                 with_commas(prepared.xid_age),
                 counted(static_cast<std::int64_t>(prepared.waiters.size()), "backend"),
                 prepared.owner,
                 prepared.gid});
    }
    std::printf("%s\n", table.text().c_str());
  }
  for (const Found& one : found) {
    std::printf("%s\n  %s\n  locks: %s\n", toned(one.prepared.gid, Tone::kStrong).c_str(),
                one.sorted.comes.c_str(), held(one.prepared).c_str());
    for (const explain::LockWaiter& waiter : one.prepared.waiters) {
      std::printf("  %s\n", toned(waits(waiter), Tone::kWarning).c_str());
    }
  }
  for (const SeenParticipant& one : seen.participants) {
    if (!one.prepared) continue;
    std::printf("%s: %s of %s slots are used; the oldest that anybody may see is %s old\n",
                one.state.name.c_str(), with_commas(one.prepared->slots_used).c_str(),
                with_commas(one.prepared->slots_max).c_str(),
                counted(one.prepared->horizon_age, "transaction").c_str());
  }
}

json as_json(const explain::LockWaiter& one) {
  return {{"pid", one.pid},
          {"user", one.user},
          {"application", one.application},
          {"waiting_ms", one.waiting ? json(one.waiting->value) : json()},
          {"object", one.object},
          {"mode", one.mode}};
}

json as_json(const Found& one) {
  json locks = json::array();
  for (const explain::HeldLock& lock : one.prepared.locks) {
    locks.push_back({{"object", lock.object}, {"mode", lock.mode}, {"count", lock.count}});
  }
  json waiters = json::array();
  for (const explain::LockWaiter& waiter : one.prepared.waiters) waiters.push_back(as_json(waiter));
  const bool ours = one.prepared.belonging != explain::Belonging::kForeign;
  return {{"participant", one.at->state.name},
          {"gid", one.prepared.gid},
          {"transaction", ours ? json(to_string(one.prepared.parsed->branch.transaction)) : json()},
          {"owner", one.prepared.owner},
          {"database", one.prepared.database},
          {"xid", one.prepared.xid},
          {"age_ms", one.prepared.age.value},
          {"xid_age", one.prepared.xid_age},
          {"whose", name(one.sorted.sort)},
          {"comes", one.sorted.comes},
          {"problem", is_problem(one)},
          {"locks", locks},
          {"waiters", waiters}};
}

json as_json(const Survey& seen, const std::vector<Found>& found) {
  json prepared = json::array();
  for (const Found& one : found) prepared.push_back(as_json(one));
  json servers = json::array();
  for (const SeenParticipant& one : seen.participants) {
    if (!one.prepared) continue;
    servers.push_back({{"participant", one.state.name},
                       {"database", one.prepared->database},
                       {"prepared_slots_used", one.prepared->slots_used},
                       {"prepared_slots_max", one.prepared->slots_max},
                       {"horizon_age", one.prepared->horizon_age}});
  }
  return {{"viewpoint", cli::as_json(seen.viewpoint)},
          {"prepared", prepared},
          {"servers", servers},
          {"missing", seen.missing()}};
}

int scan(const Settings& settings, const SurveyOptions& options) {
  GroupClient client(options.at, kLeaderPatience);
  const auto seen = survey(client, options);
  if (!seen) return fail(settings, seen.error());
  std::vector<Found> found = all_of(*seen);
  if (auto sorted = sort(client, found); !sorted) return fail(settings, sorted.error());
  const auto missing = seen->missing();
  if (settings.json) {
    print_json(as_json(*seen, found));
  } else {
    print(*seen, found);
    print_missing(missing);
  }
  return missing.empty() && std::ranges::none_of(found, is_problem) ? kExitGood : kExitProblem;
}

}  // namespace

Verb add_scan(CLI::App& app, const Settings& settings) {
  const auto options = std::make_shared<SurveyOptions>();
  options->replicas = false;
  CLI::App* const command = app.add_subcommand(
      "scan",
      "What is prepared in every database, against the log: ours, orphan, foreign; locks, waiters");
  add_at(*command, options->at);
  add_agents(*command, options->agents);
  return {command, [&settings, options] { return scan(settings, *options); }};
}

}  // namespace assent::cli
