// One agent's process, life after life: the production shell of participant/postgres and the branch
// table, with a shell as thin as participant/server's (agent.cc, registration.cc, the handlers).
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "coordinator/commit/office.h"
#include "participant/branch/branch_table.h"
#include "participant/postgres/database.h"
#include "runtime/rpc/replicas.h"
#include "tests/simulation/clock.h"
#include "tests/simulation/postgres/server.h"
#include "tests/simulation/system/neighbours.h"
#include "tests/simulation/system/wire.h"

namespace assent::simulation::system {

class Agent {
 public:
  // Serves the database that `server` finds at its address.
  Agent(Neighbours around, std::string participant, std::string address, Place place,
        std::function<model::Server*()> server, std::uint64_t seed);
  ~Agent();

  void boot();
  void crash();
  // Nothing comes in until then; a time that is past ends a pause.
  void pause_until(Micros until);

  // An operator has looked at it: it may be started again after it was displaced, and if its
  // database lost data, with that database (--takeover).
  void repair() {
    displaced_ = false;
    takes_over_ = takes_over_ || refused();
    refused_ = false;
  }

  // `server` finds a copy of the database from now on that lacks what the log knows of it, as long
  // as the log does not learn of another break than this last one; or none does any more.
  // Precondition: it is down.
  void stand_behind_clone(std::optional<Epoch> broken_below) {
    clone_of_ = broken_below;
    displaced_ = refused_ = takes_over_ = false;
  }
  [[nodiscard]] bool behind_clone() const { return clone_of_.has_value(); }

  // Runs an act in the process, now or after the pause; not when it is down.
  void enter(std::function<void()> act);

  // ── requests; to be called inside enter() ─────────────────────────────────────────────────────
  void prepare(branch::PrepareAsked asked, Done<commit::Vote> done);
  void finish(branch::FinishAsked asked, Done<FinishResult> done);
  void settle(branch::SettleAsked asked, Done<branch::Settled> done);
  void inventory(Ballot ballot, Done<postgres::Inventory> done);
  void execute(branch::ExecuteAsked asked, Done<branch::ExecuteAnswer> done);
  void cancel(branch::CancelAsked asked, Done<branch::Cancelled> done);

  [[nodiscard]] const std::string& participant() const { return participant_; }
  [[nodiscard]] const std::string& address() const { return address_; }
  [[nodiscard]] Place place() const { return place_; }
  [[nodiscard]] std::uint64_t lives() const { return lives_; }
  [[nodiscard]] bool up() const { return life_ != nullptr; }
  // It takes new branches.
  [[nodiscard]] bool open() const;
  // Another life has displaced it: it is not started again by itself (R16).
  [[nodiscard]] bool displaced() const { return displaced_; }
  // Its database went back, and it is started again and again in vain.
  [[nodiscard]] bool refused() const { return refused_ && !behind_clone(); }
  [[nodiscard]] std::size_t live_branches() const;
  // Names its present life; precondition: it is up.
  [[nodiscard]] const std::string& nonce() const;
  // Of its present life; 0 before it was issued.
  [[nodiscard]] Epoch epoch() const;

 private:
  struct Life;

  void run(const std::function<void()>& act);
  void resume();
  void later(Micros delay, std::function<void()> act);

  void identify();
  void enrol(const postgres::Position& position, Epoch stored,
             const postgres::StoredLandmark& landmark);
  void ask_to_enrol(const state::Enrolled& request, Epoch stored, MonoTime give_way_at);
  void claim(Epoch stored, Epoch epoch, Ballot ballot);
  void serve(Epoch epoch, Ballot ballot);
  void fence();
  void recovered();
  void beat();
  void beat_after(Micros pause);
  void on_beat(const std::string& asked, bool told, const Result<LogTime>& floor);
  void enrolment_refused(const Error& why);
  void retry_or_fail(const Error& error, void (Agent::*again)());
  void end(const Error& why);

  template <class T>
  void feed_for(branch::Input input, Done<T> done);
  [[nodiscard]] bool fences(Ballot ballot);
  static void check_fenced(bool stale, const BranchId& branch);
  void feed(const branch::Input& input);
  void arm();
  [[nodiscard]] MonoTime mono() const;
  [[nodiscard]] Error named(Error error) const;
  // An event of a branch; `words` says more.
  template <class Words>
  void note(std::string_view what, const BranchId& branch, Words words);

  const Neighbours around_;
  const std::string participant_;
  const std::string address_;
  const Place place_;
  const std::function<model::Server*()> server_;
  Dice dice_;
  Clock clock_;
  std::unique_ptr<Life> life_;
  std::uint64_t lives_ = 0;
  std::optional<rpc::Replicas> coordinators_;  // as this life knows them
  bool displaced_ = false;
  bool refused_ = false;     // since its database was found to have gone back nobody has looked
  bool takes_over_ = false;  // for one start
  std::optional<Epoch> clone_of_;  // it stands behind a clone; the last break when that was made
  Micros paused_until_ = 0;
  std::deque<std::function<void()>> inbox_;
};

}  // namespace assent::simulation::system
