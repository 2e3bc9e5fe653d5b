// One replica's process: the core under test with a disk, clocks and connections; it crashes,
// starts again and stands still as it is told. What it does is shown to the checkers first.
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <unordered_map>
#include <vector>

#include "coordinator/replica/admission.h"
#include "coordinator/replica/core.h"
#include "tests/simulation/clock.h"
#include "tests/simulation/disk.h"
#include "tests/simulation/history.h"
#include "tests/simulation/keeper.h"
#include "tests/simulation/network.h"
#include "tests/simulation/setting.h"
#include "tests/simulation/trace.h"
#include "tests/simulation/witness.h"

namespace assent::simulation {

// What a client asks of a replica.
struct Request {
  std::uint64_t operation = 0;
  std::shared_ptr<const state::Command> command;  // null: a read
};
// What comes back.
struct Answer {
  enum class Kind { kDone, kElsewhere, kOverloaded, kLost };
  Kind kind = Kind::kLost;
  std::optional<ReplicaId> leader;               // where to ask, as far as known
  LogTime time;                                  // of the log; 0: not known
  std::optional<state::CommandResult> result{};  // of a command that is done
};

// Moments at which a crash is most telling.
enum class Moment { kAsksPromises, kLeads };

// Everything around the hosts; it outlives them.
struct Surroundings {
  Scheduler& scheduler;
  Trace& trace;
  Ledger& ledger;
  Witness& witness;
  History& history;
  Network& network;
  std::function<void(std::uint64_t operation, Answer)> answer;
  std::function<void(ReplicaId, Moment)> moment;
  // A replica took the office or lost it; null: its process ended.
  std::function<void(ReplicaId, const replica::OfficeChange*)> office;
  // A replica asks another one for a part of a snapshot; and that one answers with it, or without.
  std::function<void(ReplicaId by, const replica::PartAsked&)> ask_part;
  std::function<void(ReplicaId to, const replica::PartAsked&, std::optional<std::string>)>
      give_part;
  // A replica asks another one whether it is known there; and is told by which disk.
  std::function<void(const Sender& by, ReplicaId of)> greet;
  std::function<void(ReplicaId to, ReplicaId by, DiskIncarnation known)> answer_greeting;
};

// What the first version of the program knew.
inline constexpr state::Formats kFirstVersion{.entry = 1, .snapshot = 1};

class Host {
 public:
  Host(Surroundings& around, const Setting& setting, ReplicaId id);

  // Its configuration names these others, and will whatever happens to its disk. Only then it can
  // boot.
  void install(const std::vector<ReplicaId>& others);
  void boot();
  void crash();
  // It crashes, and never comes back.
  void switch_off();
  // The program that boots from now on. Precondition: it is down.
  void run_version(const state::Formats& formats) { formats_ = formats; }
  [[nodiscard]] const state::Formats& formats() const { return formats_; }
  // Lives that ended at something that a newer version wrote.
  [[nodiscard]] std::uint64_t unreadable() const { return unreadable_; }
  [[nodiscard]] bool switched_off() const { return switched_off_; }
  // All that was on its disk is lost. Precondition: it is down.
  void wipe();
  [[nodiscard]] bool wiped() const { return disk_.wiped(); }
  // Nothing comes in until then. A time that is past ends a pause.
  void pause_until(Micros until);
  Disk& disk() { return disk_; }
  [[nodiscard]] const Disk& disk() const { return disk_; }
  Clock& clock() { return clock_; }

  // Runs an act in its process, when it takes part: now, or when a pause ends.
  void take_in(std::function<void()> act);
  // Later in this life.
  void later(Micros delay, std::function<void()> act);

  void arrive(const Sender& from, const paxos::Message& message);
  void lose(ReplicaId peer);
  void ask(const Request& request);
  void hand_over(ReplicaId to);
  void asked_for_part(ReplicaId by, const replica::PartAsked& asked);
  void got_part(const replica::PartAsked& asked, const std::optional<std::string>& bytes);
  void greeted_by(const Sender& other);
  void greeting_answered(ReplicaId by, DiskIncarnation known);

