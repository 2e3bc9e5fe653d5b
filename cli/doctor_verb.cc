// assentctl doctor: every check of every replica and of every database, each with its remedy.
#include <cstdio>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>

#include "cli/explain/units.h"
#include "cli/findings.h"
#include "cli/json_values.h"
#include "cli/look.h"
#include "cli/options.h"
#include "cli/program.h"
#include "cli/survey.h"
#include "cli/table.h"
#include "cli/verb.h"

namespace assent::cli {
namespace {

using explain::counted;
using nlohmann::json;

struct Arguments {
  SurveyOptions look;
  bool all = false;
};

// Who was asked to look at itself, and what it found.
struct Patient {
  std::string name;  // "replica 2", "db1"
  std::string address;
  std::vector<wire::Finding> findings;
  std::string unreached;  // why there are none
};

std::vector<Patient> patients_of(const Survey& seen) {
  std::vector<Patient> out;
  for (const SeenReplica& one : seen.replicas) {
    out.push_back({one.replica == 0 ? "a replica" : "replica " + std::to_string(one.replica),
                   one.admin_address,
                   {},
                   one.unreached});
  }
  for (const SeenParticipant& one : seen.participants) {
    out.push_back({one.state.name, one.state.admin_address, {}, one.unreached});
  }
  return out;
}

void examine(std::vector<Patient>& patients) {
  std::vector<std::string> addresses;
  std::vector<Patient*> asked;
  for (Patient& one : patients) {
    if (!one.unreached.empty()) continue;  // whoever did not answer once is not waited for again
    addresses.push_back(one.address);
    asked.push_back(&one);
  }
  auto answers = call_doctors(addresses);
  for (std::size_t i = 0; i < asked.size(); ++i) {
    if (answers[i]) {
      asked[i]->findings = std::move(answers[i]->findings);
    } else {
      asked[i]->unreached = answers[i].error().message;
    }
  }
}

struct Counts {
  std::int64_t good = 0;
  std::int64_t warnings = 0;
  std::int64_t failures = 0;
  std::int64_t unreached = 0;
};

Counts count(const std::vector<Patient>& patients) {
  Counts out;
  for (const Patient& one : patients) {
    if (!one.unreached.empty()) ++out.unreached;
    for (const wire::Finding& finding : one.findings) {
      ++(finding.verdict == wire::Verdict::GOOD      ? out.good
         : finding.verdict == wire::Verdict::WARNING ? out.warnings
                                                     : out.failures);
    }
  }
  return out;
}

void print(const std::vector<Patient>& patients, const Counts& counts, bool all) {
  Table table({"who", "check", "is", "found"});
  for (const Patient& one : patients) {
    if (!one.unreached.empty()) {
      table.add({one.name, "-", {"not reached", Tone::kBad}, one.unreached});
    }
    for (const wire::Finding& finding : one.findings) {
      if (!all && finding.verdict == wire::Verdict::GOOD) continue;
      table.add({one.name,
                 finding.check,
                 {word(finding.verdict), tone_of(finding.verdict)},
                 finding.found});
      if (finding.__isset.remedy) table.add({"", "", "", "remedy: " + finding.remedy});
    }
  }
  if (!table.empty()) std::printf("%s\n", table.text().c_str());
  std::printf("%s good, %s, %s, %s not reached\n", explain::with_commas(counts.good).c_str(),
              counted(counts.warnings, "warning").c_str(),
              counted(counts.failures, "failure").c_str(),
              explain::with_commas(counts.unreached).c_str());
}

json as_json(const std::vector<Patient>& patients, const Counts& counts) {
  json all = json::array();
  for (const Patient& one : patients) {
    json findings = json::array();
    for (const wire::Finding& finding : one.findings) {
      findings.push_back(cli::as_json(finding));
    }
    all.push_back({{"who", one.name},
                   {"admin_address", or_null(one.address)},
                   {"unreached", or_null(one.unreached)},
                   {"findings", findings}});
  }
  return {{"examined", all},
          {"good", counts.good},
          {"warnings", counts.warnings},
          {"failures", counts.failures},
          {"unreached", counts.unreached}};
}

int doctor(const Settings& settings, const Arguments& arguments) {
  GroupClient client(arguments.look.at, kLeaderPatience);
  const auto seen = survey(client, arguments.look);
  if (!seen) return fail(settings, seen.error());
  std::vector<Patient> patients = patients_of(*seen);
  examine(patients);
  const Counts counts = count(patients);
  if (settings.json) {
    print_json(as_json(patients, counts));
  } else {
    print(patients, counts, arguments.all);
  }
  return counts.failures == 0 && counts.unreached == 0 ? kExitGood : kExitProblem;
}

}  // namespace

Verb add_doctor(CLI::App& app, const Settings& settings) {
  const auto arguments = std::make_shared<Arguments>();
  CLI::App* const command = app.add_subcommand(
      "doctor", "Checks every replica and every database, and says how to mend what is wrong");
  command->add_flag("--all", arguments->all, "show what is good, too");
  add_at(*command, arguments->look.at);
  add_agents(*command, arguments->look.agents);
  return {command, [&settings, arguments] { return doctor(settings, *arguments); }};
}

}  // namespace assent::cli
