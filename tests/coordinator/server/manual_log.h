// A log without a group, for tests of what works with one.
#pragma once

#include <deque>
#include <utility>

#include "base/time.h"
#include "coordinator/state/replicated_log.h"

namespace assent::coordinator {

// Executes what was proposed, and answers what was asked to be read, when told to.
class ManualLog final : public state::ReplicatedLog {
 public:
  ManualLog() : machine_(state::StateOptions{}) { execute(state::OfficeTaken{ballot()}); }

  void propose(state::Command command, OnExecuted done) override {
    queue_.emplace_back(std::move(command), std::move(done));
  }
  [[nodiscard]] bool congested() const override { return full; }
  void read(OnRead done) override { reads_.push_back(std::move(done)); }
  [[nodiscard]] const state::StateMachine& state() const override { return machine_; }
  [[nodiscard]] Ballot ballot() const override { return {Incarnation(1), Round(1), ReplicaId(1)}; }
  [[nodiscard]] LogTime now() const override { return LogTime(1'700'000'000'000 + idle.value); }

  // Executes a command that nobody proposed here: another replica did.
  state::CommandResult execute(const state::Command& command) {
    return machine_.execute(machine_.executed().next(), {now(), {command}}).at(0);
  }
  void execute_all() {
    while (!queue_.empty()) {
      auto [command, done] = std::move(queue_.front());
      queue_.pop_front();
      const state::CommandResult result = execute(command);
      if (done) done(result);
    }
  }
  // Commands that are proposed and not executed.
  [[nodiscard]] std::size_t waiting() const { return queue_.size(); }
  void answer_reads(bool current) {
    for (const OnRead& done : std::exchange(reads_, {})) done(current);
  }

  Millis idle;        // how far time is ahead of the first entry
  bool full = false;  // congested

 private:
  state::StateMachine machine_;
  std::deque<std::pair<state::Command, OnExecuted>> queue_;
  std::deque<OnRead> reads_;
};

}  // namespace assent::coordinator
