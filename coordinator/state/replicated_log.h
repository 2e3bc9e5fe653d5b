// What the rest of the coordinator needs of the log: propose, and hear of what was executed.
#pragma once

#include <functional>

#include "base/ids.h"
#include "coordinator/state/command.h"
#include "coordinator/state/state_machine.h"

namespace assent::state {

class ReplicatedLog {
 public:
  // Called on the event loop, in slot order, when the command's slot has been executed and is
  // durable (R1, R2). Never called when the office was lost first: the fate of the command is then
  // unknown.
  using OnExecuted = std::function<void(const CommandResult&)>;

  virtual ~ReplicatedLog() = default;

  // Proposes a command. Commands proposed in one turn of the event loop, or while a flush is under
  // way, share a slot and its flush. Precondition: this replica holds the office.
  virtual void propose(Command command, OnExecuted done) = 0;

  // The state as executed so far. Read it only on the event loop.
  [[nodiscard]] virtual const StateMachine& state() const = 0;

  // The ballot under which this replica leads.
  [[nodiscard]] virtual Ballot ballot() const = 0;

  // The log's time now: what the next entry would carry at least (R17).
  [[nodiscard]] virtual LogTime now() const = 0;
};

}  // namespace assent::state
