// A small world around an office: agents that forget what was open, a network that loses, repeats
// and reorders, a log of which a crash loses the tail, clients that ask again. Everything follows
// from one seed, and checkers outside the office watch what may never happen.
//
// world.cc: time, the office, its log, the network. world_agents.cc: agents and their databases.
// world_clients.cc: clients. world_checks.cc: the checkers.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <queue>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "coordinator/commit/office.h"
#include "coordinator/state/state_machine.h"

namespace assent::commit {

// splitmix64: small, and the same everywhere.
class Random {
 public:
  explicit Random(std::uint64_t seed) : state_(seed) {}
  std::uint64_t next();
  std::int64_t below(std::int64_t limit) {
    return static_cast<std::int64_t>(next() % static_cast<std::uint64_t>(limit));
  }
  bool chance(int percent) { return below(100) < percent; }

 private:
  std::uint64_t state_;
};

// What happened in how many worlds put together; a test that nothing happens to proves nothing.
struct Tally {
  std::uint64_t committed = 0, aborted = 0, below_floor = 0, presumed = 0, id_reused = 0;
  std::uint64_t restarts = 0, proposals_lost = 0, messages_lost = 0, messages_repeated = 0;
  std::uint64_t strays_rolled_back = 0, rolled_back_without_record = 0, stale_refused = 0;
  std::uint64_t left = 0, committed_of_readers = 0, one_shots_run = 0, second_runs_refused = 0;
  std::uint64_t one_phase = 0, one_phase_told = 0, one_phase_refused = 0;
  std::uint64_t settled_committed = 0, settled_never = 0, unknown_told = 0, results_told = 0;
  std::uint64_t results_gone = 0, first_came_last = 0;
  std::uint64_t first_to_another_office = 0, promises_refused = 0;
};

class World {
 public:
  World(std::uint64_t seed, Tally& tally);

  // Runs to the end, healing included. What went wrong, in words; empty: nothing.
  std::vector<std::string> run();

 private:
  enum class Local { kOpen, kPrepared, kCommitted, kRolledBack, kLeft };
  struct Branch {
    Local local = Local::kOpen;
    bool writes = true;
    std::uint64_t run = 0;   // number of the one-shot's run; 0: interactive
    bool one_phase = false;  // it has committed so
    bool forgotten = false;  // by its agent, after its end
  };
  struct Agent {
    // The database's truth.
    std::map<BranchId, Branch> branches;
    std::map<TransactionId, bool> rows;  // outcome rows: committed or aborted
    // This life's memory.
    Epoch epoch;
    bool up = true;
    std::uint64_t ballot = 0;  // highest office that it has heard of (R4)
    std::uint64_t serials_of = 0;
    std::uint64_t low_water = 0;
    std::set<std::uint64_t> seen;
  };
  struct Decision {
    Outcome outcome;
    bool requested = false;  // by a client's commit, not presumed or asked for
    std::set<BranchId> listed;
  };
  struct Transaction {
    TransactionId id;
    std::vector<RequestedBranch> branches;
    bool asked = false;  // to commit
  };
  struct Caller {
    Transaction transaction;  // as this caller named it
    bool applied = false;
  };
  struct Event {
    MonoTime time;
    std::uint64_t number;
    std::function<void()> happen;
    bool operator<(const Event& other) const {
      return std::tie(other.time, other.number) < std::tie(time, number);
    }
  };
  using Place = std::pair<TransactionId, std::string>;  // a transaction at a participant

  // ── time
  void after(Millis pause, std::function<void()> happen);
  void run_until(MonoTime end);
  Now now() const { return {mono_, LogTime(mono_.value + log_ahead_.value)}; }
  Millis delay();

  // ── the office and its log
  void feed(const Input& input);
  void carry_out(Effects effects);
  void propose(state::Command command);
  void flush();
  void restart_office();
  void tick();
  void ask_inventories();

  // ── the network
  void send(const SendPrepare& prepare);
  void send(const SendFinish& finish);
  void send(const SendSettle& settle);
  // Calls `at_agent` once, twice or never; it answers an Input, which may be lost; then `lost`.
  void deliver(const std::string& participant, std::function<Input(Agent&)> at_agent, Input lost);
  void reach(const std::string& participant, std::uint64_t office,
             const std::function<Input(Agent&)>& at_agent, const Input& lost);

