#include "participant/branch/branch.h"

namespace assent::branch {

FinishResult result_of(Fate fate, Outcome asked) {
  const bool commit = asked == Outcome::kCommitted;
  switch (fate) {
    case Fate::kRolledBack:
      return commit ? FinishResult::kHeuristicRollback : FinishResult::kDone;
    case Fate::kCommitted:
      return commit ? FinishResult::kDone : FinishResult::kHeuristicCommit;
    case Fate::kLeft:
      return FinishResult::kDone;
    case Fate::kUnknown:
      break;
  }
  return FinishResult::kHazard;
}

Fate fate_of(Outcome asked, FinishResult result) {
  switch (result) {
    case FinishResult::kDone:
      return asked == Outcome::kCommitted ? Fate::kCommitted : Fate::kRolledBack;
    case FinishResult::kHeuristicCommit:
      return Fate::kCommitted;
    case FinishResult::kHeuristicRollback:
      return Fate::kRolledBack;
    case FinishResult::kHazard:
      break;
  }
  return Fate::kUnknown;
}

std::string_view name(const State& state) {
  return std::visit(Overloaded{
                        [](const Waiting&) { return std::string_view("waiting for a connection"); },
                        [](const Queued&) { return std::string_view("waiting for a connection"); },
                        [](const Open&) { return std::string_view("open"); },
                        [](const Draining&) {
                          return std::string_view("finishing its statements before its vote");
                        },
                        [](const RollingBack&) { return std::string_view("being rolled back"); },
                        [](const Preparing&) { return std::string_view("being prepared"); },
                        [](const Prepared&) { return std::string_view("prepared"); },
                        [](const Finishing&) { return std::string_view("being finished"); },
                        [](const Ended&) { return std::string_view("ended"); },
                    },
                    state);
}

}  // namespace assent::branch
