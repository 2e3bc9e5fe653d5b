// assentctl status and participants: how the cluster is, in one look.
#include <cstdio>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>

#include "cli/describe.h"
#include "cli/explain/units.h"
#include "cli/json_values.h"
#include "cli/options.h"
#include "cli/program.h"
#include "cli/survey.h"
#include "cli/table.h"
#include "cli/verb.h"
#include "cli/words.h"

namespace assent::cli {
namespace {

using explain::counted;
using explain::duration;
using explain::with_commas;
using nlohmann::json;

// A branch that has been in doubt for longer is a problem: recovery looks once a second.
constexpr Millis kInDoubtUsual{10'000};

std::string fact(const std::optional<wire::ProcessStatusReply>& status, const char* name) {
  if (!status) return "";
  const auto found = status->facts.find(name);
  return found == status->facts.end() ? "" : found->second;
}

std::int64_t counter(const std::optional<wire::ProcessStatusReply>& status, const char* name) {
  if (!status) return 0;
  const auto found = status->counters.find(name);
  return found == status->counters.end() ? 0 : found->second;
}

Millis oldest(const std::vector<const wire::PreparedTransaction*>& in_doubt) {
  Millis out;
  for (const auto* one : in_doubt) out = std::max(out, Millis(one->age_ms));
  return out;
}

// What is counted over all participants that were reached.
struct Totals {
  std::int64_t in_doubt = 0;
  Millis oldest;
  std::string oldest_gid;
  std::int64_t waiters = 0;
};

Totals totals_of(const Survey& seen) {
  Totals out;
  for (const SeenParticipant& one : seen.participants) {
    for (const auto* prepared : one.in_doubt()) {
      ++out.in_doubt;
      out.waiters += static_cast<std::int64_t>(prepared->waiters.size());
      if (out.oldest_gid.empty() || out.oldest < Millis(prepared->age_ms)) {
        out.oldest = Millis(prepared->age_ms);
        out.oldest_gid = prepared->gid;
      }
    }
  }
  return out;
}

const SeenReplica* leader_of(const Survey& seen) {
  for (const SeenReplica& one : seen.replicas) {
    if (one.replica == seen.viewpoint.replica && seen.viewpoint.leads) return &one;
  }
  return nullptr;
}

std::string life_of(const SeenParticipant& one, bool leads) {
  if (!leads) return "not known";
  return one.state.live ? "live" : "silent";
}

// Whether new branches may begin there, as the leader has it.
const char* takes_of(const SeenParticipant& one) {
  if (one.state.__isset.drain) return "drained";
  const bool over =
      one.state.__isset.in_doubt && one.state.in_doubt.level == wire::BudgetLevel::REFUSING;
  return over ? "refused" : "taken";
}

std::vector<std::string> problems_of(const Survey& seen, const Totals& totals) {
  std::vector<std::string> out = seen.missing();
  for (const SeenReplica& one : seen.replicas) {
    if (one.status && !one.status->ready) {
      out.push_back("replica " + std::to_string(one.replica) + " is not ready: it is " +
                    fact(one.status, "role") + ", and knows no leader");
    }
    if (fact(one.status, "disk") == "short of space") {
      out.push_back("the disk of replica " + std::to_string(one.replica) +
                    " is short of space: free some");
    }
    if (fact(one.status, "log") == "repaired" || fact(one.status, "log") == "recovering") {
      out.push_back("the log of replica " + std::to_string(one.replica) + " is " +
                    fact(one.status, "log") + ": see assentctl log verify");
    }
  }
  for (const SeenParticipant& one : seen.participants) {
    if (seen.viewpoint.leads && !one.state.live) {
      out.push_back("the leader does not hear the agent of " + one.state.name + ", at " +
                    one.state.peer_address + ": see that it runs");
    }
    if (one.status && !one.status->ready) {
      out.push_back("the agent of " + one.state.name +
                    " is not ready: see assentctl doctor, and its log");
    }
  }
  for (const SeenParticipant& one : seen.participants) {
    if (one.state.__isset.in_doubt && one.state.in_doubt.__isset.why) {
      out.push_back(one.state.in_doubt.why);
    }
  }
  if (kInDoubtUsual < totals.oldest) {
    out.push_back("a branch has been in doubt for " + duration(totals.oldest) +
                  ": assentctl explain '" + totals.oldest_gid + "'");
  }
  const SeenReplica* const leader = leader_of(seen);
  const std::int64_t kept = leader == nullptr ? 0 : counter(leader->status, "heuristics_kept");
  if (kept > 0) {
    out.push_back(counted(kept, "transaction has", "transactions have") +
                  " branches that ended otherwise than decided: assentctl heuristic list");
  }
  return out;
}

// ── for machines ────────────────────────────────────────────────────────────────────────────────

json as_json(const SeenReplica& one) {
  json out = {{"replica", one.replica},
              {"admin_address", or_null(one.admin_address)},
              {"reached", one.status.has_value()},
              {"unreached", or_null(one.unreached)},
              {"learner", one.learner},
              {"behind", or_null(one.behind)},
              {"role", or_null(fact(one.status, "role"))},
              {"ready", one.status ? json(one.status->ready) : json()},
              {"version", one.status ? json(one.status->version) : json()},
              {"uptime_ms", one.status ? json(one.status->uptime_ms) : json()},
              {"log", or_null(fact(one.status, "log"))},
              {"disk", or_null(fact(one.status, "disk"))}};
  return out;
}

json as_json(const wire::Drain& drain) {
  return {{"operator", drain.operator_name},
          {"reason", drain.reason},
          {"at", utc(LogTime(drain.at_ms))}};
}

json as_json(const wire::InDoubtState& budget) {
  static constexpr Word<wire::BudgetLevel::type> kWords[] = {
      {wire::BudgetLevel::WITHIN, "within"},
      {wire::BudgetLevel::ALARM, "alarm"},
      {wire::BudgetLevel::REFUSING, "refusing"}};
  const auto name_of = [](bool known, const wire::BranchId& branch) {
    return known ? json(branch.transaction) : json();
  };
  return {{"level", word_in(kWords, budget.level)},
          {"number", budget.number},
          {"oldest_ms", budget.oldest_ms},
          {"oldest", name_of(budget.__isset.oldest, budget.oldest)},
          {"horizon", budget.horizon},
          {"holder", name_of(budget.__isset.holder, budget.holder)},
          {"why", budget.__isset.why ? json(budget.why) : json()}};
}

json as_json(const wire::LimitPair& limits) {
  return {{"alarm", limits.alarm}, {"refuse", limits.refuse}};
}

json as_json(const wire::BudgetLimits& limits) {
  return {{"age_ms", as_json(limits.age_ms)},
          {"number", as_json(limits.number)},
          {"horizon", as_json(limits.horizon)}};
}

json as_json(const SeenParticipant& one, bool leads) {
  const auto in_doubt = one.in_doubt();
  std::int64_t waiters = 0;
  for (const auto* prepared : in_doubt)
    waiters += static_cast<std::int64_t>(prepared->waiters.size());
  const bool known = one.prepared.has_value();
  return {{"participant", one.state.name},
          {"client_address", one.state.client_address},
          {"peer_address", one.state.peer_address},
          {"admin_address", or_null(one.state.admin_address)},
          {"epoch", one.state.epoch},
          {"life", life_of(one, leads)},
          {"new_branches", takes_of(one)},
          {"drained", one.state.__isset.drain ? as_json(one.state.drain) : json()},
          {"budget", one.state.__isset.in_doubt ? as_json(one.state.in_doubt) : json()},
          {"heard_ms_ago", one.state.__isset.heard_ms_ago ? json(one.state.heard_ms_ago) : json()},
          {"connected", one.state.connected},
          {"reached", one.status.has_value()},
          {"unreached", or_null(one.unreached)},
          {"ready", one.status ? json(one.status->ready) : json()},
          {"database", known ? json(one.prepared->database) : json()},
          {"database_unreached", or_null(one.database_unreached)},
          {"in_doubt", known ? json(in_doubt.size()) : json()},
          {"oldest_ms", known && !in_doubt.empty() ? json(oldest(in_doubt).value) : json()},
          {"waiters", known ? json(waiters) : json()},
          {"prepared_slots_used", known ? json(one.prepared->slots_used) : json()},
          {"prepared_slots_max", known ? json(one.prepared->slots_max) : json()},
          {"horizon_age", known ? json(one.prepared->horizon_age) : json()}};
}

json participants_json(const Survey& seen) {
  json out = json::array();
  for (const SeenParticipant& one : seen.participants) {
    out.push_back(as_json(one, seen.viewpoint.leads));
  }
  return out;
}

json as_json(const Survey& seen, const Totals& totals, const std::vector<std::string>& problems) {
  json replicas = json::array();
  for (const SeenReplica& one : seen.replicas) replicas.push_back(as_json(one));
  const SeenReplica* const leader = leader_of(seen);
  return {{"viewpoint", cli::as_json(seen.viewpoint)},
          {"replicas", replicas},
          {"participants", participants_json(seen)},
          {"limits", as_json(seen.limits)},
          {"in_doubt", totals.in_doubt},
          {"oldest_ms", totals.in_doubt > 0 ? json(totals.oldest.value) : json()},
          {"waiters", totals.waiters},
          {"driven", leader && leader->status ? json(counter(leader->status, "driven")) : json()},
          {"problems", problems}};
}

// ── for people ──────────────────────────────────────────────────────────────────────────────────

void print_replicas(const Survey& seen) {
  Table table({"replica", "role", "ready", "behind", "up", "log", "disk", "admin port"});
  for (const SeenReplica& one : seen.replicas) {
    const std::string id = one.replica == 0 ? "?" : std::to_string(one.replica);
    const std::string behind = one.behind ? counted(*one.behind, "slot") : "?";
    if (!one.status) {
      table.add({id, {"not reached", Tone::kBad}, "?", behind, "?", "?", "?", one.admin_address});
      continue;
    }
    const std::string disk = fact(one.status, "disk");
    const std::string log = fact(one.status, "log");
    table.add({id,
               fact(one.status, "role"),
               one.status->ready ? Table::Cell("yes", Tone::kGood) : Table::Cell("no", Tone::kBad),
               behind,
               duration(Millis(one.status->uptime_ms)),
               {log, log == "whole" ? Tone::kPlain : Tone::kWarning},
               {disk, disk == "has room" ? Tone::kPlain : Tone::kBad},
               one.admin_address});
  }
  std::printf("%s", table.text().c_str());
}

void print_participants(const Survey& seen) {
  if (seen.participants.empty()) {
    std::printf("no participant has enrolled\n");
    return;
  }
  Table table({"participant", "agent", "life", "new branches", "epoch", "in doubt", "oldest",
               "waiting", "slots used", "horizon", "client port"});
  for (const SeenParticipant& one : seen.participants) {
    const std::string life = life_of(one, seen.viewpoint.leads);
    const Table::Cell lives(life, life == "live"     ? Tone::kGood
                                  : life == "silent" ? Tone::kBad
                                                     : Tone::kPlain);
    const Table::Cell agent = !one.status         ? Table::Cell("not reached", Tone::kBad)
                              : one.status->ready ? Table::Cell("ready", Tone::kGood)
                                                  : Table::Cell("not ready", Tone::kWarning);
    const std::string takes = takes_of(one);
    const Table::Cell taken(takes, takes == "taken" ? Tone::kPlain : Tone::kWarning);
    const std::string epoch = std::to_string(one.state.epoch);
    if (!one.prepared) {
      table.add({one.state.name, agent, lives, taken, epoch, "?", "?", "?", "?", "?",
                 one.state.client_address});
      continue;
    }
    const auto in_doubt = one.in_doubt();
    std::int64_t waiting = 0;
    for (const auto* prepared : in_doubt) {
      waiting += static_cast<std::int64_t>(prepared->waiters.size());
    }
    const Millis age = oldest(in_doubt);
    table.add(
        {one.state.name,
         agent,
         lives,
         taken,
         epoch,
         with_commas(static_cast<std::int64_t>(in_doubt.size())),
         {in_doubt.empty() ? "-" : duration(age), kInDoubtUsual < age ? Tone::kBad : Tone::kPlain},
         counted(waiting, "backend"),
         with_commas(one.prepared->slots_used) + " of " + with_commas(one.prepared->slots_max),
         with_commas(one.prepared->horizon_age) + " xids",
         one.state.client_address});
  }
  std::printf("%s", table.text().c_str());
}

void print_head(const Survey& seen) {
  const wire::Viewpoint& from = seen.viewpoint;
  std::string head = "cluster " + from.cluster;
  if (from.leads) {
    head += ": replica " + std::to_string(from.replica) + " leads, in office " +
            std::to_string(from.office) + " since " + utc(LogTime(from.office_since_ms)) + " (" +
            duration(Millis(from.now_ms - from.office_since_ms)) + ")";
  } else {
    head += ": NO LEADER; nothing is decided before a majority of the replicas runs";
  }
  std::printf("%s\n\n", toned(head, from.leads ? Tone::kStrong : Tone::kBad).c_str());
}

void print(const Survey& seen, const Totals& totals, const std::vector<std::string>& problems) {
  print_head(seen);
  print_replicas(seen);
  std::printf("\n");
  print_participants(seen);
  const SeenReplica* const leader = leader_of(seen);
  std::printf("\n%s in doubt", counted(totals.in_doubt, "branch", "branches").c_str());
  for (const SeenParticipant& one : seen.participants) {
    if (!one.prepared) std::printf(", not counting %s", one.state.name.c_str());
  }
  if (totals.in_doubt > 0) std::printf(", the oldest for %s", duration(totals.oldest).c_str());
  if (totals.waiters > 0) {
    std::printf("; %s for their locks",
                counted(totals.waiters, "backend waits", "backends wait").c_str());
  }
  if (leader != nullptr && leader->status) {
    std::printf("; the leader works on %s",
                counted(counter(leader->status, "driven"), "transaction").c_str());
  }
  std::printf("\n");
  for (const std::string& one : problems) {
    std::printf("%s\n", toned("problem: " + one, Tone::kBad).c_str());
  }
}

// ── the verbs ───────────────────────────────────────────────────────────────────────────────────

int status(const Settings& settings, const SurveyOptions& options) {
  GroupClient client(options.at, kLeaderPatience);
  const auto seen = survey(client, options);
  if (!seen) return fail(settings, seen.error());
  const Totals totals = totals_of(*seen);
  const std::vector<std::string> problems = problems_of(*seen, totals);
  if (settings.json) {
    print_json(as_json(*seen, totals, problems));
  } else {
    print(*seen, totals, problems);
  }
  return problems.empty() ? kExitGood : kExitProblem;
}

int participants(const Settings& settings, const SurveyOptions& options) {
  GroupClient client(options.at, kLeaderPatience);
  auto seen = survey(client, options);
  if (!seen) return fail(settings, seen.error());
  seen->replicas.clear();  // they are not what was asked for
  const auto missing = seen->missing();
  if (settings.json) {
    print_json({{"viewpoint", cli::as_json(seen->viewpoint)},
                {"participants", participants_json(*seen)},
                {"limits", as_json(seen->limits)},
                {"missing", missing}});
  } else {
    print_participants(*seen);
    print_missing(missing);
  }
  return missing.empty() ? kExitGood : kExitProblem;
}

Verb add(CLI::App& app, const Settings& settings, const char* name, const char* what,
         int (*run)(const Settings&, const SurveyOptions&)) {
  const auto options = std::make_shared<SurveyOptions>();
  CLI::App* const command = app.add_subcommand(name, what);
  add_at(*command, options->at);
  add_agents(*command, options->agents);
  return {command, [&settings, options, run] { return run(settings, *options); }};
}

// The group of verbs is a verb, too, so it cannot insist on --at before it is known which is meant.
int list_participants(const Settings& settings, const SurveyOptions& options) {
  if (!options.at.empty()) return participants(settings, options);
  return refuse(settings, {ErrorCode::kInvalidArgument, "--at is required"});
}

}  // namespace

Verb add_status(CLI::App& app, const Settings& settings) {
  return add(app, settings, "status",
             "How the cluster is: replicas, leader, participants, branches in doubt, problems",
             status);
}

Verb add_participants(CLI::App& app, const Settings& settings) {
  Verb verb = add(app, settings, "participants",
                  "The databases and their agents: life, branches in doubt, slots for prepared "
                  "transactions; with a verb: what is done about one",
                  list_participants);
  verb.parsed_by->get_option("--at")->required(false);
  verb.parsed_by->require_subcommand(0, 1);
  return verb;
}

}  // namespace assent::cli
