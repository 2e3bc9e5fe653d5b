// One replica of the coordinator's log, whole: consensus and the state machine that it drives.
// PURE: inputs in, effects out. The simulator runs it as it is; coordinator/server gives it a disk,
// a network and clocks.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <variant>
#include <vector>

#include "base/error.h"
#include "base/ids.h"
#include "base/time.h"
#include "coordinator/paxos/consensus.h"
#include "coordinator/replica/log_clock.h"
#include "coordinator/state/command.h"
#include "coordinator/state/state_machine.h"

namespace assent::replica {

// Names a command that waits to be executed. Issued by the caller, never reused within a life.
using CommandToken = Strong<struct CommandTokenTag>;
using paxos::ReadToken;

struct Options {
  paxos::Options paxos;
  state::StateOptions state;
  // What the first leader tells the log of the initial group. Empty: nothing, and the group stays.
  std::vector<state::Member> founders{};
  std::size_t entry_commands_max = 4'096;     // of one slot
  std::size_t commands_waiting_max = 65'536;  // for a slot; one more is refused
};

// The two clocks at the time of an input.
struct Now {
  MonoTime mono;
  LogTime wall;
};

// ── inputs ──────────────────────────────────────────────────────────────────────────────────────

// Precondition: serving(). Waits for the end of the turn (TurnEnded) and a free slot.
struct Submit {
  CommandToken token;
  state::Command command;
};
// The commands submitted in this turn of the event loop go into a slot together.
struct TurnEnded {};

// A state that is further than this replica's, from a whole snapshot that is durable here. Ignored
// when this replica leads or has come that far by itself.
struct Install {
  std::shared_ptr<state::StateMachine> state;
};

using Input = std::variant<paxos::Arrived, paxos::Persisted, paxos::ReadAsked, paxos::TransferAsked,
                           paxos::PeerLost, paxos::SnapshotKept, paxos::DiskShort, paxos::Tick,
                           Submit, TurnEnded, Install>;

// ── effects ─────────────────────────────────────────────────────────────────────────────────────

struct Executed {
  CommandToken token;
  state::CommandResult result;
};

// This replica may serve: it leads, and has executed the no-op of its own ballot (R1).
struct OfficeTaken {
  Ballot ballot;
  std::uint64_t number = 0;  // of the office, in the log
};
// It leads no more. The fate of every command that was not answered is unknown: tell nobody
// anything of it (R3).
struct OfficeLost {
  Ballot ballot;
};
using OfficeChange = std::variant<OfficeTaken, OfficeLost>;

// Carried out in the order of the fields.
struct Effects {
  std::vector<paxos::Record> persist;  // append in this order; each comes back in a Persisted
  std::vector<paxos::Envelope> send;
  // At most one of each kind, a loss before a taking. Results and reads belong to the office that
  // was held when the step began; none come after its loss.
  std::vector<OfficeChange> office;
  std::vector<Executed> executed;
  std::vector<CommandToken> refused;  // too many wait: certainly not proposed
  std::vector<ReadToken> reads;       // ready: what state() shows now is linearizable for them
  std::vector<ReadToken> reads_lost;  // ask again, perhaps elsewhere
  std::optional<paxos::SnapshotOffered> offered;
  bool recovered = false;  // what the log has lost matters no more
  // A chosen entry cannot be read: a newer version wrote it. Who skipped it would have another
  // state than the others, so the process ends. Nothing else is to be carried out, and no step
  // follows.
  std::optional<Error> unreadable;
};

class Core {
 public:
  // `log` outlives the core. Restore first, then start, then step.
  Core(Options options, const paxos::ChosenLog& log);

  // Before any record: the state of a snapshot.
  void restore(std::shared_ptr<state::StateMachine> state);
  // Takes in a record of an earlier life, in the order of the log.
  // An error as Effects::unreadable: throw this core away.
  Result<void> restore(Now now, const paxos::Record& record);
  // In its place among the records: here some lack. See Consensus::restore_lost_records.
  void restore_lost_records() { consensus_.restore_lost_records(); }
  void start(Now now);

  Effects step(Now now, const Input& input);

  [[nodiscard]] MonoTime next_deadline() const { return consensus_.next_deadline(); }

  // Between OfficeTaken and OfficeLost: commands and reads are taken.
  [[nodiscard]] bool serving() const { return office_.has_value(); }
  [[nodiscard]] const state::StateMachine& state() const { return *state_; }
  // Hands out a snapshot of the state as it is now, in chunks (docs/adr/0007). It goes on when
  // another state is taken in meanwhile.
  void begin_snapshot();
  std::optional<std::string> next_chunk(std::size_t records);

  [[nodiscard]] const Options& options() const { return options_; }
  [[nodiscard]] const paxos::Consensus& consensus() const { return consensus_; }
  // The log's time now: what the next entry would carry (R17). Monotone within an office.
  [[nodiscard]] LogTime log_time(Now now) {
    return clock_.advance(now.mono, now.wall + state_->restoration().ahead);
  }
  // Commands that wait for a slot or for their execution.
  [[nodiscard]] std::size_t pending_count() const;

  void check_invariants() const;

 private:
  // Commands of one slot with who waits for them.
  struct Batch {
    std::vector<state::Command> commands;
    std::vector<CommandToken> tokens;  // 0: nobody waits
  };

  void on(Now now, Effects& out, const Submit& submit);
  void on(Now now, Effects& out, const TurnEnded& ended);
  void on(Now now, Effects& out, const Install& install);
  template <class PaxosInput>
  void on(Now now, Effects& out, const PaxosInput& input);
  void feed(Now now, Effects& out, const paxos::Input& input);
  void follow_office(Now now, Effects& out);
  void execute(Now now, Effects& out, const paxos::ChosenValue& chosen, paxos::Executed& executed);
  std::optional<state::Entry> read(const paxos::ChosenValue& chosen);
  void answer(Effects& out, Slot slot, const std::vector<state::CommandResult>& results);
  void maybe_propose(Now now, Effects& out);
  void fill_up_to_change(Now now, Effects& out);
  paxos::Value cut_entry(Now now, Batch& batch);
  void lose_office(Effects& out);

  const Options options_;
  paxos::Consensus consensus_;
  std::shared_ptr<state::StateMachine> state_;        // never null; replaced by Install only
  std::shared_ptr<state::StateMachine> snapshot_of_;  // null when none is handed out
  LogClock clock_;
  std::optional<Error> unreadable_;  // this life is over

  std::optional<Ballot> leads_;   // as consensus says; its no-op may not be executed yet
  std::optional<Ballot> office_;  // held and served
  Batch waiting_;
  std::map<Slot, std::vector<CommandToken>> proposed_;  // by this leader under leads_
};

}  // namespace assent::replica