  // ── agents
  Input prepare_at(Agent& agent, const SendPrepare& prepare);
  Vote vote_at(Agent& agent, const SendPrepare& prepare);
  Vote vote_of_unknown(Agent& agent, const SendPrepare& prepare);
  Vote end_open(Agent& agent, const SendPrepare& prepare, Branch& branch);
  void maybe_run_one_shot(Agent& agent, const SendPrepare& prepare);
  bool take_serial(Agent& agent, const SendPrepare& prepare);
  Branch* remembered(Agent& agent, const BranchId& id);
  Input finish_at(Agent& agent, const SendFinish& finish);
  Input settle_at(Agent& agent, const SendSettle& settle);
  bool settle_row(Agent& agent, const TransactionId& transaction);
  void forget_some(Agent& agent);
  void restart_agent(const std::string& participant);
  void enrol(const std::string& participant);
  static bool live(const Agent& agent, const TransactionId& transaction);
  static StatementResults results_of(const Branch& branch);

  // ── clients
  void open(Transaction& transaction);
  RequestedBranch open_branch(const TransactionId& transaction, const std::string& participant);
  RequestedBranch open_one_shot(const TransactionId& transaction, const std::string& participant);
  void hint(std::vector<RequestedBranch>& branches);
  void ask(Transaction& transaction);
  void ask_abort(const Transaction& transaction);
  void ask_commit(const Transaction& transaction, bool first);
  void hear(const Reply& reply);
  void hear(const Caller& caller, const CommitAnswer& answer);
  void hear(const Caller& caller, const AbortAnswer& answer);
  void hear(const Caller& caller, const Error& error);

  // ── checkers
  void wrong(const std::string& what, const TransactionId& transaction);
  void execute(const state::Command& command, const state::CommandResult& result);
  void decide(const state::Committed& command);
  void decide(const state::Aborted& command);
  template <class Command>
  Decision& note_decision(const Command& command, Outcome outcome);
  void note_one_phase(const BranchId& branch);
  void check_abort_of_one_phase(const TransactionId& transaction);
  void check_sent(const SendPrepare& prepare);
  void check_sent(const SendFinish& finish);
  void check_told(const TransactionId& transaction, Outcome outcome);
  void check_own_request(const Caller& caller);
  void check_committed_request(const Caller& caller, const Decision& decision);
  void check_applied(const TransactionId& transaction);
  void check_readers(const TransactionId& transaction, const CommitAnswer& answer);
  void check_results(const Caller& caller, const CommitAnswer& answer);
  void check_end();
  bool settled() const;
  bool prepared_anywhere(const TransactionId& transaction) const;

  Random random_;
  Tally& tally_;
  std::vector<std::string> wrongs_;
  MonoTime mono_{50'000};
  Millis log_ahead_{10'000'000};
  bool healed_ = false;
  std::priority_queue<Event> events_;
  std::uint64_t events_made_ = 0;
  std::uint64_t in_flight_ = 0;

  state::StateMachine state_;
  std::unique_ptr<Office> office_;
  std::uint64_t office_number_ = 0;
  std::vector<state::Command> log_;  // proposed by this office, not yet executed
  std::map<std::string, Agent> agents_;
  std::uint64_t nonces_ = 0;
  std::uint64_t attempts_ = 0;

  std::vector<Transaction> transactions_;
  std::map<Place, bool> writes_;  // whether the statements there write
  std::map<Token, Caller> callers_;
  std::uint64_t tokens_ = 0;

  // What the checkers remember; never removed.
  std::map<TransactionId, Decision> decided_;  // as the log executed it
  std::map<TransactionId, Outcome> told_;
  std::map<TransactionId, BranchId> one_phase_;          // committed so
  std::map<TransactionId, std::string> one_phase_sent_;  // told to commit so, and where
  std::set<TransactionId> abort_rows_;
  std::set<TransactionId> definite_nos_;
  std::map<Place, std::uint64_t> runs_;    // of one-shots
  std::map<std::uint64_t, BranchId> ran_;  // by the number of the run
  std::uint64_t last_run_ = 0;
};

}  // namespace assent::commit
