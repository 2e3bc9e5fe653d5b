#include "tests/simulation/system/words.h"

#include <variant>

#include "base/overloaded.h"

namespace assent::simulation::system {

std::string words(const Error& error) {
  return std::string(name(error.code)) + ": " + error.message;
}

std::string words(const Statement& statement) {
  std::string out = statement.sql;
  for (std::size_t i = 0; i < statement.parameters.size(); ++i) {
    out += (i == 0 ? " -- " : ", ") + statement.parameters[i].value_or("NULL");
  }
  return out;
}

std::string words(const commit::SendPrepare& prepare) {
  std::string out = to_string(prepare.branch);
  if (prepare.one_shot) out += ", a one-shot";
  if (prepare.one_phase) out += ", in one phase";
  return out;
}

std::string words(const commit::SendFinish& finish) {
  return to_string(finish.branch) + " " + std::string(name(finish.outcome)) +
         (finish.evidence ? "" : ", without evidence");
}

std::string words(const commit::Vote& vote) {
  return std::visit(
      Overloaded{
          [](const commit::VoteYes& yes) { return "YES, xid " + std::to_string(yes.evidence.xid); },
          [](const commit::VoteNo& no) { return "NO: " + words(no.reason); },
          [](const commit::VoteReadOnly&) { return std::string("READ ONLY"); },
          [](const commit::VoteCommitted&) { return std::string("COMMITTED"); },
      },
      vote);
}

std::string words(const commit::CommitAnswer& answer) {
  std::string out(name(answer.outcome));
  if (answer.one_phase) out += " in one phase";
  for (const std::string& participant : answer.pending) out += ", pending at " + participant;
  for (const std::string& participant : answer.heuristic)
    out += ", ended by hand at " + participant;
  if (answer.reason) out += ": " + words(*answer.reason);
  return out;
}

std::string words(FinishResult result) {
  switch (result) {
    case FinishResult::kDone:
      return "done";
    case FinishResult::kHeuristicCommit:
      return "heuristic commit";
    case FinishResult::kHeuristicRollback:
      return "heuristic rollback";
    case FinishResult::kHazard:
      return "hazard";
  }
  return "?";
}

}  // namespace assent::simulation::system