  [[nodiscard]] ReplicaId id() const { return id_; }
  // It takes part.
  [[nodiscard]] bool up() const { return core_ != nullptr; }
  // Its peers know another disk of it, so it has ended for good.
  [[nodiscard]] bool refused() const { return refused_; }
  // Messages from disks that its peers had lost.
  [[nodiscard]] std::uint64_t unheard() const { return unheard_; }
  [[nodiscard]] bool serving() const { return up() && core_->serving(); }
  // Precondition: up().
  [[nodiscard]] const replica::Core& core() const { return *core_; }
  // Its clocks now. Precondition: up().
  [[nodiscard]] MonoTime mono_now() const { return clock_.read(around_.scheduler.now()).mono; }
  [[nodiscard]] LogTime log_now() { return core_->log_time(clock_.read(around_.scheduler.now())); }
  // Offices lost, and orders heard to take one over, in all lives.
  [[nodiscard]] std::uint64_t offices_lost() const { return offices_lost_; }
  [[nodiscard]] std::uint64_t orders_heard() const { return orders_heard_; }
  // Snapshots written, and fetched and taken in, in all lives.
  [[nodiscard]] std::uint64_t snapshots_written() const { return keeper_.written(); }
  [[nodiscard]] std::uint64_t snapshots_installed() const { return keeper_.installed(); }

 private:
  struct Read {
    std::uint64_t operation;
    Horizon horizon;
  };

  // The process takes something in, once it moves; not at all when it ended before.
  void enter(std::function<void()> act);
  // The process is there, and takes part or waits to be let in.
  [[nodiscard]] bool runs() const { return admission_.has_value(); }
  [[nodiscard]] bool is_founder() const { return id_.value <= setting_.replicas; }
  void take_part();
  [[nodiscard]] bool restore();
  [[nodiscard]] bool can_read(const paxos::Message& message) const;
  void end_unreadable();
  void greet_all();
  [[nodiscard]] DiskIncarnation meet(const Sender& other);
  void hear_of_space(bool is_short);
  void step_aside();
  void ask_part(const replica::PartAsked& asked);
  void resume();
  void step(const replica::Input& input);
  void carry_out(replica::Effects effects);
  void send(const std::vector<paxos::Envelope>& envelopes);
  void learn();
  void take_office(const replica::OfficeChange& change);
  void acknowledge(const replica::Executed& executed);
  void finish_reads(const replica::Effects& effects);
  void answer(std::uint64_t operation, Answer::Kind kind,
              std::optional<state::CommandResult> result = std::nullopt);
  void check_bounds(std::size_t answers_sent);
  void check_log_time();
  void check_groups();
  void end_turn_soon();
  void arm();
  void tick();

  Surroundings& around_;
  const Setting& setting_;
  const ReplicaId id_;
  Dice dice_;
  Disk disk_;
  Clock clock_;
  Keeper keeper_;
  std::optional<replica::Admission> admission_;  // of this life
  std::unique_ptr<replica::Core> core_;          // null: it is down, or waits to be let in
  std::vector<ReplicaId> others_;
  bool installed_ = false;
  bool refused_ = false;
  std::uint64_t unheard_ = 0;
  std::uint64_t life_ = 0;
  Micros paused_until_ = 0;
  std::deque<std::function<void()>> inbox_;  // of a pause
  Micros armed_for_ = 0;                     // 0: no tick is on its way
  std::uint64_t armed_number_ = 0;
  bool turn_open_ = false;
  bool switched_off_ = false;
  state::Formats formats_;
  std::uint64_t unreadable_ = 0;
  Slot groups_from_;  // the latest change when the checkers saw its groups last, and the mark then
  Slot groups_seen_;
  Slot learned_;   // up to here the checkers saw what this life learned
  Slot executed_;  // up to here they compared its state
  std::uint64_t tokens_ = 0;
  std::unordered_map<std::uint64_t, Request> commands_;  // that wait, by token
  std::unordered_map<std::uint64_t, Read> reads_;
  LogTime log_time_;  // of this office
  std::uint64_t offices_lost_ = 0;
  std::uint64_t orders_heard_ = 0;
  Ballot proposing_;  // and the last slot proposed in, as of the last step
  Slot proposed_;
};

}  // namespace assent::simulation
