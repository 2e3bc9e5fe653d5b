// assentctl participants drain, resume, remove: what is done about a database and its agent
// (docs/adr/0009). Every verb may be given again: it goes on where it was interrupted.
#include <algorithm>
#include <cstdio>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "cli/explain/units.h"
#include "cli/json_values.h"
#include "cli/options.h"
#include "cli/participant_work.h"
#include "cli/program.h"
#include "cli/survey.h"
#include "cli/table.h"
#include "cli/verb.h"

namespace assent::cli {
namespace {

using explain::counted;
using explain::duration;

// ── drain ───────────────────────────────────────────────────────────────────────────────────────

std::int64_t branches_live(const SeenParticipant& one) {
  const auto& counters = one.status->counters;
  const auto found = counters.find("branches_live");
  return found == counters.end() ? 0 : found->second;
}

// Whether the agent opens new branches, as it says itself.
bool takes_branches(const SeenParticipant& one) {
  const auto found = one.status->facts.find("new_branches");
  return found != one.status->facts.end() && found->second == "taken";
}

// What a drain has come to, from one look.
struct Drained {
  std::vector<std::string> remains;  // sentences; none: it is safe to stop the server
  std::optional<std::int64_t> driven;
  std::optional<std::int64_t> open;      // or prepared, as the agent knows
  std::optional<std::int64_t> prepared;  // of ours, in the database
  std::optional<std::int64_t> others;    // prepared in the server, and not ours
  std::optional<std::int64_t> connections;
};

// 1. The leader has executed the drain: it begins no one-shot there any more, and `driven` counts
//    those that it had begun.
// 2. The agent says after that that it opens no branch, so what it and its database then have of
//    ours is all that there will be.
// 3. The survey asks in this order.
Drained drained_of(const Survey& seen, const std::string& name) {
  Drained out;
  const auto remains = [&](std::string what) { out.remains.push_back(std::move(what)); };
  const SeenParticipant* const one = find(seen, name);
  if (!seen.viewpoint.leads) remains("no leader answers: " + seen.leader_unreached);
  if (one == nullptr || !seen.viewpoint.leads) return out;
  if (!one->state.__isset.drain) remains("it is not drained any more: somebody has resumed it");
  out.driven = one->state.driven;
  if (*out.driven > 0) {
    remains("the leader works on " + counted(*out.driven, "branch", "branches") + " there");
  }
  if (!one->status) {
    remains("its agent is not reached, so nobody knows what is prepared: " + one->unreached);
    return out;
  }
  if (takes_branches(*one)) remains("its agent has not heard of the drain yet");
  out.open = branches_live(*one);
  if (*out.open > 0) {
    remains("its agent has " +
            counted(*out.open, "branch that has not ended", "branches that have not ended") +
            "; open ones end at their clients' commit, or at their deadlines");
  }
  if (!one->prepared) {
    remains("its database is not reached: " + one->database_unreached);
    return out;
  }
  out.connections = one->prepared->connections;
  out.prepared = 0;
  out.others = 0;
  Millis oldest;
  for (const wire::PreparedTransaction& prepared : one->prepared->transactions) {
    const bool ours = prepared.belonging == wire::Belonging::OURS;
    ++*(ours ? out.prepared : out.others);
    if (ours) oldest = std::max(oldest, Millis(prepared.age_ms));
  }
  if (*out.prepared > 0) {
    remains(counted(*out.prepared, "branch is", "branches are") + " prepared in it, for " +
            duration(oldest) + ": assentctl transactions --in-doubt --participant " + name);
  }
  return out;
}

void print_drained(const ParticipantArguments& arguments, const Drained& now, bool safe) {
  const std::string& name = arguments.participant;
  if (!safe) {
    print_not_yet(now.remains);
    std::printf(
        "%s\n",
        toned("NOT safe to stop the server of " + name +
                  " yet. It stays drained: give the command again to go on waiting, or assentctl "
                  "participants resume " +
                  name,
              Tone::kBad)
            .c_str());
    return;
  }
  std::printf("%s\n", toned("safe to stop the server of " + name +
                                ": nothing of ours is prepared in it, and " +
                                counted(now.connections.value_or(0),
                                        "connection of its agent remains, which ends with it",
                                        "connections of its agent remain, which end with it"),
                            Tone::kGood)
                          .c_str());
  if (now.others.value_or(0) > 0) {
    std::printf("%s prepared in it under other names; they are not ours to end\n",
                counted(*now.others, "transaction is", "transactions are").c_str());
  }
  std::printf("when it is back: assentctl participants resume %s\n", name.c_str());
}

int drain(const Settings& settings, const ParticipantArguments& arguments) {
  ParticipantWork work(settings, arguments);
  const auto asked = work.change(wire::ParticipantChange::DRAIN, false);
  if (!asked) return fail(settings, asked.error());
  work.tell(arguments.participant + (asked->changed ? " is drained" : " was drained before") +
            ": it takes no new branches, and those that are there go on to their ends");
  Drained now;
  const auto remains = work.await([&](const Survey& seen) {
    now = drained_of(seen, arguments.participant);
    return now.remains;
  });
  if (!remains) return fail(settings, remains.error());
  const bool safe = remains->empty();
  if (settings.json) {
    print_json({{"participant", arguments.participant},
                {"changed", asked->changed},
                {"safe", safe},
                {"remains", *remains},
                {"driven", or_null(now.driven)},
                {"open", or_null(now.open)},
                {"prepared", or_null(now.prepared)},
                {"others_prepared", or_null(now.others)},
                {"connections", or_null(now.connections)},
                {"waited_ms", work.waited().value}});
  } else {
    print_drained(arguments, now, safe);
  }
  return safe ? kExitGood : kExitProblem;
}

// ── resume ──────────────────────────────────────────────────────────────────────────────────────

int resume(const Settings& settings, const ParticipantArguments& arguments) {
  ParticipantWork work(settings, arguments);
  const auto asked = work.change(wire::ParticipantChange::RESUME, false);
  if (!asked) return fail(settings, asked.error());
  const auto remains = work.await([&](const Survey& seen) -> std::vector<std::string> {
    const SeenParticipant* const one = find(seen, arguments.participant);
    if (one == nullptr) return {"nobody has enrolled under its name"};
    if (!one->status) return {"its agent is not reached: " + one->unreached};
    if (!one->status->ready) return {"its agent is not ready: see assentctl doctor"};
    if (takes_branches(*one)) return {};
    return {"its agent still says that new branches are " + one->status->facts.at("new_branches")};
  });
  if (!remains) return fail(settings, remains.error());
  if (settings.json) {
    print_json({{"participant", arguments.participant},
                {"changed", asked->changed},
                {"takes_branches", remains->empty()},
                {"remains", *remains},
                {"waited_ms", work.waited().value}});
  } else {
    print_not_yet(*remains);
    std::printf("%s %s%s\n", arguments.participant.c_str(),
                asked->changed ? "is resumed" : "was not drained",
                remains->empty() ? ", and its agent takes new branches" : "");
  }
  return remains->empty() ? kExitGood : kExitProblem;
}

// ── remove ──────────────────────────────────────────────────────────────────────────────────────

void print_abandoned(const ParticipantArguments& arguments,
                     const wire::ChangeParticipantReply& told) {
  const char* const name = arguments.participant.c_str();
  if (told.abandoned.empty()) {
    std::printf("%s has confirmed every outcome that is decided: nothing is to be given up\n",
                name);
    return;
  }
  const char* const what = arguments.yes ? "" : "would be given up: ";
  for (const std::string& one : told.abandoned) {
    std::printf("%stransaction %s: a hazard, for nobody knows how it ended at %s\n", what,
                one.c_str(), name);
  }
  if (!arguments.yes) {
    std::printf("nothing was done: give it again with --yes --reason WHY\n");
    return;
  }
  std::printf(
      "given up; the log keeps who did it and why. Next, for each: see to its data (assentctl "
      "explain "
      "TRANSACTION), then assentctl heuristic forget TRANSACTION --reason WHY; and in the end "
      "assentctl participants remove %s\n",
      name);
}

int remove(const Settings& settings, const ParticipantArguments& arguments) {
  if (arguments.yes && arguments.reason.empty()) {
    return refuse(settings, {ErrorCode::kInvalidArgument, "--reason is required with --yes"});
  }
  ParticipantArguments given = arguments;
  if (given.reason.empty()) given.reason = "dry run";
  ParticipantWork work(settings, given);
  const auto asked = work.change(arguments.abandon_outcomes ? wire::ParticipantChange::ABANDON
                                                            : wire::ParticipantChange::REMOVE,
                                 !arguments.yes);
  if (!asked) return fail(settings, asked.error());
  if (settings.json) {
    print_json({{"participant", arguments.participant},
                {"changed", asked->changed},
                {"done", arguments.yes},
                {"abandoned", asked->abandoned}});
    return kExitGood;
  }
  if (arguments.abandon_outcomes) {
    print_abandoned(arguments, *asked);
    return kExitGood;
  }
  const char* const name = arguments.participant.c_str();
  if (!asked->changed) {
    std::printf("%s was removed before\n", name);
  } else if (arguments.yes) {
    std::printf(
        "%s is removed, and its name is never used again; the log keeps who did it and "
        "why\n",
        name);
  } else {
    std::printf(
        "would be done: %s is forgotten, and its name is never used again. Nothing of it "
        "is owed an outcome, as far as the log knows; what is still prepared in its "
        "database stays so\nnothing was done: give it again with --yes --reason WHY\n",
        name);
  }
  return kExitGood;
}

// ── the verbs ───────────────────────────────────────────────────────────────────────────────────

void add_reason(CLI::App& command, ParticipantArguments& arguments, const char* what) {
  command.add_option("--reason", arguments.reason, what);
  add_operator(command, arguments.operator_name);
}

}  // namespace

Verb add_participants_drain(CLI::App& participants, const Settings& settings) {
  const auto arguments = std::make_shared<ParticipantArguments>();
  Verb verb =
      add_participant_verb(participants, settings, "drain",
                           "Before maintenance: no new branches, and says when its server may be "
                           "stopped",
                           arguments, drain);
  arguments->reason = "maintenance";
  add_agents(*verb.parsed_by, arguments->look.agents);
  add_reason(*verb.parsed_by, *arguments, "why; whoever is refused is told (default: maintenance)");
  add_timeout(*verb.parsed_by, *arguments, 300);
  return verb;
}

Verb add_participants_resume(CLI::App& participants, const Settings& settings) {
  const auto arguments = std::make_shared<ParticipantArguments>();
  Verb verb =
      add_participant_verb(participants, settings, "resume",
                           "After maintenance: it takes new branches again", arguments, resume);
  arguments->reason = "maintenance is over";
  add_agents(*verb.parsed_by, arguments->look.agents);
  add_reason(*verb.parsed_by, *arguments, "why; stands in the log (default: maintenance is over)");
  add_timeout(*verb.parsed_by, *arguments, 60);
  return verb;
}

Verb add_participants_remove(CLI::App& participants, const Settings& settings) {
  const auto arguments = std::make_shared<ParticipantArguments>();
  Verb verb = add_participant_verb(
      participants, settings, "remove",
      "Forgets a participant that is gone for good; its name is never used again", arguments,
      remove);
  verb.parsed_by->add_flag("--yes", arguments->yes,
                           "do it; without it, only what would be done is told");
  verb.parsed_by->add_flag("--abandon-outcomes", arguments->abandon_outcomes,
                           "before that: each outcome that it has not confirmed becomes a hazard, "
                           "for an operator to see to and forget");
  add_reason(*verb.parsed_by, *arguments, "why; stands in the log");
  return verb;
}

}  // namespace assent::cli
