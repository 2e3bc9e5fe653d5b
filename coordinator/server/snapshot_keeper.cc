#include "coordinator/server/snapshot_keeper.h"

#include <algorithm>
#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <chrono>
#include <optional>
#include <utility>

#include "runtime/logging.h"

namespace assent::coordinator {
namespace {

// Measures one turn of the event loop, to its end.
class Stopwatch {
 public:
  explicit Stopwatch(std::int64_t& max_us) : max_us_(max_us) {}
  ~Stopwatch() {
    const auto took = std::chrono::steady_clock::now() - begun_;
    max_us_ = std::max<std::int64_t>(
        max_us_, std::chrono::duration_cast<std::chrono::microseconds>(took).count());
  }
  Stopwatch(const Stopwatch&) = delete;
  Stopwatch& operator=(const Stopwatch&) = delete;

 private:
  std::int64_t& max_us_;
  const std::chrono::steady_clock::time_point begun_ = std::chrono::steady_clock::now();
};

paxos::SnapshotInfo offered_as(const storage::SnapshotInfo& info) {
  return {info.through, info.id, info.bytes};
}

}  // namespace

SnapshotKeeper::SnapshotKeeper(boost::asio::io_context& loop, SnapshotOptions options,
                               state::StateOptions state, replica::Core& core,
                               storage::ReplicaLog& log, Outside outside)
    : loop_(loop),
      options_(options),
      state_options_(state),
      core_(core),
      log_(log),
      outside_(std::move(outside)),
      schedule_(options.log_bytes),
      alive_(std::make_shared<char>()) {}

void SnapshotKeeper::start() {
  for (const std::string& sentence : log_.snapshots().damaged()) {
    log::error("snapshot damaged", {{"why", sentence}});
  }
  if (const auto newest = log_.snapshots().newest()) outside_.kept(offered_as(*newest));
}

// ── writing ─────────────────────────────────────────────────────────────────────────────────────

void SnapshotKeeper::maybe_begin() {
  const auto newest = log_.snapshots().newest();
  const Slot has = newest ? newest->through : Slot(0);
  if (!log_.snapshots().writing() && schedule_.due(log_.bytes(), core_.state().executed(), has)) {
    begin();
  }
}

// One that is being written now, or one that was fetched, may be of an earlier state.
void SnapshotKeeper::backup(GotBackup done) {
  const Slot now = core_.state().executed();
  const auto newest = log_.snapshots().newest();
  if (newest && now <= newest->through) {
    boost::asio::post(loop_, [newest = *newest, done = std::move(done)] { done(newest); });
    return;
  }
  if (now == Slot(0)) {
    boost::asio::post(loop_, [done = std::move(done)] {
      done(failure(ErrorCode::kUnavailable, "there is no state yet that could be backed up"));
    });
    return;
  }
  backups_.push_back({now, std::move(done)});
  if (!log_.snapshots().writing()) begin();
}

// The next snapshot answers those who want a later state.
void SnapshotKeeper::answer_backups(const Result<storage::SnapshotInfo>& result) {
  std::vector<Backup> answered;
  for (Backup& backup : std::exchange(backups_, {})) {
    const bool served = !result || backup.of <= result->through;
    (served ? answered : backups_).push_back(std::move(backup));
  }
  for (const Backup& backup : answered) backup.done(result);
  if (!backups_.empty() && !log_.snapshots().writing()) begin();
}

void SnapshotKeeper::repaired() {
  schedule_.hasten(log_.bytes());
}

void SnapshotKeeper::begin() {
  const Slot through = core_.state().executed();
  const auto newest = log_.snapshots().newest();
  schedule_.begun(log_.bytes(), newest ? newest->bytes : 0);
  core_.begin_snapshot();
  log_.snapshots().begin(through, log_.replay_from(through), [this] { post_chunk(); });
  post_chunk();
}

// Whatever is ready meanwhile goes between two chunks.
void SnapshotKeeper::post_chunk() {
  boost::asio::post(loop_, [this, alive = std::weak_ptr<char>(alive_)] {
    if (!alive.expired()) write_chunk();
  });
}

void SnapshotKeeper::write_chunk() {
  storage::SnapshotStore& store = log_.snapshots();
  if (!store.ready()) return;
  const Stopwatch stopwatch(counters_.pause_max_us);
  std::optional<std::string> chunk = core_.next_chunk(options_.chunk_records);
  if (!chunk) {
    store.finish([this](const Result<storage::SnapshotInfo>& result) { written(result); });
    return;
  }
  store.append(std::move(*chunk));
  // Without room in the store's queue the store calls again.
  if (store.ready()) post_chunk();
}

void SnapshotKeeper::written(const Result<storage::SnapshotInfo>& result) {
  if (!result) {
    ++counters_.failed;
    schedule_.failed(log_.bytes());
    log::warning("no snapshot was written; the log grows until one is",
                 {{"why", result.error().message}});
    return answer_backups(result);
  }
  ++counters_.written;
  keep(*result);
  if (log_.wants_snapshot()) schedule_.hasten(log_.bytes());
  answer_backups(result);
}

void SnapshotKeeper::keep(const storage::SnapshotInfo& info) {
  log_.truncate();
  // One that was fetched meanwhile can be newer than one that was written.
  outside_.kept(offered_as(*log_.snapshots().newest()));
  log::info("snapshot kept", {{"slot", to_string(info.through)},
                              {"bytes", std::to_string(info.bytes)},
                              {"first_slot", to_string(log_.first())}});
}

// ── fetching ────────────────────────────────────────────────────────────────────────────────────

void SnapshotKeeper::take_offer(const paxos::SnapshotOffered& offer) {
  if (taking_in_) return;
  if (fetch_.take(offer, core_.state().executed()) && is_of_use(offer.snapshot)) begin_fetch(offer);
  ask_part();
}

// One that is here, and could not be loaded, is no better when it is fetched again. One that finds
// no room would be fetched in vain, again and again.
bool SnapshotKeeper::is_of_use(const paxos::SnapshotInfo& offered) {
  const auto newest = log_.snapshots().newest();
  if (newest && offered.through <= newest->through) return false;
  const std::uint64_t room = log_.snapshots().room();
  const bool fits = offered.bytes <= room;
  if (!fits && !std::exchange(told_of_room_, true)) {
    log::warning("a snapshot is offered, and there is no room for it: free space on this disk",
                 {{"bytes", std::to_string(offered.bytes)}, {"free", std::to_string(room)}});
  }
  if (fits) told_of_room_ = false;
  return fits;
}

void SnapshotKeeper::begin_fetch(const paxos::SnapshotOffered& offer) {
  const paxos::SnapshotInfo& wanted = offer.snapshot;
  fetch_.begin(offer, log_.snapshots().incoming(wanted.id, wanted.through, wanted.bytes));
  log::info("fetching a snapshot", {{"replica", to_string(offer.from)},
                                    {"slot", to_string(wanted.through)},
                                    {"bytes", std::to_string(wanted.bytes)},
                                    {"here", std::to_string(fetch_.have())}});
  if (fetch_.whole()) complete();
}

// With a full queue of the store, or a full disk, the next offer goes on.
void SnapshotKeeper::ask_part() {
  storage::SnapshotStore& store = log_.snapshots();
  if (const auto error = store.incoming_error(); error && fetch_.snapshot()) {
    return give_up_fetch(*error);
  }
  if (!store.incoming_ready()) return;
  const auto asked = fetch_.ask();
  if (!asked) return;
  outside_.ask(*asked, [this, asked = *asked,
                        alive = std::weak_ptr<char>(alive_)](Result<std::string> bytes) {
    if (!alive.expired()) got_part(asked, std::move(bytes));
  });
}

void SnapshotKeeper::got_part(const replica::PartAsked& asked, Result<std::string> bytes) {
  if (bytes && (bytes->empty() || bytes->size() > asked.snapshot.bytes - asked.offset)) {
    bytes = failure(ErrorCode::kInvalidArgument, "a part of a snapshot has no length that it may");
  }
  if (!bytes) {
    log::warning("a part of a snapshot did not come; the next offer is awaited",
                 {{"replica", to_string(asked.of)}, {"why", bytes.error().message}});
    return fetch_.failed(asked);
  }
  if (!fetch_.answered(asked, bytes->size())) return;
  log_.snapshots().write(asked.offset, std::move(*bytes));
  if (fetch_.whole()) return complete();
  ask_part();
}

// From a leader that still keeps them, this replica may have learned the values meanwhile.
void SnapshotKeeper::complete() {
  const Slot through = fetch_.snapshot()->through;
  if (through <= core_.state().executed()) return fetch_.end();
  taking_in_ = true;
  log_.snapshots().complete(
      log_.replay_from(through),
      [this](const Result<storage::SnapshotInfo>& result) { completed(result); });
}

void SnapshotKeeper::completed(const Result<storage::SnapshotInfo>& result) {
  if (!result) return give_up_fetch(result.error());
  load(*result);
}

// The state is built aside, by the store's thread: this replica goes on meanwhile.
void SnapshotKeeper::load(const storage::SnapshotInfo& info) {
  auto state = std::make_shared<state::StateMachine>(state_options_);
  log_.snapshots().load_aside(
      info.through, [state](std::string_view chunk) { return state->load(chunk); },
      [this, info, state](const Result<void>& loaded) {
        if (!loaded) return give_up_fetch(loaded.error());
        if (state->executed() == info.through) return install(info, state);
        give_up_fetch({ErrorCode::kInternal, "the snapshot of slot " + to_string(info.through) +
                                                 " holds the state after slot " +
                                                 to_string(state->executed())});
      });
}

void SnapshotKeeper::install(const storage::SnapshotInfo& info,
                             std::shared_ptr<state::StateMachine> state) {
  {
    const Stopwatch stopwatch(counters_.install_max_us);
    outside_.install(std::move(state));
  }
  taking_in_ = false;
  fetch_.end();
  if (core_.state().executed() == info.through) {
    ++counters_.fetched;
    schedule_.begun(log_.bytes(), info.bytes);
  }
  keep(info);
}

void SnapshotKeeper::give_up_fetch(const Error& why) {
  log::warning("a fetched snapshot was given up; the next offer is awaited",
               {{"why", why.message}});
  ++counters_.failed;
  taking_in_ = false;
  fetch_.end();
}

}  // namespace assent::coordinator
