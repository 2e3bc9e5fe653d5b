// The clients of a World.
#include <algorithm>

#include "coordinator/commit/request.h"
#include "tests/coordinator/commit/world.h"

namespace assent::commit {
namespace {

constexpr const char* kParticipants[] = {"a", "b", "c"};

}  // namespace

void World::open(Transaction& transaction) {
  transaction.id = make_transaction_id(now().log, random_.next(), random_.next(), 7);
  const int whole_percent = static_cast<int>(random_.below(3)) * 50;
  auto& branches = transaction.branches;
  for (const char* participant : kParticipants) {
    if (!random_.chance(60) && !(branches.empty() && *participant == 'c')) continue;
    branches.push_back(random_.chance(whole_percent) ? open_one_shot(transaction.id, participant)
                                                     : open_branch(transaction.id, participant));
  }
  hint(branches);
  for (std::int64_t times = 1 + random_.below(4); times > 0; --times) {
    after(Millis(random_.below(1'500)), [this, &transaction] { ask(transaction); });
  }
}

RequestedBranch World::open_branch(const TransactionId& transaction,
                                   const std::string& participant) {
  Agent& agent = agents_[participant];
  const RequestedBranch branch{participant, agent.epoch, Attempt(++attempts_), 1};
  const Place place{transaction, participant};
  writes_.emplace(place, random_.chance(70));
  if (agent.up) {
    agent.branches[{transaction, participant, branch.epoch, branch.attempt}] = {.writes =
                                                                                    writes_[place]};
  }
  return branch;
}

RequestedBranch World::open_one_shot(const TransactionId& transaction,
                                     const std::string& participant) {
  writes_.emplace(Place{transaction, participant}, random_.chance(70));
  auto work = std::make_shared<OneShotBranch>();
  work->statements = {{"SELECT 1", {}}};
  return {participant, Epoch(0), Attempt(0), 0, std::move(work)};
}

// A third gives no hints, a third names one writer, a third hints at random. They are often wrong.
void World::hint(std::vector<RequestedBranch>& branches) {
  const std::int64_t way = random_.below(3);
  if (way == 0) return;
  const auto writer =
      static_cast<std::size_t>(random_.below(static_cast<std::int64_t>(branches.size())));
  for (std::size_t i = 0; i < branches.size(); ++i) {
    branches[i].reads = way == 1 ? i != writer : random_.chance(50);
  }
}

// One in ten asks for an abort. Where no one-phase commit is possible, one in ten has tried a
// branch anew and names it instead; nothing but a record tells such a request from the first one.
void World::ask(Transaction& transaction) {
  if (random_.chance(10)) return ask_abort(transaction);
  const bool first = !std::exchange(transaction.asked, true);
  const RequestedBranch& front = transaction.branches.front();
  if (front.one_shot || writer_of(transaction.branches) != nullptr || !random_.chance(15)) {
    return ask_commit(transaction, first);
  }
  Transaction changed = transaction;
  changed.branches.front() = open_branch(transaction.id, front.participant);
  changed.branches.front().reads = front.reads;
  ask_commit(changed, false);
}

void World::ask_abort(const Transaction& transaction) {
  const Token token(++tokens_);
  callers_[token] = {transaction, /*applied=*/false};
  feed(AbortAsked{token, transaction.id, transaction.branches, !transaction.asked});
}

// A request waits in its connection for a while, and is lost with the office. The first copy may
// wait so long that it comes last, and in another office than it was promised to.
void World::ask_commit(const Transaction& transaction, bool first) {
  const bool slow = first && random_.chance(25);
  after(slow ? Millis(random_.below(3'000)) : delay(), [=, this, office = office_number_] {
    if (office != office_number_ && !slow) return;
    const Token token(++tokens_);
    const bool applied = random_.chance(70);
    callers_[token] = {transaction, applied};
    if (first && told_.count(transaction.id) == 1) ++tally_.first_came_last;
    if (first && office != office_number_) ++tally_.first_to_another_office;
    feed(CommitAsked{token, transaction.id, transaction.branches,
                     applied ? Acknowledge::kApplied : Acknowledge::kDecided,
                     Millis(50 + random_.below(1'500)), first ? office : 0});
  });
}

void World::hear(const Reply& reply) {
  const auto found = callers_.find(reply.token);
  if (found == callers_.end()) return wrong("a reply that nobody waits for", {});
  const Caller caller = found->second;
  callers_.erase(found);
  std::visit([&](const auto& answer) { hear(caller, answer); }, reply.answer);
}

void World::hear(const Caller& caller, const CommitAnswer& answer) {
  const TransactionId& transaction = caller.transaction.id;
  check_told(transaction, answer.outcome);
  check_own_request(caller);
  if (answer.outcome != Outcome::kCommitted) return;
  if (answer.one_phase) ++tally_.one_phase_told;
  if (answer.one_phase != (one_phase_.count(transaction) == 1)) {
    wrong("told the wrong way of its commit", transaction);
  }
  check_readers(transaction, answer);
  check_results(caller, answer);
  if (caller.applied && answer.pending.empty()) check_applied(transaction);
}

void World::hear(const Caller& caller, const AbortAnswer& answer) {
  check_told(caller.transaction.id, answer.outcome);
}

// Who does not know asks again.
void World::hear(const Caller& caller, const Error& error) {
  const TransactionId& transaction = caller.transaction.id;
  if (error.code == ErrorCode::kOutcomeUnknown) {
    ++tally_.unknown_told;
    if (writer_of(caller.transaction.branches) == nullptr) {
      wrong("unknown without a one-phase commit", transaction);
    }
    return ask_commit(caller.transaction, /*first=*/false);
  }
  if (error.code == ErrorCode::kNotLeader) {
    ++tally_.promises_refused;
    if (error.office != office_number_ || !has_one_shots(caller.transaction.branches)) {
      wrong("refused a request that no promise was needed for", transaction);
    }
    return ask_commit(caller.transaction, /*first=*/false);
  }
  if (error.code == ErrorCode::kIdReused) ++tally_.id_reused;
  const bool known = error.code == ErrorCode::kIdReused || error.code == ErrorCode::kExpired;
  if (!known) wrong("refused: " + error.message, transaction);
}

}  // namespace assent::commit
