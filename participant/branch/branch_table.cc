#include "participant/branch/branch_table.h"

#include <utility>

#include "base/canary.h"
#include "base/overloaded.h"
#include "participant/branch/core.h"

namespace assent::branch {
namespace {

std::optional<VoteKind> kind_of(const std::optional<Vote>& vote) {
  if (!vote) return std::nullopt;
  return std::visit(Overloaded{
                        [](const Yes&) { return VoteKind::kYes; },
                        [](const ReadOnly&) { return VoteKind::kReadOnly; },
                        [](const Committed&) { return VoteKind::kCommitted; },
                        [](const std::shared_ptr<const No>&) { return VoteKind::kNo; },
                    },
                    *vote);
}

}  // namespace

BranchTable::BranchTable(BranchTableOptions options, Ballot ballot)
    : core_(std::make_unique<Core>(std::move(options), ballot)) {}

BranchTable::~BranchTable() = default;

Effects BranchTable::step(MonoTime now, const Input& input) {
  return core_->step(now, input);
}

std::optional<MonoTime> BranchTable::next_deadline() const {
  return core_->memory().next_deadline();
}

Ballot BranchTable::ballot() const {
  return core_->ballot();
}

bool BranchTable::may_send(Ballot ballot) const {
  return ballot >= core_->ballot() || canary(Canary::kBallotIgnored);
}

void BranchTable::observe(Ballot ballot) {
  core_->observe(ballot);
}

const std::optional<Error>& BranchTable::refuses() const {
  return core_->refuses();
}

std::string_view BranchTable::state_of(const BranchId& branch) const {
  const Branch* const found = core_->memory().find(branch);
  return found == nullptr ? std::string_view("unknown") : name(found->state);
}

std::optional<BranchView> BranchTable::view(const TransactionId& transaction, MonoTime now) const {
  const Branch* const found = core_->memory().find(transaction);
  if (found == nullptr) return std::nullopt;
  const auto until = [now](const std::optional<MonoTime>& due) {
    return due ? std::optional(*due - now) : std::nullopt;
  };
  BranchView out{found->id,    name(found->state),          kind_of(found->vote),       {},
                 std::nullopt, until(found->idle_deadline), until(found->life_deadline)};
  if (found->ended()) out.because = found->ended_because;
  if (!found->opened.nonce.empty()) out.opened_ago = now - found->opened.at;
  return out;
}

std::vector<PreparedBranch> BranchTable::prepared() const {
  std::vector<PreparedBranch> all;
  for (const TransactionId& transaction : core_->prepared()) {
    const Branch& branch = *core_->memory().find(transaction);
    all.push_back({branch.id, std::get<Prepared>(branch.state).evidence});
  }
  return all;
}

bool BranchTable::is_prepared(const BranchId& branch) const {
  const Branch* const found = core_->memory().find(branch);
  return found != nullptr && std::holds_alternative<Prepared>(found->state);
}

std::size_t BranchTable::live_count() const {
  return core_->memory().live_count();
}

std::size_t BranchTable::remembered() const {
  return core_->remembered();
}

const BranchCounters& BranchTable::counters() const {
  return core_->counters();
}

void BranchTable::check_invariants() const {
  core_->check_invariants();
}

}  // namespace assent::branch
