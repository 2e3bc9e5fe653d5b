#include "tests/simulation/host.h"

#include <algorithm>
#include <iterator>
#include <string>
#include <utility>
#include <variant>

#include "base/overloaded.h"
#include "tests/simulation/violation.h"
#include "tests/simulation/words.h"

namespace assent::simulation {
namespace {

// How long a process waits for a part of a snapshot.
constexpr Micros kPartWithin = kSecond;

// Sent only when what they say is durable: those that wait in the outbox.
bool waits_for_disk(const paxos::Message& message) {
  return std::holds_alternative<paxos::Promise>(message) ||
         std::holds_alternative<paxos::AcceptedThrough>(message) ||
         std::holds_alternative<paxos::Refused>(message) ||
         std::holds_alternative<paxos::Prepare>(message);
}

}  // namespace

Host::Host(Surroundings& around, const Setting& setting, ReplicaId id)
    : around_(around),
      setting_(setting),
      id_(id),
      dice_(setting.seed, 100 + id.value),
      disk_(
          around.scheduler, Dice(setting.seed, 200 + id.value),
          [this](const paxos::Record& record) {
            around_.witness.durable(id_, record);
            const auto* accepted = std::get_if<paxos::Accepted>(&record);
            if (accepted != nullptr) around_.ledger.accepted(id_, *accepted);
          },
          [this](std::uint64_t through) {
            enter([this, through] {
              around_.trace.event(id_.value, "flushed", through, 0,
                                  [&] { return "record " + std::to_string(through); });
              step(paxos::Persisted{paxos::RecordIndex(through)});
            });
          },
          [this](bool is_short) { take_in([this, is_short] { hear_of_space(is_short); }); }),
      clock_(dice_.between(-kDriftMax, kDriftMax),
             Millis(dice_.between(-setting.wall_offset_max.value, setting.wall_offset_max.value))),
      keeper_(around.trace, around.witness, setting, id, disk_,
              {[this](Micros delay, std::function<void()> act) { later(delay, std::move(act)); },
               [this](const replica::Input& input) {
                 if (up()) step(input);
               },
               [this](const replica::PartAsked& asked) { ask_part(asked); }}) {
  if (setting.mixes_versions() && Dice(setting.seed, 400 + id.value).percent(50)) {
    run_version(kFirstVersion);
  }
}

// ── lives ───────────────────────────────────────────────────────────────────────────────────────

void Host::install(const std::vector<ReplicaId>& others) {
  if (std::exchange(installed_, true)) return;
  std::copy_if(others.begin(), others.end(), std::back_inserter(others_),
               [&](ReplicaId one) { return one != id_; });
}

void Host::boot() {
  if (!installed_ || runs() || switched_off_) return;
  ++life_;
  around_.trace.event(id_.value, "boots", life_, disk_.size());
  clock_.boot(around_.scheduler.now(), MonoTime(dice_.between(0, 1'000'000'000)));
  around_.witness.booted(id_);
  admission_.emplace(others_.size(), disk_.fresh());
  if (admission_->admitted()) return take_part();
  greet_all();
}

void Host::take_part() {
  replica::Options options = setting_.options;
  options.paxos.self = id_;
  options.paxos.seed = dice_.next();
  options.state.formats = formats_;
  if (formats_ == kFirstVersion) options.founders.clear();
  for (state::Member& founder : options.founders) founder.disk = disk_.begun().value;
  if (!is_founder()) {
    options.paxos.group = paxos::Group();
    options.founders.clear();
  }
  core_ = std::make_unique<replica::Core>(options, disk_);
  if (!restore()) return end_unreadable();
  core_->start(clock_.read(around_.scheduler.now()));
  learn();
  around_.ledger.compare(id_, core_->state(), true);
  executed_ = core_->state().executed();
  groups_from_ = groups_seen_ = Slot();
  check_groups();
  keeper_.boot(*core_);
  arm();
  if (disk_.full()) hear_of_space(true);
}

bool Host::restore() {
  learned_ = executed_ = Slot();
  if (const StoredSnapshot* newest = disk_.shelf().newest()) {
    auto state = state_of(*newest->content, core_->options().state);
    if (state == nullptr) return false;
    core_->restore(std::move(state));
    learned_ = newest->info.through;
  }
  const replica::Now now = clock_.read(around_.scheduler.now());
  bool readable = true;
  disk_.open(
      [&](const paxos::Record& record) {
        readable = readable && core_->restore(now, record).has_value();
      },
      [&] { core_->restore_lost_records(); });
  return readable;
}

void Host::switch_off() {
  crash();
  switched_off_ = true;
}

void Host::crash() {
  if (!runs()) return;
  around_.trace.event(id_.value, "crashes", life_);
  admission_.reset();
  core_.reset();
  keeper_.crash();
  disk_.crash();
  commands_.clear();
  reads_.clear();
  armed_for_ = 0;
  paused_until_ = 0;
  inbox_.clear();
  turn_open_ = false;
  proposing_ = Ballot();
  around_.network.ended(id_.value, setting_.hosts());
  around_.office(id_, nullptr);
}

void Host::take_in(std::function<void()> act) {
  enter([this, act = std::move(act)] {
    if (up()) act();
  });
}

void Host::enter(std::function<void()> act) {
  if (!runs()) return;
  if (inbox_.empty() && paused_until_ <= around_.scheduler.now()) return act();
  inbox_.push_back(std::move(act));
}

void Host::later(Micros delay, std::function<void()> act) {
  around_.scheduler.after(delay, [this, life = life_, act = std::move(act)] {
    if (life == life_) enter(act);
  });
}

void Host::pause_until(Micros until) {
  paused_until_ = until;
  around_.scheduler.at(until, [this] { resume(); });
}

// What came in meanwhile is taken in in its order.
void Host::resume() {
  if (around_.scheduler.now() < paused_until_) return;
  while (!inbox_.empty()) {
    const std::function<void()> act = std::move(inbox_.front());
    inbox_.pop_front();
    act();
  }
}

// ── what comes in ───────────────────────────────────────────────────────────────────────────────

// What comes from another disk than the replica was met by is not heard: it has forgotten what it
// promised.
void Host::arrive(const Sender& from, const paxos::Message& message) {
  take_in([this, from, arrived = paxos::Arrived{from.replica, message}] {
    if (meet(from) != from.disk) {
      ++unheard_;
      return;
    }
    if (!can_read(arrived.message)) return;
    around_.trace.event(id_.value, "hears", arrived.from.value, arrived.message.index(), [&] {
      return "from r" + to_string(arrived.from) + ": " + words(arrived.message);
    });
    around_.witness.heard(id_, arrived.message);
    if (std::holds_alternative<paxos::TakeOver>(arrived.message)) ++orders_heard_;
    step(arrived);
  });
}

void Host::lose(ReplicaId peer) {
  take_in([this, peer] { step(paxos::PeerLost{peer}); });
}

void Host::hand_over(ReplicaId to) {
  take_in([this, to] { step(paxos::TransferAsked{to}); });
}

void Host::ask(const Request& request) {
  enter([this, request] {
    const bool known =
        request.command == nullptr || state::format_of(*request.command) <= formats_.entry;
    if (!serving() || !known) return answer(request.operation, Answer::Kind::kElsewhere);
    const std::uint64_t token = ++tokens_;
    if (request.command == nullptr) {
      reads_.emplace(token, Read{request.operation, around_.history.read_asked()});
      return step(paxos::ReadAsked{paxos::ReadToken(token)});
    }
    check_log_time();
    commands_.emplace(token, request);
    step(replica::Submit{replica::CommandToken(token), *request.command});
    end_turn_soon();
  });
}

void Host::ask_part(const replica::PartAsked& asked) {
  around_.ask_part(id_, asked);
  later(kPartWithin, [this, asked] { keeper_.got_part(asked, std::nullopt); });
}

void Host::asked_for_part(ReplicaId by, const replica::PartAsked& asked) {
  take_in([this, by, asked] { around_.give_part(by, asked, keeper_.part(asked)); });
}

void Host::got_part(const replica::PartAsked& asked, const std::optional<std::string>& bytes) {
  take_in([this, asked, bytes] { keeper_.got_part(asked, bytes); });
}

void Host::end_turn_soon() {
  if (std::exchange(turn_open_, true)) return;
  later(dice_.skewed(0, setting_.turn_max), [this] {
    turn_open_ = false;
    step(replica::TurnEnded{});
  });
}

void Host::arm() {
  const Micros due = std::max(clock_.when(core_->next_deadline()), around_.scheduler.now() + 1);
  if (armed_for_ != 0 && armed_for_ <= due) return;
  armed_for_ = due;
  const std::uint64_t number = ++armed_number_;
  around_.scheduler.at(due + dice_.skewed(0, 2 * kMillisecond), [this, number, life = life_] {
    if (life != life_ || number != armed_number_) return;
    enter([this] { tick(); });
  });
}

void Host::tick() {
  armed_for_ = 0;
  const MonoTime now = clock_.read(around_.scheduler.now()).mono;
  if (now < core_->next_deadline()) return arm();
  step(paxos::Tick{});
}

// ── what goes out ───────────────────────────────────────────────────────────────────────────────

void Host::step(const replica::Input& input) {
  replica::Effects effects = core_->step(clock_.read(around_.scheduler.now()), input);
  // What it learned with a state has no values that could be shown.
  if (std::holds_alternative<replica::Install>(input)) {
    learned_ = core_->consensus().chosen_through();
  }
  if (effects.unreadable) return end_unreadable();
  const auto offered = effects.offered;
  carry_out(std::move(effects));
  core_->check_invariants();
  arm();
  keeper_.stepped();
  if (offered) keeper_.take_offer(*offered);
}

void Host::carry_out(replica::Effects effects) {
  for (paxos::Record& record : effects.persist) {
    around_.witness.written(id_, record);
    around_.trace.event(id_.value, "writes", record.index(), 0, [&] { return words(record); });
    const auto* accepted = std::get_if<paxos::Accepted>(&record);
    if (accepted != nullptr) around_.ledger.seen(accepted->value);
    disk_.append(std::move(record));
  }
  if (const auto leads = core_->consensus().leading()) around_.witness.led(id_, *leads);
  send(effects.send);
  learn();
  for (const replica::OfficeChange& change : effects.office) take_office(change);
  for (const replica::Executed& one : effects.executed) acknowledge(one);
  for (const replica::CommandToken token : effects.refused) {
    const auto found = commands_.find(token.value);
    answer(found->second.operation, Answer::Kind::kOverloaded);
    commands_.erase(found);
  }
  finish_reads(effects);
  if (effects.recovered) {
    around_.witness.recovered(id_);
    keeper_.repaired();
  }
  if (executed_ != core_->state().executed()) {
    executed_ = core_->state().executed();
    around_.ledger.compare(id_, core_->state(), false);
    check_groups();
  }
  check_bounds(static_cast<std::size_t>(
      std::count_if(effects.send.begin(), effects.send.end(),
                    [](const auto& one) { return waits_for_disk(one.message); })));
}

void Host::send(const std::vector<paxos::Envelope>& envelopes) {
  for (const paxos::Envelope& envelope : envelopes) {
    around_.witness.sent(id_, envelope.message);
    around_.trace.event(id_.value, "sends", envelope.to.value, envelope.message.index(), [&] {
      return "to r" + to_string(envelope.to) + ": " + words(envelope.message);
    });
    around_.network.send({id_, disk_.incarnation()}, envelope);
    if (std::holds_alternative<paxos::Prepare>(envelope.message)) {
      around_.moment(id_, Moment::kAsksPromises);
    }
  }
}

void Host::learn() {
  const Slot through = core_->consensus().chosen_through();
  while (learned_ < through) {
    learned_ = learned_.next();
    const paxos::AcceptedValue held = disk_.read(learned_);
    around_.trace.event(id_.value, "learns", learned_.value, held.ballot.round.value,
                        [&] { return "slot " + to_string(learned_); });
    around_.ledger.learned(id_, learned_, held.value);
  }
}

void Host::take_office(const replica::OfficeChange& change) {
  log_time_ = LogTime();
  const auto* taken = std::get_if<replica::OfficeTaken>(&change);
  const Ballot ballot = taken ? taken->ballot : std::get<replica::OfficeLost>(change).ballot;
  around_.trace.event(id_.value, taken ? "serves" : "steps down", ballot.round.value, 0,
                      [&] { return "ballot " + to_string(ballot); });
  around_.office(id_, &change);
  if (taken != nullptr) return around_.moment(id_, Moment::kLeads);
  ++offices_lost_;
}

void Host::acknowledge(const replica::Executed& executed) {
  const auto found = commands_.find(executed.token.value);
  if (found == commands_.end()) {
    violated(Checker::kAcknowledged, "a command is answered that nobody waits for");
  }
  const Request request = std::move(found->second);
  commands_.erase(found);
  around_.trace.event(id_.value, "answers", request.operation, digest_of(executed.result),
                      [&] { return "operation " + std::to_string(request.operation); });
  around_.history.acknowledged(id_, core_->state().executed(), *request.command, executed.result);
  answer(request.operation, Answer::Kind::kDone, executed.result);
}

void Host::finish_reads(const replica::Effects& effects) {
  for (const paxos::ReadToken token : effects.reads) {
    const Read read = reads_.at(token.value);
    reads_.erase(token.value);
    around_.trace.event(id_.value, "reads", read.operation, core_->state().executed().value);
    around_.history.read_done(id_, read.horizon, core_->state());
    answer(read.operation, Answer::Kind::kDone);
  }
  for (const paxos::ReadToken token : effects.reads_lost) {
    answer(reads_.at(token.value).operation, Answer::Kind::kLost);
    reads_.erase(token.value);
  }
}

void Host::answer(std::uint64_t operation, Answer::Kind kind,
                  std::optional<state::CommandResult> result) {
  if (!up()) return around_.answer(operation, {kind, std::nullopt, LogTime(), std::nullopt});
  const LogTime time =
      core_->serving() ? core_->log_time(clock_.read(around_.scheduler.now())) : LogTime();
  around_.answer(operation, {kind, core_->consensus().leader(), time, std::move(result)});
}

// ── checks of one replica alone ─────────────────────────────────────────────────────────────────

void Host::check_bounds(std::size_t answers_sent) {
  const auto require = [](bool kept, const char* what) {
    if (!kept) violated(Checker::kBoundedQueues, what);
  };
  const replica::Options& options = setting_.options;
  const std::size_t open = options.paxos.open_slots_max * options.entry_commands_max;
  require(core_->pending_count() <= options.commands_waiting_max + open + 1, "commands wait");
  require(reads_.size() <= options.paxos.reads_waiting_max, "reads wait");
  // One more for each member: what a step says itself.
  require(answers_sent <= options.paxos.waiting_messages_max + 2 * kReplicasMax, "messages wait");
  const std::optional<Ballot> leads = core_->consensus().leading();
  if (!leads) return;
  const Slot last = core_->consensus().last_proposed();
  const std::uint64_t unchosen = last.value - core_->consensus().chosen_through().value;
  require(unchosen <= options.paxos.open_slots_max, "slots are open");
  const bool own = proposing_ == *leads ? proposed_ < last : unchosen > 0;
  if (own) {
    around_.ledger.proposed(id_, last);
    around_.witness.proposed(*leads, last);
  }
  proposing_ = *leads;
  proposed_ = last;
}

void Host::check_groups() {
  const paxos::Groups& groups = core_->consensus().groups();
  const Slot next = core_->consensus().chosen_through().next();
  if (groups.latest_from() == groups_from_ && next == groups_seen_) return;
  groups_from_ = groups.latest_from();
  groups_seen_ = next;
  around_.ledger.governed(id_, next, groups);
}

void Host::check_log_time() {
  const LogTime now = core_->log_time(clock_.read(around_.scheduler.now()));
  const std::optional<LogTime> bound = around_.ledger.time_bound(around_.scheduler.now());
  if (now < log_time_) violated(Checker::kLogTime, "log time went back within an office");
  if (bound && *bound < now) violated(Checker::kLogTime, "log time ran ahead of 1.01 times");
  log_time_ = now;
}

}  // namespace assent::simulation
