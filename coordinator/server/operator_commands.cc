#include "coordinator/server/operator_commands.h"

#include <utility>

#include "base/check.h"

namespace assent::coordinator {

void OperatorCommands::propose(state::Command command, Done done) {
  if (log_.congested()) {
    return done(failure(ErrorCode::kOverloaded, "too much waits for the log; try again"));
  }
  const std::uint64_t number = ++last_;
  waiting_.emplace(number, std::move(done));
  log_.propose(std::move(command),
               [this, number](const state::CommandResult& result) { answer(number, result); });
}

void OperatorCommands::answer(std::uint64_t number, const state::CommandResult& result) {
  auto waiter = waiting_.extract(number);
  CHECK(!waiter.empty(), "every command is answered once");
  if (const auto* refused = std::get_if<state::ChangeRefused>(&result)) {
    return waiter.mapped()(tl::unexpected(refused->error));
  }
  waiter.mapped()(result);
}

void OperatorCommands::lose_office() {
  for (const auto& [number, done] : std::exchange(waiting_, {})) {
    done(failure(ErrorCode::kOutcomeUnknown,
                 "the office was lost before the command was executed: ask the next leader again"));
  }
}

}  // namespace assent::coordinator
