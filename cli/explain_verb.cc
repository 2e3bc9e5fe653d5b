// assentctl explain: gathers what everybody knows of one transaction, and shows what follows.
#include <algorithm>
#include <cstdio>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>

#include "cli/describe.h"
#include "cli/explain/explanation.h"
#include "cli/facts_of.h"
#include "cli/look.h"
#include "cli/options.h"
#include "cli/program.h"
#include "cli/survey.h"
#include "cli/table.h"
#include "cli/transactions.h"
#include "cli/verb.h"

namespace assent::cli {
namespace {

using explain::AgentSays;
using explain::Explanation;
using explain::Facts;
using explain::Participant;
using nlohmann::json;

struct Arguments {
  std::vector<std::string> at;
  AgentAddresses agents;
  std::string asked;
};

// ── gathering ───────────────────────────────────────────────────────────────────────────────────

std::optional<TransactionId> transaction_of(const std::string& asked) {
  if (const auto id = parse_transaction_id(asked)) return id;
  const auto gid = parse_gid(asked);
  return gid ? std::optional(gid->branch.transaction) : std::nullopt;
}

void ask_log(GroupClient& client, Facts& facts) {
  const auto told = client.participants();
  if (!told) {
    facts.log_unreached = told.error().message;
    return;
  }
  for (const wire::ParticipantState& one : told->participants) {
    facts.participants.push_back(facts_of(one));
  }
  facts.log = facts_of(told->viewpoint);
  facts.leader_unreached = client.leader_unreached();
  if (!facts.transaction) return;
  const auto known = named_transactions(client, {to_string(*facts.transaction)});
  if (!known) {
    facts.log.reset();
    facts.log_unreached = known.error().message;
    return;
  }
  facts.log = facts_of(known->viewpoint);
  facts.leader_unreached = client.leader_unreached();
  explain::Known of_it = facts_of(known->all.at(0));
  facts.record = std::move(of_it.record);
  facts.driven = std::move(of_it.driven);
  facts.heuristic = std::move(of_it.heuristic);
}

// Those that an operator has named are asked whether the log knows them or not.
void name_agents(const AgentAddresses& agents, std::vector<Participant>& participants) {
  for (const auto& [name, address] : agents) {
    const auto known = std::ranges::find(participants, name, &Participant::name);
    Participant& one = known == participants.end() ? participants.emplace_back() : *known;
    one.name = name;
    one.admin_address = address;
  }
}

// Of all that is prepared, what has the gid that was asked about.
AgentSays only_asked(const wire::PreparedReply& reply, const Facts& facts) {
  AgentSays out;
  out.epoch = Epoch(static_cast<std::uint64_t>(reply.epoch));
  out.now = facts.log ? facts.log->now : LogTime(0);
  for (const wire::PreparedTransaction& one : reply.transactions) {
    if (one.gid == facts.asked) out.prepared.push_back(facts_of(one));
  }
  return out;
}

void ask_agents(Facts& facts) {
  std::vector<AgentAt> agents;
  std::vector<Participant*> asked;
  for (Participant& one : facts.participants) {
    if (one.admin_address.empty()) {
      one.unreached = kNoAdminAddress;
      continue;
    }
    agents.push_back({facts.log ? facts.log->cluster : "", one.name, one.admin_address});
    asked.push_back(&one);
  }
  const auto keep = [&](auto answers, const auto& said) {
    for (std::size_t i = 0; i < asked.size(); ++i) {
      if (answers[i]) {
        asked[i]->agent = said(*answers[i]);
      } else {
        asked[i]->unreached = answers[i].error().message;
      }
    }
  };
  if (facts.transaction) {
    keep(trace(agents, to_string(*facts.transaction)),
         [](const wire::TraceReply& reply) { return facts_of(reply); });
  } else {
    keep(look_at_prepared(agents),
         [&](const wire::PreparedReply& reply) { return only_asked(reply, facts); });
  }
}

Facts gather(const Arguments& arguments) {
  GroupClient client(arguments.at, kLeaderPatience);
  Facts facts;
  facts.asked = arguments.asked;
  facts.transaction = transaction_of(arguments.asked);
  ask_log(client, facts);
  name_agents(arguments.agents, facts.participants);
  ask_agents(facts);
  return facts;
}

// ── for people ──────────────────────────────────────────────────────────────────────────────────

constexpr std::size_t kLineMax = 100;

// Wrapped between words; `head` in front of the first line, blanks of its width before the others.
std::string paragraph(const std::string& head, const std::string& text, Tone tone = Tone::kPlain) {
  std::string out = toned(head, Tone::kFaint);
  std::size_t column = head.size();
  for (std::size_t from = 0; from < text.size();) {
    std::size_t to = text.find(' ', from);
    if (to == std::string::npos) to = text.size();
    const std::size_t length = to - from;
    if (length == 0) {
      ++from;
      continue;
    }
    if (column > head.size() && kLineMax < column + 1 + length) {
      out += "\n" + std::string(head.size(), ' ');
      column = head.size();
    }
    if (column > head.size()) {
      out += ' ';
      ++column;
    }
    out += toned(text.substr(from, length), tone);
    column += length;
    from = to + 1;
  }
  return out + "\n";
}

void print_timeline(const Explanation& told) {
  if (told.timeline.empty()) return;
  Table table({"when (UTC)", "who", "what"});
  for (const explain::Event& one : told.timeline) {
    table.add({one.at ? utc(*one.at) : "-", one.who, one.what});
  }
  std::printf("\n%s", table.text(2).c_str());
}

void print_branches(const Explanation& told) {
  if (told.branches.empty()) return;
  Table table({"branch", "in the log", "in its database"});
  for (const explain::BranchLine& one : told.branches) {
    table.add({one.branch, one.log, one.database});
  }
  std::printf("\n%s", table.text(2).c_str());
}

Tone tone_of(const Explanation& told) {
  return told.needs_somebody ? Tone::kBad : Tone::kStrong;
}

void print(const Facts& facts, const Explanation& told) {
  const std::string id = facts.transaction ? to_string(*facts.transaction) : facts.asked;
  std::printf("%s\n", toned(id, Tone::kStrong).c_str());
  const std::string outcome = told.outcome ? std::string(name(*told.outcome)) + ": " : "";
  std::printf("%s\n", toned(outcome + told.headline, tone_of(told)).c_str());
  std::printf("\n%s", paragraph("why   ", told.why).c_str());
  for (const std::string& one : told.next) std::printf("%s", paragraph("next  ", one).c_str());
  if (told.commands.empty() && !told.needs_somebody)
    std::printf("%s", paragraph("do    ", "nothing need be done").c_str());
  for (const explain::Command& one : told.commands) {
    std::printf("%s", paragraph("do    ", one.text + " (" + one.why + ")", Tone::kStrong).c_str());
  }
  print_branches(told);
  if (!told.waiting.empty()) std::printf("\n");
  for (const std::string& one : told.waiting) {
    std::printf("  %s\n", toned(one, Tone::kWarning).c_str());
  }
  print_timeline(told);
  if (!told.missing.empty()) std::printf("\n");
  print_missing(told.missing);
}

// ── for machines ────────────────────────────────────────────────────────────────────────────────

json as_json(const Facts& facts, const Explanation& told) {
  json timeline = json::array();
  for (const explain::Event& one : told.timeline) {
    timeline.push_back(
        {{"at", one.at ? json(utc(*one.at)) : json()}, {"who", one.who}, {"what", one.what}});
  }
  json branches = json::array();
  for (const explain::BranchLine& one : told.branches) {
    branches.push_back({{"branch", one.branch}, {"log", one.log}, {"database", one.database}});
  }
  json commands = json::array();
  for (const explain::Command& one : told.commands) {
    commands.push_back({{"command", one.text}, {"why", one.why}});
  }
  return {{"asked", facts.asked},
          {"transaction", facts.transaction ? json(to_string(*facts.transaction)) : json()},
          {"leader_answered", facts.log.has_value() && facts.log->leads},
          {"cause", name(told.cause)},
          {"outcome", told.outcome ? json(name(*told.outcome)) : json()},
          {"headline", told.headline},
          {"why", told.why},
          {"next", told.next},
          {"commands", commands},
          {"branches", branches},
          {"waiting", told.waiting},
          {"timeline", timeline},
          {"missing", told.missing},
          {"needs_somebody", told.needs_somebody}};
}

int explain_one(const Settings& settings, const Arguments& arguments) {
  const Facts facts = gather(arguments);
  if (!facts.log && facts.participants.empty()) {
    return fail(settings, {ErrorCode::kUnavailable, facts.log_unreached});
  }
  const Explanation told = explain::explain(facts);
  if (settings.json) {
    print_json(as_json(facts, told));
  } else {
    print(facts, told);
  }
  return told.needs_somebody || !told.missing.empty() ? kExitProblem : kExitGood;
}

}  // namespace

Verb add_explain(CLI::App& app, const Settings& settings) {
  const auto arguments = std::make_shared<Arguments>();
  CLI::App* const command = app.add_subcommand(
      "explain",
      "What became of a transaction, why, what comes next by itself, and what may safely be done");
  command
      ->add_option("transaction", arguments->asked,
                   "its id, or a gid as it stands in pg_prepared_xacts")
      ->required();
  add_at(*command, arguments->at);
  add_agents(*command, arguments->agents);
  return {command, [&settings, arguments] { return explain_one(settings, *arguments); }};
}

}  // namespace assent::cli
