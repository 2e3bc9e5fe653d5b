// assentctl participants add, drain, resume, remove: what is done about a database and its agent
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
#include "cli/group_client.h"
#include "cli/look.h"
#include "cli/options.h"
#include "cli/program.h"
#include "cli/survey.h"
#include "cli/table.h"
#include "cli/verb.h"
#include "runtime/process.h"

namespace assent::cli {
namespace {

using explain::counted;
using explain::duration;
using nlohmann::json;

constexpr Millis kLookEvery{250};
constexpr Millis kTellEvery{2'000};

struct Arguments {
  std::string participant;
  SurveyOptions look;
  std::string operator_name;
  std::string reason;
  std::int64_t timeout_s = 0;
  bool yes = false;
};

// ── looking at one participant ──────────────────────────────────────────────────────────────────

// The participant in a survey; null: nobody has enrolled under its name.
const SeenParticipant* find(const Survey& seen, const std::string& name) {
  const auto found = std::ranges::find(seen.participants, name,
                                       [](const SeenParticipant& one) { return one.state.name; });
  return found == seen.participants.end() ? nullptr : &*found;
}

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
    remains("its agent has " + counted(*out.open, "branch", "branches") +
            " that have not ended; open ones end at their clients' commit, or at their deadlines");
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

// ── waiting ─────────────────────────────────────────────────────────────────────────────────────

class Work {
 public:
  Work(const Settings& settings, const Arguments& arguments)
      : settings_(settings),
        arguments_(arguments),
        client_(arguments.look.at),
        begun_(process::monotonic_now()) {}

  GroupClient& client() { return client_; }

  // Asks the leader to change it.
  Result<wire::ChangeParticipantReply> change(wire::ParticipantChange::type change, bool dry_run) {
    wire::ChangeParticipantRequest request;
    request.participant = arguments_.participant;
    request.change = change;
    request.operator_name = arguments_.operator_name;
    request.reason = arguments_.reason;
    request.dry_run = dry_run;
    return client_.change_participant(request);
  }

  // Looks at the participant until `missing` has nothing to say, or the time is over; answers what
  // it said last. An error: no replica answers.
  template <class Missing>
  Result<std::vector<std::string>> await(Missing missing) {
    for (;;) {
      const auto seen = survey(client_, arguments_.look);
      if (!seen) return tl::unexpected(seen.error());
      const std::vector<std::string> said = missing(*seen);
      if (said.empty() || over()) return said;
      tell_slowly(said);
      client_.pause(kLookEvery);
    }
  }

  // Progress, for people only.
  void tell(const std::string& words) const {
    if (settings_.json) return;
    std::printf("%s\n", words.c_str());
    std::fflush(stdout);
  }

  [[nodiscard]] Millis waited() const { return process::monotonic_now() - begun_; }

 private:
  [[nodiscard]] bool over() const { return Millis(arguments_.timeout_s * 1'000) <= waited(); }

  // No more often than people can read.
  void tell_slowly(const std::vector<std::string>& words) {
    const MonoTime now = process::monotonic_now();
    if (now - told_ < kTellEvery) return;
    told_ = now;
    for (const std::string& one : words) tell("waiting: " + one);
  }

  const Settings& settings_;
  const Arguments& arguments_;
  GroupClient client_;
  const MonoTime begun_;
  MonoTime told_ = process::monotonic_now();
};

json or_null(const std::optional<std::int64_t>& number) {
  return number ? json(*number) : json();
}

void print_bad(const std::vector<std::string>& sentences) {
  for (const std::string& one : sentences) {
    std::printf("%s\n", toned("not yet: " + one, Tone::kBad).c_str());
  }
}

// ── drain ───────────────────────────────────────────────────────────────────────────────────────

void print_drained(const Arguments& arguments, const Drained& now, bool safe) {
  const std::string& name = arguments.participant;
  if (!safe) {
    print_bad(now.remains);
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
                                counted(now.connections.value_or(0), "connection") +
                                " of its agent remain, which end with it",
                            Tone::kGood)
                          .c_str());
  if (now.others.value_or(0) > 0) {
    std::printf("%s prepared in it under other names; they are not ours to end\n",
                counted(*now.others, "transaction is", "transactions are").c_str());
  }
  std::printf("when it is back: assentctl participants resume %s\n", name.c_str());
}

int drain(const Settings& settings, const Arguments& arguments) {
  Work work(settings, arguments);
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

int resume(const Settings& settings, const Arguments& arguments) {
  Work work(settings, arguments);
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
    print_bad(*remains);
    std::printf("%s %s%s\n", arguments.participant.c_str(),
                asked->changed ? "is resumed" : "was not drained",
                remains->empty() ? ", and its agent takes new branches" : "");
  }
  return remains->empty() ? kExitGood : kExitProblem;
}

// ── remove ──────────────────────────────────────────────────────────────────────────────────────

int remove(const Settings& settings, const Arguments& arguments) {
  if (arguments.yes && arguments.reason.empty()) {
    return refuse(settings, {ErrorCode::kInvalidArgument, "--reason is required with --yes"});
  }
  Arguments given = arguments;
  if (given.reason.empty()) given.reason = "dry run";
  Work work(settings, given);
  const auto asked = work.change(wire::ParticipantChange::REMOVE, !arguments.yes);
  if (!asked) return fail(settings, asked.error());
  if (settings.json) {
    print_json({{"participant", arguments.participant},
                {"changed", asked->changed},
                {"done", arguments.yes}});
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

// ── add ─────────────────────────────────────────────────────────────────────────────────────────

// What a new participant still lacks, and what its agent has found.
struct Enrolling {
  std::vector<std::string> missing;
  std::vector<wire::Finding> findings;
  std::optional<std::int64_t> epoch;
  bool live = false;
};

// Its agent's admin port: as named, or as the leader tells; empty: nobody has told.
std::string agent_of(const Survey& seen, const Arguments& arguments) {
  const auto named = arguments.look.agents.find(arguments.participant);
  if (named != arguments.look.agents.end()) return named->second;
  const SeenParticipant* const one = find(seen, arguments.participant);
  return one == nullptr ? "" : one->state.admin_address;
}

// Asks the agent itself; false: it is no agent of this participant, or is not reached.
bool ask_agent(Enrolling& out, const std::string& address, const std::string& name) {
  const auto told = look_at_processes({address}).front();
  if (!told) {
    out.missing.push_back("its agent does not answer at " + address + ": " + told.error().message);
    return false;
  }
  const auto serves = told->facts.find("participant");
  if (told->program != "assent-agent" || serves == told->facts.end() || serves->second != name) {
    out.missing.push_back("at " + address + " answers " + told->program +
                          (serves == told->facts.end() ? "" : " of " + serves->second) +
                          ", and not the agent of " + name + ": see its configuration");
    return false;
  }
  if (!told->ready) {
    out.missing.push_back(
        "its agent is not ready; what it lacks is in the findings, and in its "
        "log");
  }
  auto doctor = call_doctors({address}).front();
  if (!doctor) {
    out.missing.push_back("its agent cannot examine its database: " + doctor.error().message);
    return false;
  }
  out.findings = std::move(doctor->findings);
  for (const wire::Finding& one : out.findings) {
    if (one.verdict != wire::Verdict::FAILURE) continue;
    out.missing.push_back(one.check + ": " + one.found + ". " + one.remedy);
  }
  return true;
}

Enrolling enrolling_of(const Survey& seen, const Arguments& arguments) {
  const std::string& name = arguments.participant;
  Enrolling out;
  const std::string address = agent_of(seen, arguments);
  if (!address.empty()) ask_agent(out, address, name);
  const SeenParticipant* const one = find(seen, name);
  if (one == nullptr) {
    out.missing.push_back(
        "nobody has enrolled under the name " + name +
        ": run participant/schema/install.sql in its database, write an agent.toml that names the "
        "coordinators, and start its agent, which enrols by itself" +
        (address.empty()
             ? "; name its admin port with --agent " + name + "=HOST:PORT to hear what keeps it"
             : ""));
    return out;
  }
  out.epoch = one->state.epoch;
  out.live = one->state.live;
  if (!seen.viewpoint.leads) {
    out.missing.push_back("no leader answers: " + seen.leader_unreached);
  } else if (!out.live) {
    out.missing.push_back("it has enrolled, and the leader does not hear its agent at " +
                          one->state.peer_address);
  } else if (!one->state.connected) {
    out.missing.push_back("the leader does not reach its agent's peer port, " +
                          one->state.peer_address + ": see advertise.peer");
  }
  if (address.empty()) out.missing.push_back(kNoAdminAddress);
  if (one->state.__isset.drain) {
    out.missing.push_back("it is drained (" + one->state.drain.reason +
                          "): assentctl participants resume " + name);
  }
  return out;
}

json as_json(const wire::Finding& one) {
  const char* const verdict = one.verdict == wire::Verdict::GOOD      ? "good"
                              : one.verdict == wire::Verdict::WARNING ? "warning"
                                                                      : "failure";
  return {{"check", one.check},
          {"verdict", verdict},
          {"found", one.found},
          {"remedy", one.__isset.remedy ? json(one.remedy) : json()}};
}

int add(const Settings& settings, const Arguments& arguments) {
  Work work(settings, arguments);
  Enrolling now;
  const auto missing = work.await([&](const Survey& seen) {
    now = enrolling_of(seen, arguments);
    return now.missing;
  });
  if (!missing) return fail(settings, missing.error());
  if (settings.json) {
    json findings = json::array();
    for (const wire::Finding& one : now.findings) findings.push_back(as_json(one));
    print_json({{"participant", arguments.participant},
                {"serves", missing->empty()},
                {"epoch", or_null(now.epoch)},
                {"live", now.live},
                {"missing", *missing},
                {"findings", findings},
                {"waited_ms", work.waited().value}});
    return missing->empty() ? kExitGood : kExitProblem;
  }
  for (const wire::Finding& one : now.findings) {
    if (one.verdict != wire::Verdict::WARNING) continue;
    std::printf("%s\n", toned("warning: " + one.check + ": " + one.found + ". " + one.remedy,
                              Tone::kWarning)
                            .c_str());
  }
  print_bad(*missing);
  if (missing->empty()) {
    std::printf("%s\n",
                toned(arguments.participant + " takes part, in epoch " + std::to_string(*now.epoch),
                      Tone::kGood)
                    .c_str());
  }
  return missing->empty() ? kExitGood : kExitProblem;
}

// ── the verbs ───────────────────────────────────────────────────────────────────────────────────

Verb add_verb(CLI::App& participants, const Settings& settings, const char* name, const char* what,
              const std::shared_ptr<Arguments>& arguments,
              int (*run)(const Settings&, const Arguments&)) {
  CLI::App* const command = participants.add_subcommand(name, what);
  command->add_option("participant", arguments->participant, "its name")->required();
  add_at(*command, arguments->look.at);
  return {command, [&settings, arguments, run] { return run(settings, *arguments); }};
}

void add_timeout(CLI::App& command, Arguments& arguments, std::int64_t seconds) {
  arguments.timeout_s = seconds;
  command
      .add_option("--timeout", arguments.timeout_s,
                  "seconds until it gives up waiting (default: " + std::to_string(seconds) + ")")
      ->check(CLI::Range(0, 86'400));
}

void add_reason(CLI::App& command, Arguments& arguments, const char* what) {
  command.add_option("--reason", arguments.reason, what);
  add_operator(command, arguments.operator_name);
}

}  // namespace

Verb add_participants_add(CLI::App& participants, const Settings& settings) {
  const auto arguments = std::make_shared<Arguments>();
  Verb verb = add_verb(participants, settings, "add",
                       "Waits until a new participant takes part, and says what keeps it; agents "
                       "enrol by themselves",
                       arguments, add);
  add_agents(*verb.parsed_by, arguments->look.agents);
  add_timeout(*verb.parsed_by, *arguments, 60);
  return verb;
}

Verb add_participants_drain(CLI::App& participants, const Settings& settings) {
  const auto arguments = std::make_shared<Arguments>();
  Verb verb = add_verb(participants, settings, "drain",
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
  const auto arguments = std::make_shared<Arguments>();
  Verb verb = add_verb(participants, settings, "resume",
                       "After maintenance: it takes new branches again", arguments, resume);
  arguments->reason = "maintenance is over";
  add_agents(*verb.parsed_by, arguments->look.agents);
  add_reason(*verb.parsed_by, *arguments, "why; stands in the log (default: maintenance is over)");
  add_timeout(*verb.parsed_by, *arguments, 60);
  return verb;
}

Verb add_participants_remove(CLI::App& participants, const Settings& settings) {
  const auto arguments = std::make_shared<Arguments>();
  Verb verb = add_verb(participants, settings, "remove",
                       "Forgets a participant that is gone for good; its name is never used again",
                       arguments, remove);
  verb.parsed_by->add_flag("--yes", arguments->yes,
                           "do it; without it, only what would be done is told");
  add_reason(*verb.parsed_by, *arguments, "why; stands in the log");
  return verb;
}

}  // namespace assent::cli
