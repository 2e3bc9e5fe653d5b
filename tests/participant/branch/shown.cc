#include "tests/participant/branch/shown.h"

#include "participant/branch/branch.h"

namespace assent::branch {
namespace {

std::string shown(FinishResult result) {
  switch (result) {
    case FinishResult::kDone:
      return "DONE";
    case FinishResult::kHeuristicCommit:
      return "HEURISTIC_COMMIT";
    case FinishResult::kHeuristicRollback:
      return "HEURISTIC_ROLLBACK";
    case FinishResult::kHazard:
      return "HAZARD";
  }
  return "?";
}

std::string shown(const StatementResults& results) {
  return results ? "+" + std::to_string(results->size()) : "";
}

}  // namespace

std::string shown(const Operation& operation) {
  return std::visit(
      Overloaded{
          [](const Acquire&) { return std::string("Acquire"); },
          [](const RunStatement& run) { return "RunStatement " + std::to_string(run.number); },
          [](const RunPrepare& run) {
            return "RunPrepare b" + to_string(run.ballot.round) +
                   (run.one_shot ? " one-shot" : "") + (run.one_phase ? " one-phase" : "");
          },
          [](const RunCancel&) { return std::string("RunCancel"); },
          [](const RunSettle& run) { return "RunSettle b" + to_string(run.ballot.round); },
          [](const RunRollback&) { return std::string("RunRollback"); },
          [](const RunFinish& run) {
            return "RunFinish b" + to_string(run.ballot.round) + " " +
                   std::string(name(run.outcome));
          },
          [](const Release&) { return std::string("Release"); },
      },
      operation);
}

std::string shown(const Reply& reply) {
  return "t" + to_string(reply.token) + "=" +
         std::visit(
             Overloaded{
                 [](const ExecuteAnswer& answer) {
                   return answer.result ? answer.result->command_tag : "answer without result";
                 },
                 [](const Yes& yes) { return "YES" + shown(yes.results); },
                 [](const ReadOnly& vote) { return "READ_ONLY" + shown(vote.results); },
                 [](const Committed& vote) { return "COMMITTED" + shown(vote.results); },
                 [](const Settled& settled) {
                   return std::string(settled.committed ? "SETTLED committed" : "SETTLED aborted");
                 },
                 [](const Cancelled&) { return std::string("CANCELLED"); },
                 [](const No& no) { return "NO " + std::string(name(no.reason.code)); },
                 [](FinishResult result) { return shown(result); },
                 [](const Error& error) { return "error " + std::string(name(error.code)); },
             },
             reply.answer);
}

std::string shown(const Effects& effects) {
  std::string text;
  const auto add = [&](const std::string& one) { text += (text.empty() ? "" : "; ") + one; };
  for (const Operation& operation : effects.operations) {
    add(shown(operation));
  }
  for (const Reply& reply : effects.replies) {
    add(shown(reply));
  }
  return text.empty() ? "nothing" : text;
}

}  // namespace assent::branch
