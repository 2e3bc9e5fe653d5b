#include "coordinator/server/group_log.h"

#include <algorithm>
#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <utility>

#include "base/check.h"
#include "base/overloaded.h"
#include "runtime/failpoint.h"
#include "runtime/logging.h"
#include "runtime/process.h"

namespace assent::coordinator {
namespace {

// Read and sent in one turn of the loop: a part is little enough not to be felt.
constexpr std::size_t kPartBytes = 256u << 10;
// An office that nobody took is offered again: proposals wait for it each time.
constexpr Millis kAsideEvery{5'000};
// How often others that did not answer are greeted while this replica waits for them.
constexpr Millis kGreetEvery{100};

}  // namespace

GroupLog::GroupLog(boost::asio::io_context& loop, GroupLogOptions options)
    : loop_(loop),
      options_(std::move(options)),
      storage_(storage_options()),
      core_(options_.core, storage_),
      peers_(loop, options_.storage.cluster, options_.storage.replica, options_.peer_address,
             options_.peers, [this](ReplicaId peer) { feed(paxos::PeerLost{peer}); }),
      keeper_(loop, options_.snapshots, options_.core.state, core_, storage_, outside()),
      timer_(loop,
             [this] {
               armed_for_.reset();
               feed(paxos::Tick{});
             }),
      aside_timer_(loop, [this] { step_aside(); }),
      greet_timer_(loop, [this] { greet_all(); }),
      alive_(std::make_shared<char>()) {}

GroupLog::~GroupLog() = default;

SnapshotKeeper::Outside GroupLog::outside() {
  return {[this](const replica::PartAsked& asked, SnapshotKeeper::GotPart got) {
            peers_.ask_part(asked, std::move(got));
          },
          [this](const paxos::SnapshotInfo& snapshot) { feed(paxos::SnapshotKept{snapshot}); },
          [this](std::shared_ptr<state::StateMachine> state) { install(std::move(state)); }};
}

Result<void> GroupLog::open() {
  if (auto restored = restore(); !restored) return restored;
  admission_.emplace(options_.peers.size(), storage_.fresh());
  peers_.introduce_as(disk(), state().restoration().backup);
  peers_.on_connected([this](ReplicaId peer) { greet(peer); });
  if (admission_->admitted()) {
    take_part();
  } else {
    log::info("this disk is new: waiting until enough of the others know it",
              {{"needed", std::to_string(admission_->needed())}});
    greet_all();
  }
  return {};
}

void GroupLog::take_part() {
  open_ = true;
  core_.start(clocks());
  keeper_.start();
  follow_group();
  arm();
}

// ── who is who ──────────────────────────────────────────────────────────────────────────────────

void GroupLog::greet_all() {
  if (open_) return;
  for (const auto& [peer, address] : options_.peers) {
    if (!admission_->is_known_by(peer)) greet(peer);
  }
  greet_timer_.arm(process::monotonic_now() + kGreetEvery);
}

void GroupLog::greet(ReplicaId peer) {
  peers_.greet(peer, [this, peer, alive = std::weak_ptr<char>(alive_)](
                         const Result<PeerLinks::Greeting>& greeting) {
    if (!alive.expired()) greeted(peer, greeting);
  });
}

void GroupLog::greeted(ReplicaId peer, const Result<PeerLinks::Greeting>& greeting) {
  const std::string who = "replica " + to_string(peer) + " at " + peers_.address(peer);
  if (!greeting) {
    if (retryable(greeting.error())) return;
    return tell_once(peer, who + " refuses this one: " + greeting.error().message);
  }
  if (greeting->replica != peer) {
    return tell_once(peer, "at the address of " + who + " is replica " +
                               to_string(greeting->replica) + ": correct the configuration");
  }
  const auto same = check_origin(peer, greeting->restored_from).and_then([&] {
    return check_disk(peer, greeting->disk);
  });
  if (!same) return tell_once(peer, same.error().message);
  if (greeting->known_disk != disk()) {
    const Error refused{
        ErrorCode::kIdentityMismatch,
        who + " knows " + to_string(storage_.identity()) + " by another disk than that of " +
            options_.storage.log.directory +
            ": this one has forgotten what it promised, and must not take part. Use "
            "the data directory that it had, or replace it under a new id."};
    if (!open_ && options_.refused) return options_.refused(refused);
    return tell_once(peer, refused.message);
  }
  complaints_.erase(peer);
  admission_->known_by(peer);
  if (!open_ && admission_->admitted()) take_part();
}

void GroupLog::tell_once(ReplicaId peer, const std::string& sentence) {
  if (std::exchange(complaints_[peer], sentence) == sentence) return;
  log::error("a replica is not the one it should be", {{"why", sentence}});
}

Result<DiskIncarnation> GroupLog::meet(ReplicaId member, DiskIncarnation disk) {
  // Another process that takes itself for this one.
  if (member == options_.storage.replica) return this->disk();
  storage::KnownDisks& known = storage_.known_disks();
  const state::Member* const in_log = state().membership().find(member);
  const DiskIncarnation agreed(in_log != nullptr ? in_log->disk : 0);
  if (const auto before = known.find(member)) return agreed.value != 0 ? agreed : *before;
  const DiskIncarnation its = agreed.value != 0 ? agreed : disk;
  return known.remember(member, its).map([its] { return its; });
}

// The group agrees on the disk of each of its replicas, so that one that never met an earlier disk
// does not take a wiped one for it. It counts who took part in consensus, and so was let in by the
// others, and not who only introduced himself.
void GroupLog::tell_disks() {
  if (!disks_due_ || !serving() || congested()) return;
  disks_due_ = false;
  for (const auto& [id, replica] : state().membership().replicas()) {
    if (replica.disk != 0) continue;
    const bool self = id == options_.storage.replica;
    if (!self && !heard_.contains(id)) continue;
    state::Member told = replica;
    told.disk = self ? disk().value : storage_.known_disks().find(id).value().value;
    propose(state::ReplicaMoved{told}, {});
  }
}

// Two logs must not be taken for one: slots of the same number have other values in them.
// 1. Replicas that restored the same backup begin with equal states.
// 2. A newcomer has no state. It gets the group's, unless it is one of those that found the group:
//    all of these restore the backup, for two of them alone could else choose a log of their own.
// 3. Who has no state yet, and hears from a restored one, is such a newcomer, or a founder that
//    nobody lets in because of 2.
Result<void> GroupLog::check_origin(ReplicaId member, std::uint64_t restored_from) const {
  const std::uint64_t here = state().restoration().backup;
  if (restored_from == here) return {};
  const bool newcomer = restored_from == 0 && !options_.peers.contains(member);
  const bool nothing_here = here == 0 && state().executed() == Slot(0);
  if (newcomer || nothing_here) return {};
  return failure(ErrorCode::kIdentityMismatch,
                 "replica " + to_string(member) +
                     (restored_from == 0 ? " was not restored from a backup, and this one was"
                                         : " was restored from another backup than this one") +
                     ": all replicas that found the group restore the same backup, each into an "
                     "empty data directory (docs/operations.md, A coordinator that was lost)");
}

// Written down before anything that it says is acted upon.
Result<void> GroupLog::check_disk(ReplicaId member, DiskIncarnation disk) {
  if (disk == DiskIncarnation(0)) {
    return failure(ErrorCode::kIdentityMismatch,
                   "replica " + to_string(member) + " does not say which disk it has");
  }
  const auto known = meet(member, disk);
  if (!known) return tl::unexpected(known.error());
  if (*known == disk) return {};
  return failure(
      ErrorCode::kIdentityMismatch,
      "replica " + to_string(member) +
          " has another disk than it had: it has forgotten what it promised, and is not "
          "heard. Give it the data directory that it had, or replace it under a new id.");
}

// The state of the newest snapshot first, then what the log says behind it.
Result<void> GroupLog::restore() {
  auto loaded = std::make_shared<state::StateMachine>(options_.core.state);
  const auto begin = [&] {
    if (loaded && storage_.snapshot()) core_.restore(std::exchange(loaded, nullptr));
  };
  Result<void> readable;
  const auto opened = storage_.open(
      [&](const paxos::Record& record) {
        begin();
        if (readable) readable = core_.restore(clocks(), record);
      },
      [this](paxos::RecordIndex through) {
        failpoint("log.persisted");
        feed(paxos::Persisted{through});
        keeper_.maybe_begin();
      },
      [&](std::string_view chunk) { return loaded->load(chunk); },
      [&](const storage::LogDamage& damage) {
        begin();
        return lose_records(damage);
      });
  if (!opened || !readable) return opened.and_then([&] { return readable; });
  begin();
  tell_damage();
  return {};
}

// The others know what was decided; who never had any is told at once that nobody does. The group
// is the one that the log had told in front of the damage, so it may be another by now:
// 1. It has others. Should they all have left since, nobody repairs this log, and it gives no vote:
//    nothing is lost, and it says what it waits for.
// 2. It is of this replica alone, and no other replica was ever met. Nobody came to be a member
//    behind the damage: a learner is promoted when it has said how far it is, and its disk is
//    written down before anything is heard of what it says.
// 3. It is of this replica alone, and others were met: they may be members, and have repaired it.
Result<void> GroupLog::lose_records(const storage::LogDamage& damage) {
  const bool alone = core_.consensus().group().members().size() == 1;
  if (alone && storage_.known_disks().empty()) return storage::WriteAheadLog::refuse_damage(damage);
  core_.restore_lost_records();
  return {};
}

void GroupLog::tell_damage() const {
  const bool recovering = core_.consensus().recovering();
  const std::string_view text =
      recovering ? "the log is damaged: this replica votes again when the others have repaired it; "
                   "if none of them is left, restore the file"
                 : "the log has damage that was repaired: it goes with two more snapshots";
  for (const storage::LogDamage& damage : storage_.damage()) {
    log::write(recovering ? log::Level::kError : log::Level::kInfo, text,
               {{"why", damage.sentence},
                {"file", damage.file},
                {"offset", std::to_string(damage.offset)}});
  }
}

// The base is written before any mark that counts on the snapshot.
void GroupLog::install(std::shared_ptr<state::StateMachine> state) {
  const Slot through = state->executed();
  const Slot before = core_.state().executed();
  replica::Effects effects = core_.step(clocks(), replica::Install{std::move(state)});
  if (before < through && core_.state().executed() == through) {
    storage_.rebase(through);
    log::info("state taken in", {{"slot", to_string(through)}, {"before", to_string(before)}});
    peers_.introduce_as(disk(), core_.state().restoration().backup);
  }
  carry_out(std::move(effects));
  if (open_) arm();
}

Result<std::string> GroupLog::snapshot_part(const paxos::SnapshotInfo& snapshot,
                                            std::uint64_t offset) const {
  const storage::SnapshotStore& store = storage_.snapshots();
  const auto kept = std::ranges::find_if(store.kept(), [&](const storage::SnapshotInfo& one) {
    return one.through == snapshot.through && one.id == snapshot.id && one.bytes == snapshot.bytes;
  });
  if (kept == store.kept().end()) {
    return failure(ErrorCode::kExpired, "this replica does not keep the snapshot of slot " +
                                            to_string(snapshot.through) +
                                            " any more; a newer one is offered");
  }
  if (snapshot.bytes <= offset) {
    return failure(ErrorCode::kInvalidArgument, "the snapshot has " +
                                                    std::to_string(snapshot.bytes) +
                                                    " bytes, none from " + std::to_string(offset));
  }
  return store.read(*kept, offset, kPartBytes);
}

replica::Now GroupLog::clocks() {
  return {process::monotonic_now(), LogTime(process::wall_now_ms())};
}

void GroupLog::deliver(ReplicaId from, const paxos::Message& message) {
  failpoint("log.received");
  if (heard_.insert(from).second) disks_due_ = true;
  feed(paxos::Arrived{from, message});
}

void GroupLog::hand_over() {
  if (!serving()) return;
  const auto chosen = core_.consensus().peers_chosen();
  std::optional<ReplicaId> furthest;
  const paxos::Group& group = core_.consensus().group();
  // Whoever was asked in vain is asked again only when there is nobody else.
  const auto better = [&](ReplicaId one) {
    if (!furthest) return true;
    const bool anew = handed_to_ == furthest;
    return anew || (handed_to_ != one && chosen.at(*furthest) < chosen.at(one));
  };
  for (const auto& [peer, mark] : chosen) {
    if (group.contains(peer) && peers_.connected(peer) && better(peer)) furthest = peer;
  }
  if (furthest) hand_over(*furthest);
}

void GroupLog::hand_over(ReplicaId to) {
  handed_to_ = to;
  log::info("handing the office over", {{"to", to_string(to)}});
  feed(paxos::TransferAsked{to});
}

storage::ReplicaLogOptions GroupLog::storage_options() {
  storage::ReplicaLogOptions out = options_.storage;
  out.log.on_space = [this](bool is_short) { on_space(is_short); };
  return out;
}

void GroupLog::on_space(bool is_short) {
  if (is_short) {
    log::error(
        "the disk has no room for more log than is reserved: this replica steps aside until "
        "there is; free space on the disk of the data directory",
        {{"directory", options_.storage.log.directory}});
  } else {
    log::info("the disk has room again: this replica takes part as before");
  }
  feed(paxos::DiskShort{is_short});
  step_aside();
}

// What is reserved holds the decisions in flight, while another member takes the office.
void GroupLog::step_aside() {
  if (!disk_short()) return;
  hand_over();
  aside_timer_.arm(process::monotonic_now() + kAsideEvery);
}

void GroupLog::propose(state::Command command, OnExecuted done) {
  last_command_ = last_command_.next();
  if (done) executing_.emplace(last_command_, std::move(done));
  submitted_ = true;
  schedule_turn_end();
  feed(replica::Submit{last_command_, std::move(command)});
}

// Half of what the core takes: those who do not ask first have the other half.
bool GroupLog::congested() const {
  return core_.pending_count() >= options_.core.commands_waiting_max / 2;
}

void GroupLog::read(OnRead done) {
  last_read_ = last_read_.next();
  reading_.emplace(last_read_, std::move(done));
  feed(paxos::ReadAsked{last_read_});
}

Ballot GroupLog::ballot() const {
  const auto leading = core_.consensus().leading();
  CHECK(leading, "a ballot is asked for while the office is held");
  return *leading;
}

LogTime GroupLog::now() const {
  return core_.log_time(clocks());
}

void GroupLog::feed(const replica::Input& input) {
  // A connection can be lost, or a caller in the same turn ask, before the log has been read.
  if (!open_) return;
  carry_out(core_.step(clocks(), input));
  if (open_) arm();
}

// Persist, then send: messages that say what a record says are kept back by the core until the
// record is durable (R2). A callback may come back into feed(): only with a command or a read,
// which change no office, so nothing that is carried out here is overtaken by an effect that ends
// it.
void GroupLog::carry_out(replica::Effects effects) {
  if (effects.unreadable) return end(*effects.unreadable);
  if (!effects.persist.empty()) storage_.append(effects.persist);
  if (!effects.send.empty()) schedule_turn_end();
  for (paxos::Envelope& envelope : effects.send) peers_.add(std::move(envelope));
  CHECK(effects.refused.empty(), "who proposes much asks congested() first");
  for (const replica::OfficeChange& change : effects.office) change_office(change);
  answer(effects.executed);
  answer(effects.reads, true);
  answer(effects.reads_lost, false);
  if (effects.offered) keeper_.take_offer(*effects.offered);
  if (effects.recovered) {
    log::warning("the log is repaired: this replica votes again",
                 {{"slot", to_string(state().executed())}});
    keeper_.repaired();
  }
}

// What the core said in this step, and says from now on, is not heard.
void GroupLog::end(const Error& why) {
  open_ = false;
  timer_.arm(std::nullopt);
  if (options_.refused) options_.refused(why);
}

void GroupLog::change_office(const replica::OfficeChange& change) {
  std::visit(Overloaded{
                 [&](const replica::OfficeTaken& taken) {
                   log::info("office taken", {{"ballot", to_string(taken.ballot)},
                                              {"office", std::to_string(taken.number)},
                                              {"executed", to_string(state().executed())}});
                   disks_due_ = true;
                   options_.office_taken();
                 },
                 [&](const replica::OfficeLost& lost) {
                   log::warning("office lost", {{"ballot", to_string(lost.ballot)},
                                                {"waiting", std::to_string(executing_.size())}});
                   executing_.clear();
                   options_.office_lost();
                 },
             },
             change);
}

void GroupLog::answer(const std::vector<replica::Executed>& executed) {
  for (const replica::Executed& one : executed) {
    auto waiter = executing_.extract(one.token);
    if (!waiter.empty()) waiter.mapped()(one.result);
  }
}

void GroupLog::answer(const std::vector<replica::ReadToken>& reads, bool current) {
  for (const replica::ReadToken token : reads) {
    auto waiter = reading_.extract(token);
    if (!waiter.empty()) waiter.mapped()(current);
  }
}

// The log says who is in the group, and where.
void GroupLog::follow_group() {
  const auto& replicas = state().membership().replicas();
  if (replicas == followed_) return;
  followed_ = replicas;
  disks_due_ = true;
  std::map<ReplicaId, std::string> addresses;
  for (const auto& [id, replica] : replicas) addresses[id] = replica.peer_address;
  peers_.follow(addresses);
  log::info("group", {{"replicas", std::to_string(replicas.size())},
                      {"governs_from", to_string(state().membership().governs_from())}});
}

// Everything that is ready in this turn of the loop goes first: its commands share a slot, and its
// messages a delivery.
void GroupLog::schedule_turn_end() {
  if (std::exchange(turn_end_posted_, true)) return;
  boost::asio::post(loop_, [this, alive = std::weak_ptr<char>(alive_)] {
    if (!alive.expired()) end_turn();
  });
}

void GroupLog::end_turn() {
  turn_end_posted_ = false;
  tell_disks();
  if (std::exchange(submitted_, false)) feed(replica::TurnEnded{});
  follow_group();
  failpoint("log.sending");
  peers_.flush();
}

// A deadline that moves on does not move the timer: finding nothing due costs less than arming it
// anew in every step.
void GroupLog::arm() {
  const MonoTime next = core_.next_deadline();
  if (armed_for_ && *armed_for_ <= next) return;
  armed_for_ = next;
  timer_.arm(next);
}

}  // namespace assent::coordinator
