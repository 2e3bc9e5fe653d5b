// What the rest of the coordinator needs of the log: propose, read, and hear of what was executed.
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
  // unknown, and whoever waits is told so by its owner, which hears of the loss.
  using OnExecuted = std::function<void(const CommandResult&)>;
  // True: what state() shows now includes all that was acknowledged, by any replica, before the
  // read was asked for. False: this replica cannot know that; ask again, perhaps elsewhere.
  using OnRead = std::function<void(bool current)>;

  virtual ~ReplicatedLog() = default;

  // Proposes a command. Commands proposed in one turn of the event loop, or while all slots are
  // open, share a slot and its flush. Precondition: this replica holds the office, and is not
  // congested().
  virtual void propose(Command command, OnExecuted done) = 0;

  // So much waits to be chosen that what can be refused should be.
  [[nodiscard]] virtual bool congested() const = 0;

  // Confirms with a quorum that nobody has taken the office over, then calls `done`, once, on the
  // event loop; from inside this call when the answer is known at once, and after the owner has
  // heard that the office was lost when it was.
  virtual void read(OnRead done) = 0;

  // The state as executed so far. Read it only on the event loop.
  [[nodiscard]] virtual const StateMachine& state() const = 0;

  // The ballot under which this replica leads. Precondition: it holds the office.
  [[nodiscard]] virtual Ballot ballot() const = 0;

  // The log's time now: what the next entry would carry at least (R17).
  [[nodiscard]] virtual LogTime now() const = 0;
};

}  // namespace assent::state
