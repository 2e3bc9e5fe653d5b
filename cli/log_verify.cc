// assentctl log verify DIRECTORY: whether everything in a data directory is as it was written.
#include <cstdio>
#include <memory>
#include <string>
#include <vector>

#include "cli/data_directory.h"
#include "cli/describe.h"
#include "cli/program.h"
#include "cli/verb.h"

namespace assent::cli {
namespace {

using nlohmann::json;
using storage::InspectedSnapshot;
using storage::LogSummary;
using storage::Problem;

struct Verdict {
  std::optional<storage::Identity> identity;
  std::vector<InspectedSnapshot> snapshots;
  std::vector<Problem> problems;
  std::vector<Problem> repaired;  // they were some
  LogSummary log;
};

Result<Verdict> verify(const std::string& directory) {
  Verdict out;
  const DirectoryVisitor visitor{
      .identity = [&](const storage::Identity& identity) { out.identity = identity; },
      .snapshot = [&](const InspectedSnapshot& snapshot) { out.snapshots.push_back(snapshot); },
      .log = {.segment = [](const storage::InspectedSegment&) {},
              .record = [](const storage::InspectedRecord&) {},
              .problem =
                  [&](const Problem& problem) {
                    auto& kind = problem.repaired ? out.repaired : out.problems;
                    kind.push_back(problem);
                  }}};
  return look_at(directory, visitor).map([&](LogSummary summary) {
    out.log = std::move(summary);
    return std::move(out);
  });
}

void print(const std::string& line) {
  std::puts(line.c_str());
}

void print_words(const Verdict& verdict) {
  if (verdict.identity) print("directory of " + to_string(*verdict.identity));
  print(std::to_string(verdict.log.records) + " records in " +
        std::to_string(verdict.log.segments) + " segments, " + std::to_string(verdict.log.bytes) +
        " bytes; chosen mark " + to_string(verdict.log.chosen_mark) + ", highest ballot " +
        to_string(verdict.log.promised));
  for (const InspectedSnapshot& snapshot : verdict.snapshots) {
    print("snapshot of slot " + to_string(snapshot.info.through) + ": " +
          (snapshot.whole ? "whole" : "not whole"));
  }
  if (verdict.log.torn) {
    print("torn tail at " + storage::at_offset(verdict.log.torn->file, verdict.log.torn->offset) +
          ": " + std::to_string(verdict.log.torn->bytes) +
          " bytes, harmless. They are of a batch that nobody was told of; the next start cuts "
          "them off.");
  }
  for (const Problem& problem : verdict.repaired) {
    print("repaired " + problem.sentence + "\n     -> " + problem.remedy);
  }
  for (const Problem& problem : verdict.problems) {
    print("PROBLEM " + problem.sentence + "\n     -> " + problem.remedy);
  }
  if (!verdict.problems.empty()) {
    print(std::to_string(verdict.problems.size()) + " problems");
  } else {
    print(verdict.repaired.empty() ? "good: every checksum holds"
                                   : "good: what is damaged is repaired");
  }
}

json as_json(const std::vector<Problem>& problems) {
  json out = json::array();
  for (const Problem& problem : problems) {
    out.push_back({{"file", problem.file},
                   {"offset", problem.offset},
                   {"sentence", problem.sentence},
                   {"remedy", problem.remedy}});
  }
  return out;
}

json as_json(const Verdict& verdict) {
  json out = {{"cluster", nullptr},
              {"replica", nullptr},
              {"good", verdict.problems.empty()},
              {"records", verdict.log.records},
              {"segments", verdict.log.segments},
              {"bytes", verdict.log.bytes},
              {"chosen_mark", verdict.log.chosen_mark.value},
              {"highest_ballot", to_string(verdict.log.promised)},
              {"torn_bytes", verdict.log.torn ? verdict.log.torn->bytes : 0},
              {"snapshots", json::array()},
              {"repaired", as_json(verdict.repaired)},
              {"problems", as_json(verdict.problems)}};
  if (verdict.identity) {
    out["cluster"] = verdict.identity->cluster;
    out["replica"] = verdict.identity->replica.value;
  }
  for (const InspectedSnapshot& snapshot : verdict.snapshots) {
    out["snapshots"].push_back(
        {{"through", snapshot.info.through.value}, {"whole", snapshot.whole}});
  }
  return out;
}

int run(const std::string& directory, const Settings& settings) {
  const Result<Verdict> verdict = verify(directory);
  if (!verdict) return refuse(settings, verdict.error());
  if (settings.json) {
    print(one_line(as_json(*verdict)));
  } else {
    print_words(*verdict);
  }
  return verdict->problems.empty() ? kExitGood : kExitProblem;
}

}  // namespace

Verb add_log_verify(CLI::App& log, const Settings& settings) {
  const auto directory = std::make_shared<std::string>();
  CLI::App* const verb = log.add_subcommand(
      "verify",
      "Reads all of a data directory and verifies every checksum. Tells a torn tail, "
      "which is harmless, from corruption, with file, offset and what to do");
  verb->fallthrough();
  verb->add_option("directory", *directory, kDirectoryHelp)->required();
  return {verb, [directory, &settings] { return run(*directory, settings); }};
}

}  // namespace assent::cli
