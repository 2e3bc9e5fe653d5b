// What the verbs that do something about one participant share: their arguments, and looking at it
// until it has come to what is waited for.
#pragma once

#include <CLI/CLI.hpp>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "base/error.h"
#include "base/time.h"
#include "cli/group_client.h"
#include "cli/survey.h"
#include "cli/verb.h"
#include "runtime/process.h"

namespace assent::cli {

struct ParticipantArguments {
  std::string participant;
  SurveyOptions look;
  std::string operator_name;
  std::string reason;
  std::int64_t timeout_s = 0;
  bool yes = false;
  bool abandon_outcomes = false;  // of `remove`
};

// The participant in a survey; null: nobody has enrolled under its name.
const SeenParticipant* find(const Survey& seen, const std::string& name);

// Both references outlive it.
class ParticipantWork {
 public:
  ParticipantWork(const Settings& settings, const ParticipantArguments& arguments)
      : settings_(settings),
        arguments_(arguments),
        client_(arguments.look.at),
        begun_(process::monotonic_now()) {}

  // Asks the leader to change it.
  Result<wire::ChangeParticipantReply> change(wire::ParticipantChange::type change, bool dry_run);

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
  void tell(const std::string& words) const;

  [[nodiscard]] Millis waited() const { return process::monotonic_now() - begun_; }

 private:
  static constexpr Millis kLookEvery{250};

  [[nodiscard]] bool over() const { return Millis(arguments_.timeout_s * 1'000) <= waited(); }

  // No more often than people can read.
  void tell_slowly(const std::vector<std::string>& words);

  const Settings& settings_;
  const ParticipantArguments& arguments_;
  GroupClient client_;
  const MonoTime begun_;
  MonoTime told_ = process::monotonic_now();
};

// What is not so yet, a line each, for people.
void print_not_yet(const std::vector<std::string>& sentences);

// Adds the verb with what all of them take.
Verb add_participant_verb(CLI::App& participants, const Settings& settings, const char* name,
                          const char* what, const std::shared_ptr<ParticipantArguments>& arguments,
                          int (*run)(const Settings&, const ParticipantArguments&));
void add_timeout(CLI::App& command, ParticipantArguments& arguments, std::int64_t seconds);

}  // namespace assent::cli
