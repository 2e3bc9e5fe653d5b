// A small world around an office: agents that forget what was open, a network that loses, repeats
// and reorders, a log of which a crash loses the tail, clients that ask again. Everything follows
// from one seed, and checkers outside the office watch what may never happen.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <queue>
#include <set>
#include <string>
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
};

class World {
 public:
  World(std::uint64_t seed, Tally& tally);

  // Runs to the end, healing included. What went wrong, in words; empty: nothing.
  std::vector<std::string> run();

 private:
  enum class Local { kOpen, kPrepared, kCommitted, kRolledBack };
  struct Agent {
    Epoch epoch;
    bool up = true;
    std::uint64_t ballot = 0;            // highest office that it has heard of (R4)
    std::map<BranchId, Local> branches;  // the database's truth
  };
  struct Decision {
    Outcome outcome;
    bool requested = false;  // by a client's commit, not presumed or asked for
    std::set<BranchId> listed;
  };
  struct Caller {
    TransactionId transaction;
    bool applied = false;
    std::set<BranchId> branches;
  };
  struct Transaction {
    TransactionId id;
    std::vector<RequestedBranch> branches;
  };
  struct Event {
    MonoTime time;
    std::uint64_t number;
    std::function<void()> happen;
    bool operator<(const Event& other) const {
      return std::tie(other.time, other.number) < std::tie(time, number);
    }
  };

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
  void execute(const state::Command& command, const state::CommandResult& result);
  void restart_office();
  void tick();
  void ask_inventories();

  // ── the network and the agents
  void send(const SendPrepare& prepare);
  void send(const SendFinish& finish);
  // Calls `at_agent` once, twice or never; it answers an Input, which may be lost; then `lost`.
  void deliver(const std::string& participant, std::function<Input(Agent&)> at_agent, Input lost);
  void reach(const std::string& participant, std::uint64_t office,
             const std::function<Input(Agent&)>& at_agent, const Input& lost);
  Input prepare_at(Agent& agent, const BranchId& branch);
  Input finish_at(Agent& agent, const SendFinish& finish);
  void restart_agent(const std::string& participant);
  void enrol(const std::string& participant);

  // ── clients
  void open(Transaction& transaction);
  RequestedBranch open_branch(const TransactionId& transaction, const std::string& participant);
  void ask(const Transaction& transaction);
  void ask_commit(const Transaction& transaction);
  void hear(const Reply& reply);
  void hear(const Caller& caller, const CommitAnswer& answer);
  void hear(const Caller& caller, const AbortAnswer& answer);
  void hear(const Caller& caller, const Error& error);

  // ── checkers
  void wrong(const std::string& what, const TransactionId& transaction);
  void check_sent(const SendFinish& finish);
  void check_told(const TransactionId& transaction, Outcome outcome);
  void check_own_request(const Caller& caller);
  void check_applied(const TransactionId& transaction);
  void check_end();
  bool settled() const;

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
  std::map<Token, Caller> callers_;
  std::uint64_t tokens_ = 0;
  std::map<TransactionId, Decision> decided_;  // as the log executed it; never removed
  std::map<TransactionId, Outcome> told_;
};

}  // namespace assent::commit
