#include "tests/coordinator/commit/words.h"

#include "base/overloaded.h"

namespace assent::commit {
namespace {

std::string branch_word(const std::string& participant, Epoch epoch, Attempt attempt) {
  if (epoch == Epoch(1) && attempt == Attempt(1)) return participant;
  const std::string named = participant + '/' + to_string(epoch) + '.';
  const std::optional<OneShotSerial> serial = one_shot_serial(attempt);
  if (!serial) return named + to_string(attempt);
  return named + std::to_string(serial->office) + '#' + std::to_string(serial->serial);
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

std::string result_word(FinishResult result) {
  switch (result) {
    case FinishResult::kDone:
      return "DONE";
    case FinishResult::kHeuristicCommit:
      return "COMMIT";
    case FinishResult::kHeuristicRollback:
      return "ROLLBACK";
    case FinishResult::kHazard:
      return "HAZARD";
  }
  return "?";
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
                 [](const state::GroupFounded&) { return std::string("FOUNDED"); },
                 [](const state::ReplicaAdded&) { return std::string("ADDED"); },
                 [](const state::ReplicaPromoted&) { return std::string("PROMOTED"); },
                 [](const state::ReplicaRemoved&) { return std::string("REMOVED"); },
                 [](const state::ReplicaMoved&) { return std::string("MOVED"); },
                 [](const state::HeuristicFound& c) {
                   return "HEURISTIC" + branch_words(std::vector{c.branch}) + " " +
                          result_word(c.result);
                 },
                 [](const state::HeuristicForgotten&) { return std::string("FORGOTTEN BY HAND"); },
                 [](const state::HeuristicResolved&) { return std::string("RESOLVED BY HAND"); },
                 [](const state::UntoldForgotten&) { return std::string("UNTOLD FORGOTTEN"); },
                 [](const state::ParticipantDrained&) { return std::string("DRAINED"); },
                 [](const state::ParticipantResumed&) { return std::string("RESUMED"); },
                 [](const state::ParticipantRemoved&) { return std::string("REMOVED FOR GOOD"); },
                 [](const state::LandmarkNoted&) { return std::string("LANDMARK"); },
             },
             command);
}

std::string word(const SendPrepare& prepare) {
  std::string text = "prepare " + branch_word(prepare.branch);
  if (prepare.one_shot) text += " one-shot from " + std::to_string(prepare.low_water);
  if (prepare.one_phase) text += " ONE PHASE";
  return text;
}

std::string word(const SendSettle& settle) {
  return "settle " + settle.participant;
}

std::string word(const SendFinish& finish) {
  return "finish " + branch_word(finish.branch) +
         (finish.outcome == Outcome::kCommitted ? " COMMIT" : " ROLLBACK") +
         (finish.evidence ? "" : "?") + (finish.maybe_lost ? " maybe lost" : "") +
         (finish.kept_in != Epoch() ? " kept" : "");
}

std::string word(const CommitAnswer& answer) {
  std::string text(name(answer.outcome));
  if (!answer.pending.empty()) text += " pending" + joined(answer.pending);
  if (answer.reason) text += " because " + std::string(name(answer.reason->code));
  if (!answer.heuristic.empty()) text += " heuristic" + joined(answer.heuristic);
  if (answer.one_phase) text += " in one phase";
  if (!answer.read_only.empty()) text += " read-only" + joined(answer.read_only);
  for (std::size_t i = 0; i < answer.results.size(); ++i) {
    text += (i == 0 ? " results " : " ") + answer.results[i].participant;
  }
  if (answer.results_unavailable) text += " results gone";
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
  add(effects.settles);
  add(effects.replies);
  add(effects.warnings);
  return text;
}

}  // namespace assent::commit
