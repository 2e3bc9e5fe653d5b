// Clients: each does one transaction after the other, asks again as the client library does, and
// tells the book what it was told.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "runtime/rpc/replicas.h"
#include "tests/simulation/system/agent.h"
#include "tests/simulation/system/coordinator.h"
#include "tests/simulation/system/plan.h"

namespace assent::simulation::system {

class Client {
 public:
  using FindAgent = std::function<Agent*(const std::string& address)>;

  Client(Neighbours around, FindAgent find_agent, std::vector<std::string> participants,
         Place place, std::uint64_t seed, Micros think_max, Millis clock_max);

  void start() { think(); }
  // It begins nothing new.
  void stop() { stopped_ = true; }
  // It neither dies nor changes its mind any more.
  void calm() { calm_ = true; }

  [[nodiscard]] bool busy() const { return run_ != nullptr; }
  [[nodiscard]] std::uint64_t finished() const { return finished_; }
  // Transactions whose outcome it was told not to be known.
  [[nodiscard]] std::uint64_t unknown() const { return unknown_; }
  [[nodiscard]] Micros busy_since() const { return busy_since_; }
  // In words, for a report: what it waits for.
  [[nodiscard]] std::string doing() const;

 private:
  struct OpenBranch {
    std::string nonce;
    std::optional<branch::BranchRef> reference;
    std::uint32_t statements = 0;
  };
  // One transaction on its way.
  struct Run {
    Plan plan;
    TransactionId transaction;
    std::map<std::string, OpenBranch> branches;  // of an interactive one
    std::size_t branch = 0;                      // whose turn it is
    std::size_t statement = 0;
    commit::CommitAsked asked;
    bool unknown = false;  // it was told so
    bool expired = false;  // its commit was refused so
    bool first = true;     // no earlier copy of the commit can have been acted upon
    bool asked_to_commit = false;
    Micros give_up_at = 0;
    const char* doing = "";
  };
  using RunPtr = std::shared_ptr<Run>;

  void think();
  void begin();
  void hello(std::function<void()> then);
  void start_run();

  // An event of its transaction; `words` says more.
  template <class Words>
  void note(std::string_view what, const RunPtr& run, std::uint64_t number, Words words);

  // ── statements
  void next_statement(const RunPtr& run);
  void send_statement(const RunPtr& run);
  void take_statement(const RunPtr& run, Result<branch::ExecuteAnswer> answer);
  void roll_back(const RunPtr& run);

  // ── the end
  void commit(const RunPtr& run);
  void send_commit(const RunPtr& run);
  void take_commit(const RunPtr& run, const std::string& asked,
                   Result<tl::expected<commit::CommitAnswer, Error>> heard);
  void ask_status(const RunPtr& run);
  void take_status(const RunPtr& run, const std::string& asked, Result<Status> status);
  void end(const RunPtr& run, std::optional<Outcome> outcome);
  void ask_again(const TransactionId& transaction);
  void reuse_id(const Run& run);
  bool maybe_die(const RunPtr& run, std::uint64_t percent);

  // ── whom to ask
  Coordinator& coordinator() { return coordinator_at(around_, coordinators_.current()); }
  void again(const RunPtr& run, void (Client::*act)(const RunPtr&));
  [[nodiscard]] LogTime time() const;
  Millis clock_error();
  [[nodiscard]] std::vector<commit::RequestedBranch> requested(const Run& run) const;

  const Neighbours around_;
  const FindAgent find_agent_;
  const std::vector<std::string> participants_;
  const Place place_;
  Dice dice_;
  const Micros think_max_;
  const Millis clock_max_;  // so far its clock runs wrong at times; 0: never
  bool stopped_ = false;
  bool calm_ = false;
  std::uint64_t finished_ = 0;
  std::uint64_t unknown_ = 0;
  Micros busy_since_ = 0;
  RunPtr run_;  // null: none

  rpc::Replicas coordinators_;
  std::optional<Hello> known_;
  Micros known_at_ = 0;
};

}  // namespace assent::simulation::system
