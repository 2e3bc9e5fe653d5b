#include "coordinator/replica/core.h"

#include <algorithm>
#include <iterator>
#include <string>
#include <utility>

#include "base/buggify.h"
#include "base/canary.h"
#include "base/check.h"

namespace assent::replica {
namespace {

std::vector<paxos::GovernedFrom> groups_of(const state::Membership& membership) {
  std::vector<paxos::GovernedFrom> out;
  for (state::Electorate& one : membership.electorates()) {
    out.push_back({one.from, paxos::Group(std::move(one.members), std::move(one.learners))});
  }
  return out;
}

// Moves all but the first `keep` of `from` in front of `to`.
template <class T>
void give_back(std::vector<T>& from, std::size_t keep, std::vector<T>& to) {
  if (from.size() <= keep) return;
  const auto rest = from.begin() + static_cast<std::ptrdiff_t>(keep);
  to.insert(to.begin(), std::make_move_iterator(rest), std::make_move_iterator(from.end()));
  from.erase(rest, from.end());
}

}  // namespace

Core::Core(Options options, const paxos::ChosenLog& log)
    : options_(std::move(options)),
      consensus_(options_.paxos, log),
      state_(std::make_shared<state::StateMachine>(options_.state)),
      clock_(LogTime(), MonoTime(), true) {}

void Core::restore(std::shared_ptr<state::StateMachine> state) {
  CHECK_EQ(state_->executed(), Slot(0), "a snapshot is restored before anything else");
  state_ = std::move(state);
  consensus_.restore_snapshot({state_->executed(), groups_of(state_->membership())});
  consensus_.begin_incarnation(state_->restoration().incarnation);
}

Result<void> Core::restore(Now now, const paxos::Record& record) {
  Effects none;
  paxos::Executed executed;
  for (const paxos::ChosenValue& chosen : consensus_.restore(record)) {
    execute(now, none, chosen, executed);
    if (unreadable_) return tl::unexpected(*unreadable_);
  }
  if (executed.through != Slot()) consensus_.restore(executed);
  return {};
}

// Log time goes on from the last entry; the first entry of all takes the wall clock's: there is
// nothing yet that it could expire. The first leader after a restore goes on from the wall clock,
// too: the lost log has gone on after its backup, and its ids must lie below the floor (R15). Which
// replica that is, its entries tell: where they have come from another one, log time goes on from
// theirs (R17), however far ahead the clock on this one's wall is.
void Core::start(Now now) {
  const bool fresh = state_->executed() == Slot(0);
  const state::Restoration& restoration = state_->restoration();
  LogTime start = fresh ? now.wall : state_->time();
  if (!restoration.begun) start = std::max(start, now.wall + restoration.ahead);
  clock_ = LogClock(start, now.mono, fresh || !restoration.begun);
  consensus_.start(now.mono);
}

Effects Core::step(Now now, const Input& input) {
  CHECK(!unreadable_, "no step follows an entry that cannot be read");
  Effects out;
  std::visit([&](const auto& one) { on(now, out, one); }, input);
  if (!unreadable_) return out;
  Effects end;
  end.unreadable = unreadable_;
  return end;
}

void Core::begin_snapshot() {
  snapshot_of_ = state_;
  snapshot_of_->begin_snapshot();
}

std::optional<std::string> Core::next_chunk(std::size_t records) {
  CHECK(snapshot_of_ != nullptr, "a snapshot is under way");
  std::optional<std::string> chunk =
      snapshot_of_->next_chunk(buggify(Point::kChunkOfOne) ? 1 : records);
  if (!chunk) snapshot_of_.reset();
  return chunk;
}

void Core::on(Now now, Effects& out, const Submit& submit) {
  CHECK(serving(), "a leader takes commands once it has executed its own no-op (R1)");
  if (waiting_.commands.size() >= options_.commands_waiting_max) {
    out.refused.push_back(submit.token);
    return;
  }
  if (canary(Canary::kAnswerWhenProposed)) {
    out.executed.push_back({submit.token, state::TookEffect{}});
    waiting_.commands.push_back(submit.command);
    waiting_.tokens.push_back(CommandToken());
    return;
  }
  (void)now;
  waiting_.commands.push_back(submit.command);
  waiting_.tokens.push_back(submit.token);
}

void Core::on(Now now, Effects& out, const TurnEnded& /*ended*/) {
  maybe_propose(now, out);
}

// What was executed here up to now is part of what the snapshot's state came from: both come from
// the same chosen slots.
void Core::on(Now now, Effects& out, const Install& install) {
  const Slot through = install.state->executed();
  if (leads_ || through <= state_->executed()) return;
  feed(now, out, paxos::SnapshotInstalled{through, groups_of(install.state->membership())});
  if (unreadable_ || consensus_.chosen_through() != through) return;
  state_ = install.state;
  consensus_.begin_incarnation(state_->restoration().incarnation);
  clock_.observe(state_->time(), now.mono);
}

template <class PaxosInput>
void Core::on(Now now, Effects& out, const PaxosInput& input) {
  feed(now, out, input);
  maybe_propose(now, out);
}

// What consensus says is taken in, in order: the office that it gives or takes, then what is
// chosen.
void Core::feed(Now now, Effects& out, const paxos::Input& input) {
  paxos::Effects effects = consensus_.step(now.mono, input);
  std::move(effects.persist.begin(), effects.persist.end(), std::back_inserter(out.persist));
  std::move(effects.send.begin(), effects.send.end(), std::back_inserter(out.send));
  follow_office(now, out);
  paxos::Executed executed;
  for (const paxos::ChosenValue& chosen : effects.chosen) {
    execute(now, out, chosen, executed);
    if (unreadable_) return;
  }
  for (const paxos::ReadReady& read : effects.reads) {
    CHECK_LE(read.index, state_->executed(), "what is chosen is executed at once");
    out.reads.push_back(read.token);
  }
  std::move(effects.reads_lost.begin(), effects.reads_lost.end(),
            std::back_inserter(out.reads_lost));
  if (effects.offered) out.offered = effects.offered;
  out.recovered = out.recovered || effects.recovered;
  if (executed.through != Slot()) feed(now, out, executed);
}

// A new leader's first value is its own no-op: once that is executed it knows all that was chosen
// under lower ballots (R1).
void Core::follow_office(Now /*now*/, Effects& out) {
  const std::optional<Ballot> leads = consensus_.leading();
  if (leads == leads_) return;
  lose_office(out);
  leads_ = leads;
  if (!leads_) return;
  waiting_.commands.push_back(state::OfficeTaken{*leads_});
  waiting_.tokens.push_back(CommandToken());
  if (state_->membership().empty() && !options_.founders.empty()) {
    waiting_.commands.push_back(state::GroupFounded{options_.founders});
    waiting_.tokens.push_back(CommandToken());
  }
  if (!canary(Canary::kServeBeforeOwnNoOp)) return;
  office_ = leads_;
  out.office.push_back(OfficeTaken{*office_, state_->office_number()});
}

// Commands that were proposed may still be chosen, under this ballot or a later one, or never.
void Core::lose_office(Effects& out) {
  if (canary(Canary::kAnswerAfterOfficeLost)) {
    for (const auto& [slot, tokens] : proposed_) {
      for (const CommandToken token : tokens) {
        if (token != CommandToken()) out.executed.push_back({token, state::TookEffect{}});
      }
    }
  }
  if (office_) out.office.push_back(OfficeLost{*office_});
  office_.reset();
  leads_.reset();
  waiting_ = {};
  proposed_.clear();
}

// A no-op of consensus is an entry of nothing: it only takes its slot.
std::optional<state::Entry> Core::read(const paxos::ChosenValue& chosen) {
  if (paxos::is_noop(chosen.value)) return state::Entry{};
  Result<state::Entry> entry = state::decode_entry(*chosen.value, options_.state.formats.entry);
  if (entry) return std::move(*entry);
  if (canary(Canary::kUnreadableSkipped)) return state::Entry{};
  unreadable_ =
      Error{entry.error().code, "the log cannot be executed: slot " + to_string(chosen.slot) +
                                    " is chosen, and its " + entry.error().message};
  return std::nullopt;
}

// What a change of the group leads to is told to consensus before anything else happens.
void Core::execute(Now now, Effects& out, const paxos::ChosenValue& chosen,
                   paxos::Executed& executed) {
  std::optional<state::Entry> readable = read(chosen);
  if (!readable) return;
  state::Entry& entry = *readable;
  if (!paxos::is_noop(chosen.value)) clock_.observe(entry.time, now.mono);
  if (canary(Canary::kLocalTime)) entry.time = now.wall;
  const Slot governed_from = state_->membership().governs_from();
  const Millis ahead = state_->restoration().ahead;
  const auto results = state_->execute(chosen.slot, entry);
  // A new incarnation begins its time above that of the lost log.
  if (state_->restoration().ahead != ahead) clock_.observe(state_->time(), now.mono);
  executed.through = chosen.slot;
  if (state_->membership().governs_from() != governed_from) {
    executed.changes.push_back(groups_of(state_->membership()).back());
  }
  answer(out, chosen.slot, results);
  if (office_ || !leads_) return;
  for (const state::Command& command : entry.commands) {
    const auto* taken = std::get_if<state::OfficeTaken>(&command);
    if (taken == nullptr || taken->ballot != *leads_) continue;
    office_ = leads_;
    out.office.push_back(OfficeTaken{*office_, state_->office_number()});
  }
}

// This leader proposed in the slot under the ballot that it still holds, so it is its own value
// that was chosen there.
void Core::answer(Effects& out, Slot slot, const std::vector<state::CommandResult>& results) {
  const auto found = proposed_.find(slot);
  if (found == proposed_.end()) return;
  CHECK_EQ(results.size(), found->second.size(), "every command is answered");
  for (std::size_t i = 0; i < results.size(); ++i) {
    if (found->second[i] != CommandToken()) out.executed.push_back({found->second[i], results[i]});
  }
  proposed_.erase(found);
}

// Commands gather while all slots are open: the busier the log, the larger its entries.
//
// A replica that has seen no entry may have been elected over entries that phase 1 found. They are
// executed first, for log time goes on from theirs: by its own wall clock this replica might expire
// what was acknowledged in them (R17).
void Core::maybe_propose(Now now, Effects& out) {
  if (unreadable_) return;
  const bool time_is_known =
      !clock_.fresh() || (leads_ && consensus_.chosen_through() == consensus_.last_proposed());
  if (!time_is_known) return;
  while (!waiting_.commands.empty() && consensus_.can_propose() && !unreadable_) {
    Batch batch = std::exchange(waiting_, {});
    paxos::Value value = cut_entry(now, batch);
    const Slot slot = consensus_.last_proposed().next();
    proposed_.emplace(slot, std::move(batch.tokens));
    feed(now, out, paxos::Propose{std::move(value)});
  }
  fill_up_to_change(now, out);
}

// A change of the group governs when the slots in front of it are chosen: where nobody has
// commands for them, no-ops do.
void Core::fill_up_to_change(Now now, Effects& out) {
  while (!unreadable_ && consensus_.can_propose() &&
         consensus_.last_proposed().next() < consensus_.groups().latest_from()) {
    feed(now, out, paxos::Propose{paxos::make_value({})});
  }
}

// Halves the entry until a message and a record hold it.
paxos::Value Core::cut_entry(Now now, Batch& batch) {
  const std::size_t most = buggify(Point::kBatchOfOne) ? 1 : options_.entry_commands_max;
  std::size_t count = std::min(batch.commands.size(), most);
  for (;;) {
    give_back(batch.commands, count, waiting_.commands);
    give_back(batch.tokens, count, waiting_.tokens);
    state::Entry entry{log_time(now), std::move(batch.commands)};
    std::string bytes = state::encode(entry);
    batch.commands = std::move(entry.commands);
    if (bytes.size() <= options_.paxos.accept_bytes_max) return paxos::make_value(std::move(bytes));
    CHECK_LT(1u, batch.commands.size(), "every command fits into an entry");
    count = batch.commands.size() / 2;
  }
}

std::size_t Core::pending_count() const {
  std::size_t count = waiting_.commands.size();
  for (const auto& [slot, tokens] : proposed_) count += tokens.size();
  return count;
}

void Core::check_invariants() const {
  if (unreadable_) return;
  consensus_.check_invariants();
  CHECK_EQ(state_->executed(), consensus_.chosen_through(), "what is chosen is executed at once");
  CHECK(!office_ || office_ == leads_, "only a leader serves");
  CHECK(leads_ == consensus_.leading(), "the office follows consensus");
  CHECK(leads_ || (waiting_.commands.empty() && proposed_.empty()),
        "nobody waits at a replica that does not lead");
  CHECK_EQ(waiting_.commands.size(), waiting_.tokens.size(), "each command has its token");
}

}  // namespace assent::replica
