// What a replica's process does besides its log, while its replica leads: the office, enrolment,
// and requests of clients and agents. The production cores with a shell as thin as
// coordinator/server's: office_runner.cc, agent_links.cc and client_handler.cc.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "coordinator/commit/office.h"
#include "coordinator/server/enrolment.h"
#include "coordinator/state/replicated_log.h"
#include "participant/branch/branch_table.h"
#include "tests/simulation/host.h"
#include "tests/simulation/system/wire.h"
#include "tests/simulation/trace.h"

namespace assent::simulation::system {

class Agent;
class Book;

struct Hello {
  LogTime now;
  std::uint64_t office = 0;
  std::map<std::string, std::string> agents;  // address by participant
};
struct Status {
  std::optional<Outcome> outcome;  // none: undecided
  std::vector<std::string> pending;
  bool unknown = false;  // for good: it may have committed in a database that lost it
};
struct Issued {
  Epoch epoch;
  Ballot ballot;
};

class Coordinator {
 public:
  using FindAgent = std::function<Agent*(const std::string& address)>;

  // All outlive this. `place`: of the process on the wire.
  Coordinator(Host& host, Wire& wire, Book& book, Trace& trace, FindAgent find_agent, Place place);
  ~Coordinator();

  // ── from its replica ──────────────────────────────────────────────────────────────────────────
  void office_changed(const replica::OfficeChange& change);
  void ended();  // the process
  void answered(std::uint64_t operation, const Answer& answer);

  // ── requests; kNotLeader when it does not lead ────────────────────────────────────────────────
  // To be called inside Host::take_in.
  void commit(commit::CommitAsked asked, Done<commit::CommitAnswer> done);
  void abort(commit::AbortAsked asked, Done<commit::AbortAnswer> done);
  void status(const TransactionId& transaction, Done<Status> done);
  void hello(Done<Hello> done);
  void enrol(const state::Enrolled& life, Done<Issued> done);
  void heartbeat(const std::string& participant, Epoch epoch, coordinator::Enrolment::Beat beat,
                 Done<LogTime> done);

  [[nodiscard]] Host& host() { return host_; }
  [[nodiscard]] Place place() const { return place_; }
  [[nodiscard]] bool leads() const { return term_ != nullptr; }
  // Transactions that its office drives.
  [[nodiscard]] std::size_t driven() const;

 private:
  static constexpr Micros kCallTimeout = 5 * kSecond;  // as in agent_links.cc

  class Log;
  struct Link {
    std::string address;
    bool asking = false;     // for the inventory
    bool ask_again = false;  // when that is answered
    bool silent = false;     // its last call was not answered
  };
  using Waiter = std::variant<Done<commit::CommitAnswer>, Done<commit::AbortAnswer>>;
  // An office that is held, and all that ends with it.
  struct Term;

  void feed(const commit::Input& input);
  void carry_out(commit::Effects effects);
  void propose(state::Command command);
  void reply(commit::Reply reply);
  void arm();
  void follow(const std::string& participant, const std::string& address);
  [[nodiscard]] coordinator::Enrolment::Callbacks callbacks();
  void recovered(const std::string& participant);
  void ask_life(const state::ParticipantRecord& life,
                std::function<void(coordinator::Presence)> done);
  void ask_inventories();
  void ask_inventory(const std::string& participant);
  // An event of a transaction; `words` says more.
  template <class Words>
  void note(std::string_view what, const TransactionId& transaction, Words words);
  void send(const commit::SendPrepare& prepare);
  void send(const commit::SendFinish& finish);
  void send(const commit::SendSettle& settle);
  // Asks the agent; `heard` gets its answer inside this process, unless the office is lost by then.
  template <class T>
  void ask(const std::string& participant, std::function<void(Agent&, Done<T>)> at, Done<T> heard,
           Micros patience = kCallTimeout);
  void note_answered(const std::string& participant, bool answered);
  [[nodiscard]] MonoTime mono() const;
  [[nodiscard]] Error not_leader() const;

  Host& host_;
  Wire& wire_;
  Book& book_;
  Trace& trace_;
  const FindAgent find_agent_;
  const Place place_;
  std::unique_ptr<Log> log_;
  std::unique_ptr<Term> term_;
  std::uint64_t terms_ = 0;  // what was begun in an earlier one is forgotten
};

}  // namespace assent::simulation::system
