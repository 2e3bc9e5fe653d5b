// assentctl watch: a live screen of rates, latencies, branches in doubt and who leads.
#include <unistd.h>

#include <cstdio>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>

#include "cli/describe.h"
#include "cli/explain/units.h"
#include "cli/json_values.h"
#include "cli/options.h"
#include "cli/program.h"
#include "cli/rates.h"
#include "cli/survey.h"
#include "cli/table.h"
#include "cli/verb.h"
#include "runtime/process.h"

namespace assent::cli {
namespace {

using explain::duration;
using explain::with_commas;
using nlohmann::json;

constexpr Millis kLeaderPatienceOfOneLook{2'000};

struct Arguments {
  SurveyOptions look;
  std::string every = "1s";
  std::int64_t count = 0;  // 0: until it is interrupted
};

Sample sample(const Result<Survey>& seen, MonoTime at) {
  Sample out{at, {}};
  if (!seen) return out;
  const auto add = [&](const std::string& who,
                       const std::optional<wire::ProcessStatusReply>& told) {
    if (told) out.processes[who] = {told->pid, told->counters};
  };
  for (const SeenReplica& one : seen->replicas) {
    add("replica " + std::to_string(one.replica), one.status);
  }
  for (const SeenParticipant& one : seen->participants) add(one.state.name, one.status);
  return out;
}

struct Screen {
  std::string time;
  std::optional<std::int64_t> leader;
  std::int64_t office = 0;
  Rates rates;
  std::int64_t in_doubt = 0;
  Millis oldest;
  std::int64_t waiters = 0;
  std::int64_t driven = 0;
  std::vector<std::string> missing;
};

Screen screen_of(const Result<Survey>& seen, const Sample& before, const Sample& now) {
  Screen out;
  out.time = utc(LogTime(process::wall_now_ms()));
  out.rates = rates_between(before, now);
  if (!seen) {
    out.missing.push_back(seen.error().message);
    return out;
  }
  if (seen->viewpoint.leads) {
    out.leader = seen->viewpoint.replica;
    out.office = seen->viewpoint.office;
  }
  for (const SeenParticipant& one : seen->participants) {
    for (const auto* prepared : one.in_doubt()) {
      ++out.in_doubt;
      out.oldest = std::max(out.oldest, Millis(prepared->age_ms));
      out.waiters += static_cast<std::int64_t>(prepared->waiters.size());
    }
  }
  if (out.leader) {
    const auto leads = now.processes.find("replica " + std::to_string(*out.leader));
    if (leads != now.processes.end()) out.driven = leads->second.counter("driven");
  }
  out.missing = seen->missing();
  return out;
}

json as_json(const Screen& one) {
  return {{"time", one.time},
          {"leader", or_null(one.leader)},
          {"office", one.leader ? json(one.office) : json()},
          {"commits_per_s", or_null(one.rates.commits_per_s)},
          {"aborts_per_s", or_null(one.rates.aborts_per_s)},
          {"statements_per_s", or_null(one.rates.statements_per_s)},
          {"commit_ms_mean", or_null(one.rates.commit_ms_mean)},
          {"commit_ms_p50", or_null(one.rates.commit_ms_p50)},
          {"commit_ms_p99", or_null(one.rates.commit_ms_p99)},
          {"driven", one.driven},
          {"in_doubt", one.in_doubt},
          {"oldest_ms", one.in_doubt > 0 ? json(one.oldest.value) : json()},
          {"waiters", one.waiters},
          {"missing", one.missing}};
}

std::string rate_text(const std::optional<double>& value, const char* unit) {
  if (!value) return "-";
  char text[64];
  std::snprintf(text, sizeof text, "%.1f %s", *value, unit);
  return text;
}

std::string within_text(const std::optional<std::int64_t>& bound) {
  return bound ? "within " + with_commas(*bound) + " ms" : "-";
}

Table screen_table() {
  return Table({"time (UTC)", "leader", "commits", "aborts", "statements", "commit takes", "half",
                "99 %", "under way", "in doubt", "oldest", "waiting"});
}

void add(Table& table, const Screen& one) {
  table.add(
      {one.time.substr(11, 8),
       one.leader ? Table::Cell(std::to_string(*one.leader)) : Table::Cell("NONE", Tone::kBad),
       rate_text(one.rates.commits_per_s, "/s"), rate_text(one.rates.aborts_per_s, "/s"),
       rate_text(one.rates.statements_per_s, "/s"), rate_text(one.rates.commit_ms_mean, "ms"),
       within_text(one.rates.commit_ms_p50), within_text(one.rates.commit_ms_p99),
       with_commas(one.driven), with_commas(one.in_doubt),
       one.in_doubt > 0 ? duration(one.oldest) : "-", with_commas(one.waiters)});
}

// On a terminal one screen takes the place of the other; elsewhere each is a line, as the head has
// it.
void show(const std::vector<Screen>& recent, bool first) {
  const bool terminal = isatty(STDOUT_FILENO) == 1;
  Table table = screen_table();
  if (terminal) {
    for (const Screen& one : recent) add(table, one);
    std::printf("\033[H\033[2J%s\n", table.text().c_str());
    print_missing(recent.back().missing);
  } else {
    add(table, recent.back());
    const std::string text = table.text();
    std::printf("%s", first ? text.c_str() : text.substr(text.find('\n') + 1).c_str());
    print_missing(recent.back().missing);
  }
  std::fflush(stdout);
}

constexpr std::size_t kShown = 20;

int watch(const Settings& settings, const Arguments& arguments) {
  const Millis every = parse_duration(arguments.every).value_or(Millis(1'000));
  GroupClient client(arguments.look.at, kLeaderPatienceOfOneLook);
  Sample before;
  std::vector<Screen> recent;
  bool answered = false;
  for (std::int64_t i = 0; arguments.count == 0 || i <= arguments.count; ++i) {
    const auto seen = survey(client, arguments.look);
    const Sample now = sample(seen, process::monotonic_now());
    answered = answered || seen.has_value();
    // Rates need two looks.
    if (i > 0) {
      recent.push_back(screen_of(seen, before, now));
      if (kShown < recent.size()) recent.erase(recent.begin());
      if (settings.json) {
        print_json(as_json(recent.back()));
        std::fflush(stdout);
      } else {
        show(recent, i == 1);
      }
    } else if (!seen) {
      return fail(settings, seen.error());
    }
    before = now;
    if (i < arguments.count || arguments.count == 0) client.pause(every);
  }
  return recent.empty() || recent.back().missing.empty() ? kExitGood : kExitProblem;
}

}  // namespace

Verb add_watch(CLI::App& app, const Settings& settings) {
  const auto arguments = std::make_shared<Arguments>();
  CLI::App* const command = app.add_subcommand(
      "watch", "A live screen: rates, latencies, branches in doubt, who leads; ends with Ctrl-C");
  command->add_option("--every", arguments->every, "time between two looks (default: 1s)")
      ->check([](const std::string& text) {
        const auto time = parse_duration(text);
        return time && Millis(100) <= *time
                   ? std::string()
                   : std::string("expected a time such as 1s, 100ms at least");
      });
  command->add_option("--count", arguments->count, "end after so many (default: never)")
      ->check(CLI::Range(1, 1'000'000));
  add_at(*command, arguments->look.at);
  add_agents(*command, arguments->look.agents);
  return {command, [&settings, arguments] { return watch(settings, *arguments); }};
}

}  // namespace assent::cli
