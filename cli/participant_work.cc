#include "cli/participant_work.h"

#include <algorithm>
#include <cstdio>

#include "cli/options.h"
#include "cli/table.h"

namespace assent::cli {
namespace {

constexpr Millis kTellEvery{2'000};

}  // namespace

const SeenParticipant* find(const Survey& seen, const std::string& name) {
  const auto found = std::ranges::find(seen.participants, name,
                                       [](const SeenParticipant& one) { return one.state.name; });
  return found == seen.participants.end() ? nullptr : &*found;
}

Result<wire::ChangeParticipantReply> ParticipantWork::change(wire::ParticipantChange::type change,
                                                             bool dry_run) {
  wire::ChangeParticipantRequest request;
  request.participant = arguments_.participant;
  request.change = change;
  request.operator_name = arguments_.operator_name;
  request.reason = arguments_.reason;
  request.dry_run = dry_run;
  return client_.change_participant(request);
}

void ParticipantWork::tell(const std::string& words) const {
  if (settings_.json) return;
  std::printf("%s\n", words.c_str());
  std::fflush(stdout);
}

// No more often than people can read.
void ParticipantWork::tell_slowly(const std::vector<std::string>& words) {
  const MonoTime now = process::monotonic_now();
  if (now - told_ < kTellEvery) return;
  told_ = now;
  for (const std::string& one : words) tell("waiting: " + one);
}

void print_not_yet(const std::vector<std::string>& sentences) {
  for (const std::string& one : sentences) {
    std::printf("%s\n", toned("not yet: " + one, Tone::kBad).c_str());
  }
}

Verb add_participant_verb(CLI::App& participants, const Settings& settings, const char* name,
                          const char* what, const std::shared_ptr<ParticipantArguments>& arguments,
                          int (*run)(const Settings&, const ParticipantArguments&)) {
  CLI::App* const command = participants.add_subcommand(name, what);
  command->add_option("participant", arguments->participant, "its name")->required();
  add_at(*command, arguments->look.at);
  return {command, [&settings, arguments, run] { return run(settings, *arguments); }};
}

void add_timeout(CLI::App& command, ParticipantArguments& arguments, std::int64_t seconds) {
  arguments.timeout_s = seconds;
  command
      .add_option("--timeout", arguments.timeout_s,
                  "seconds until it gives up waiting (default: " + std::to_string(seconds) + ")")
      ->check(CLI::Range(0, 86'400));
}

}  // namespace assent::cli
