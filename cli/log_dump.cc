// assentctl log dump DIRECTORY: every record of a replica's log, readable.
#include <cstdio>
#include <filesystem>
#include <memory>
#include <string>

#include "cli/data_directory.h"
#include "cli/describe.h"
#include "cli/program.h"
#include "cli/verb.h"

namespace assent::cli {
namespace {

using nlohmann::json;
using storage::InspectedChunk;
using storage::InspectedRecord;
using storage::InspectedSegment;
using storage::InspectedSnapshot;
using storage::LogSummary;
using storage::Problem;

void print(const std::string& line) {
  std::puts(line.c_str());
}

std::string file_name(std::string_view path) {
  return std::filesystem::path(path).filename().string();
}

// ── for people ──────────────────────────────────────────────────────────────────────────────────

void print_problem(const Problem& problem) {
  print("!! " + problem.sentence + "\n!! -> " + problem.remedy);
}

void print_snapshot(const InspectedSnapshot& snapshot) {
  print("snapshot " + file_name(snapshot.file) + ": state after slot " +
        to_string(snapshot.info.through) + ", log needed from record " +
        to_string(snapshot.info.replay_from) + ", " + std::to_string(snapshot.info.bytes) +
        " bytes, " + (snapshot.whole ? "whole" : "not whole"));
  for (const InspectedChunk& chunk : snapshot.chunks) {
    print("  chunk " + std::to_string(chunk.number) + " +" + std::to_string(chunk.offset) + " " +
          std::to_string(chunk.bytes) + " bytes");
  }
}

void print_record(const InspectedRecord& record) {
  const Result<std::string> told = words(record);
  print(to_string(record.header.sequence) + " +" + std::to_string(record.offset) + " " +
        (told ? *told : "unreadable: " + told.error().message));
}

void print_summary(const LogSummary& summary) {
  if (summary.torn) {
    print("torn tail: " + std::to_string(summary.torn->bytes) + " bytes at " +
          storage::at_offset(summary.torn->file, summary.torn->offset) +
          ", of a batch that nobody was told of: harmless");
  }
  print("end: " + std::to_string(summary.records) + " records in " +
        std::to_string(summary.segments) + " segments, chosen mark " +
        to_string(summary.chosen_mark) + ", highest ballot " + to_string(summary.promised));
}

DirectoryVisitor in_words() {
  return {.identity =
              [](const storage::Identity& identity) {
                print("identity: " + to_string(identity) + ", incarnation " +
                      to_string(identity.incarnation));
              },
          .snapshot = print_snapshot,
          .log = {.segment =
                      [](const InspectedSegment& segment) {
                        print("segment " + file_name(segment.file) + ": format " +
                              std::to_string(segment.header.format) + ", from record " +
                              to_string(segment.header.first) + ", " +
                              std::to_string(segment.bytes) + " bytes");
                      },
                  .record = print_record,
                  .problem = print_problem}};
}

// ── for machines: one object a line ─────────────────────────────────────────────────────────────

void print_line(const char* what, json members) {
  members["what"] = what;
  print(one_line(members));
}

json as_json(const InspectedSnapshot& snapshot) {
  json chunks = json::array();
  for (const InspectedChunk& chunk : snapshot.chunks) {
    chunks.push_back({{"number", chunk.number}, {"offset", chunk.offset}, {"bytes", chunk.bytes}});
  }
  return {{"file", file_name(snapshot.file)},
          {"through", snapshot.info.through.value},
          {"replay_from", snapshot.info.replay_from.value},
          {"bytes", snapshot.info.bytes},
          {"id", snapshot.info.id},
          {"whole", snapshot.whole},
          {"chunks", std::move(chunks)}};
}

json members_of(const InspectedRecord& record) {
  json out = cli::as_json(record);
  out["file"] = file_name(record.file);
  out["offset"] = record.offset;
  out["sequence"] = record.header.sequence.value;
  out["type"] = record.header.type;
  out["format"] = record.header.format;
  out["durable"] = record.header.durable.value;
  out["bytes"] = record.header.length;
  return out;
}

json as_json(const LogSummary& summary) {
  json bases = json::array();
  for (const Slot base : summary.bases) bases.push_back(base.value);
  json out = {{"first", summary.first.value},
              {"next", summary.next.value},
              {"segments", summary.segments},
              {"bytes", summary.bytes},
              {"records", summary.records},
              {"chosen_mark", summary.chosen_mark.value},
              {"highest_ballot", to_string(summary.promised)},
              {"bases", std::move(bases)},
              {"torn", nullptr}};
  if (summary.torn) {
    out["torn"] = {{"file", file_name(summary.torn->file)},
                   {"offset", summary.torn->offset},
                   {"bytes", summary.torn->bytes}};
  }
  return out;
}

DirectoryVisitor in_json() {
  return {
      .identity =
          [](const storage::Identity& identity) {
            print_line("identity", {{"cluster", identity.cluster},
                                    {"replica", identity.replica.value},
                                    {"incarnation", identity.incarnation.value}});
          },
      .snapshot = [](const InspectedSnapshot& one) { print_line("snapshot", as_json(one)); },
      .log = {.segment =
                  [](const InspectedSegment& segment) {
                    print_line("segment", {{"file", file_name(segment.file)},
                                           {"format", segment.header.format},
                                           {"first", segment.header.first.value},
                                           {"bytes", segment.bytes}});
                  },
              .record = [](const InspectedRecord& one) { print_line("record", members_of(one)); },
              .problem =
                  [](const Problem& problem) {
                    print_line("problem", {{"file", problem.file},
                                           {"offset", problem.offset},
                                           {"sentence", problem.sentence},
                                           {"remedy", problem.remedy},
                                           {"repaired", problem.repaired}});
                  }}};
}

int run(const std::string& directory, const Settings& settings) {
  DirectoryVisitor visitor = settings.json ? in_json() : in_words();
  bool good = true;
  visitor.log.problem = [&good, tell = visitor.log.problem](const Problem& problem) {
    good = good && problem.repaired;
    tell(problem);
  };
  const Result<LogSummary> summary = look_at(directory, visitor);
  if (!summary) return refuse(settings, summary.error());
  if (settings.json) {
    print_line("end", as_json(*summary));
  } else {
    print_summary(*summary);
  }
  return good ? kExitGood : kExitProblem;
}

}  // namespace

Verb add_log_dump(CLI::App& log, const Settings& settings) {
  const auto directory = std::make_shared<std::string>();
  CLI::App* const verb = log.add_subcommand(
      "dump",
      "Prints whose directory it is, its snapshots, and every record of its log; with "
      "--json one object a line");
  verb->fallthrough();
  verb->add_option("directory", *directory, kDirectoryHelp)->required();
  return {verb, [directory, &settings] { return run(*directory, settings); }};
}

}  // namespace assent::cli
