#include "tests/coordinator/commit/words.h"

#include "base/overloaded.h"

namespace assent::commit {
namespace {

std::string branch_word(const std::string& participant, Epoch epoch, Attempt attempt) {
  if (epoch == Epoch(1) && attempt == Attempt(1)) return participant;
  return participant + '/' + to_string(epoch) + '.' + to_string(attempt);
}

std::string branch_word(const BranchId& id) {
  return branch_word(id.participant, id.epoch, id.attempt);
}

std::string branch_words(const std::vector<state::DecidedBranch>& branches) {
  std::string text;
  for (const auto& one : branches)
    text += ' ' + branch_word(one.participant, one.epoch, one.attempt);
  return text;
}

std::string joined(const std::vector<std::string>& names) {
  std::string text;
  for (const std::string& one : names) text += ' ' + one;
  return text;
}

std::string word(const state::Command& command) {
  return "propose " +
         std::visit(
             Overloaded{
                 [](const state::OfficeTaken&) { return std::string("OFFICE"); },
                 [](const state::Committed& c) { return "COMMITTED" + branch_words(c.branches); },
                 [](const state::Aborted& c) {
                   return "ABORTED" + branch_words(c.branches) + " because " +
                          std::string(name(c.reason.code));
                 },
                 [](const state::Forgotten& c) {
                   return "FORGOTTEN " + std::to_string(c.transactions.size());
                 },
                 [](const state::Enrolled&) { return std::string("ENROLLED"); },
             },
             command);
}

std::string word(const SendPrepare& prepare) {
  return "prepare " + branch_word(prepare.branch);
}

std::string word(const SendFinish& finish) {
  return "finish " + branch_word(finish.branch) +
         (finish.outcome == Outcome::kCommitted ? " COMMIT" : " ROLLBACK") +
         (finish.evidence ? "" : "?");
}

std::string word(const CommitAnswer& answer) {
  std::string text(name(answer.outcome));
  if (!answer.pending.empty()) text += " pending" + joined(answer.pending);
  if (answer.reason) text += " because " + std::string(name(answer.reason->code));
  if (!answer.heuristic.empty()) text += " heuristic" + joined(answer.heuristic);
  return text;
}

std::string word(const AbortAnswer& answer) {
  return "abort: " + std::string(name(answer.outcome));
}

std::string word(const Error& error) {
  return "error " + std::string(name(error.code));
}

std::string word(const Reply& reply) {
  return "reply " + to_string(reply.token) + ' ' +
         std::visit([](const auto& answer) { return word(answer); }, reply.answer);
}

std::string word(const Warning& /*warning*/) {
  return "warn";
}

}  // namespace

std::string words(const Effects& effects) {
  std::string text;
  const auto add = [&](const auto& list) {
    for (const auto& one : list) text += (text.empty() ? "" : "; ") + word(one);
  };
  add(effects.propose);
  add(effects.prepares);
  add(effects.finishes);
  add(effects.replies);
  add(effects.warnings);
  return text;
}

}  // namespace assent::commit
