// Commands of the log that administrators ask for, while this replica holds the office.
#pragma once

#include <cstdint>
#include <functional>
#include <map>

#include "base/error.h"
#include "base/ids.h"
#include "coordinator/state/replicated_log.h"

namespace assent::coordinator {

class OperatorCommands {
 public:
  // What executing the command answered. A command that was refused is an error.
  using Done = std::function<void(Result<state::CommandResult>)>;

  // `log` outlives this.
  explicit OperatorCommands(state::ReplicatedLog& log) : log_(log) {}

  // `done` is called once, on the event loop. kOutcomeUnknown: the office was lost first; ask the
  // next leader the same again, which does no harm.
  void propose(state::Command command, Done done);

  // Answers everyone who waits. Nothing is asked afterwards.
  void lose_office();

 private:
  void answer(std::uint64_t number, const state::CommandResult& result);

  state::ReplicatedLog& log_;
  std::uint64_t last_ = 0;
  std::map<std::uint64_t, Done> waiting_;
};

}  // namespace assent::coordinator
