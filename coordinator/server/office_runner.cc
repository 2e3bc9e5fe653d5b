#include "coordinator/server/office_runner.h"

#include <utility>

#include "base/check.h"
#include "base/overloaded.h"
#include "coordinator/commit/proposal.h"
#include "runtime/failpoint.h"
#include "runtime/logging.h"
#include "runtime/process.h"

namespace assent::coordinator {
namespace {

constexpr Millis kInventoryEvery{1'000};
// The log's time goes on from its last entry when a replica starts (R17). In an idle cluster an
// entry of nothing but time keeps that from falling further behind the ids that clients make
// meanwhile than their permitted skew.
constexpr Millis kTimeEntryEvery{10'000};

void tell(const commit::Budget::Change& change) {
  if (change.to == commit::BudgetLevel::kWithin) {
    return log::info("in-doubt budget: within its limits again",
                     {{"participant", change.participant}});
  }
  if (!change.branch) return log::warning(change.text, {{"participant", change.participant}});
  log::warning(change.text, {{"participant", change.participant},
                             {"transaction", to_string(change.branch->transaction)},
                             {"branch", to_string(*change.branch)}});
}

}  // namespace

OfficeRunner::OfficeRunner(boost::asio::io_context& loop, std::string cluster,
                           state::ReplicatedLog& log, commit::OfficeOptions options,
                           std::size_t one_shots_max)
    : log_(log),
      office_(log.state(), options),
      admission_(one_shots_max),
      links_(loop, std::move(cluster), log.ballot(),
             [this](const commit::Input& input) { feed(input); }),
      tick_(loop, [this] { feed(commit::Tick{}); }),
      inventory_(loop, [this] { ask_inventories(); }) {}

OfficeRunner::~OfficeRunner() = default;

commit::Now OfficeRunner::now() const {
  return {process::monotonic_now(), log_.now()};
}

void OfficeRunner::take_office() {
  carry_out(office_.take_office(now()));
  for (const auto& [name, participant] : log_.state().participants()) {
    follow(name, participant.peer_address, participant.nonce);
  }
  inventory_.arm(process::monotonic_now() + kInventoryEvery);
}

// What was proposed may be chosen yet, and what was prepared is the next leader's to end.
void OfficeRunner::lose_office() {
  const Error unknown{ErrorCode::kOutcomeUnknown,
                      "this replica lost the office before the outcome was known; repeat the same "
                      "request or ask for the status, at any replica"};
  for (auto& [token, waiter] : std::exchange(waiters_, {})) {
    std::visit([&](const auto& done) { done(tl::unexpected(unknown)); }, waiter);
  }
}

void OfficeRunner::commit(commit::CommitAsked asked, Done<commit::CommitAnswer> done) {
  failpoint("leader.commit.asked");
  if (auto full = objection(asked)) return done(tl::unexpected(*std::move(full)));
  last_token_ = last_token_.next();
  asked.token = last_token_;
  waiters_.emplace(last_token_, std::move(done));
  feed(asked);
}

std::optional<Error> OfficeRunner::objection(const commit::CommitAsked& asked) {
  const auto one_phase_at = [this](const std::string& name) {
    const state::ParticipantRecord* participant = log_.state().participant(name);
    return participant != nullptr && participant->one_phase;
  };
  if (!admission_.objection(asked, one_phase_at)) return std::nullopt;
  admission_.look_again(process::monotonic_now(), [this](const TransactionId& transaction) {
    return !office_.pending(transaction).empty();
  });
  return admission_.objection(asked, one_phase_at);
}

void OfficeRunner::abort(commit::AbortAsked asked, Done<commit::AbortAnswer> done) {
  failpoint("leader.abort.asked");
  last_token_ = last_token_.next();
  asked.token = last_token_;
  waiters_.emplace(last_token_, std::move(done));
  feed(asked);
}

void OfficeRunner::follow(const std::string& participant, const std::string& peer_address,
                          const std::string& life) {
  links_.follow(participant, peer_address, life);
}

void OfficeRunner::leaves(const std::string& participant) {
  feed(commit::ParticipantLeaves{participant});
}

void OfficeRunner::left(const std::string& participant) {
  if (log_.state().participant(participant) == nullptr) links_.leave(participant);
  feed(commit::ParticipantLeaves{participant, /*over=*/true});
}

std::vector<BranchId> OfficeRunner::unconfirmed(const std::string& participant) const {
  std::vector<BranchId> out;
  const MonoTime at = process::monotonic_now();
  for (auto next = office_.next_driven(TransactionId()); next; next = office_.next_driven(*next)) {
    const auto view = office_.view(*next, at);
    if (!view || view->stage != commit::DrivenStage::kFinishing) continue;
    for (const commit::BranchView& one : view->branches) {
      const bool waits = one.stage == commit::BranchStage::kEnding;
      if (waits && one.branch.participant == participant) out.push_back(one.branch);
    }
  }
  return out;
}

// To the office it is as if the participant had said that it cannot tell (R7): nothing is presumed
// of the branch, and its transaction is not forgotten before the log keeps the hazard.
void OfficeRunner::abandon(const std::vector<BranchId>& branches) {
  for (const BranchId& branch : branches) {
    feed(commit::FinishArrived{branch, FinishResult::kHazard});
  }
}

void OfficeRunner::feed(const commit::Input& input) {
  admission_.arrived(input);
  carry_out(office_.step(now(), input));
}

void OfficeRunner::carry_out(commit::Effects effects) {
  // Neither propose() nor send() calls back from inside, so no effect of a later step can overtake.
  for (state::Command& command : effects.propose) propose(std::move(command));
  for (const commit::SendPrepare& prepare : effects.prepares) {
    admission_.sent(prepare);
    links_.send(prepare);
  }
  for (const commit::SendFinish& finish : effects.finishes) links_.send(finish);
  for (const commit::SendSettle& settle : effects.settles) links_.send(settle);
  for (commit::Reply& answer : effects.replies) reply(std::move(answer));
  for (const commit::Warning& warning : effects.warnings) {
    log::warning(warning.text, {{"transaction", to_string(warning.transaction)}});
  }
  for (const commit::Budget::Change& change : effects.budget_changes) tell(change);
  tick_.arm(office_.next_deadline());
}

void OfficeRunner::propose(state::Command command) {
  const commit::Proposal proposal = commit::proposal_of(command);
  const bool decides = std::holds_alternative<TransactionId>(proposal);
  const auto* const forgotten = std::get_if<state::Forgotten>(&command);
  const bool forgets = forgotten != nullptr && !forgotten->transactions.empty();
  if (decides) failpoint("leader.decision.proposing");
  if (forgets) failpoint("leader.forgotten.proposing");
  log_.propose(std::move(command), [=, this](const state::CommandResult& result) {
    if (decides) failpoint("leader.decision.executed");
    if (forgets) failpoint("leader.forgotten.executed");
    if (const auto told = commit::executed(proposal, result)) feed(*told);
  });
}

void OfficeRunner::reply(commit::Reply reply) {
  failpoint("leader.answer.sending");
  const auto found = waiters_.find(reply.token);
  CHECK(found != waiters_.end(), "every token is answered once");
  const Waiter waiter = std::move(found->second);
  waiters_.erase(found);
  std::visit(
      Overloaded{
          [&](commit::CommitAnswer& answer) {
            std::get<Done<commit::CommitAnswer>>(waiter)(std::move(answer));
          },
          [&](commit::AbortAnswer& answer) { std::get<Done<commit::AbortAnswer>>(waiter)(answer); },
          [&](Error& error) {
            std::visit([&](const auto& done) { done(tl::unexpected(std::move(error))); }, waiter);
          },
      },
      reply.answer);
}

void OfficeRunner::ask_inventories() {
  links_.ask_inventories();
  if (log_.now() - log_.state().time() >= kTimeEntryEvery) propose(state::Forgotten{});
  inventory_.arm(process::monotonic_now() + kInventoryEvery);
}

}  // namespace assent::coordinator
