// Clients: they decide transactions, enrol participants and read; they ask again, anywhere, until
// they are answered.
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <vector>

#include "tests/simulation/dice.h"
#include "tests/simulation/host.h"
#include "tests/simulation/operators.h"
#include "tests/simulation/setting.h"

namespace assent::simulation {

class Clients {
 public:
  using Ask = std::function<void(ReplicaId, const Request&)>;

  // `ask` brings a request to a replica. All outlive this.
  Clients(Scheduler& scheduler, const Setting& setting, Operators& operators, Ask ask);

  void start();
  // Nothing new is begun.
  void stop() { stopped_ = true; }
  // Requests and answers are not lost any more.
  void calm() { lossy_ = false; }
  // What nobody has answered of the group's changes is not asked again.
  void give_changes_up();
  // A replica answers.
  void answered(std::uint64_t operation, const Answer& answer);

  [[nodiscard]] std::size_t outstanding() const { return operations_.size(); }
  [[nodiscard]] std::uint64_t answered_since(Micros begun) const;
  // Of the operations that are not answered yet.
  [[nodiscard]] Micros longest_wait() const;

 private:
  struct Operation {
    std::uint64_t client = 0;
    Request request;
    std::uint64_t tries = 0;
    Micros begun = 0;
    bool last_of_burst = true;
  };
  using CommandPtr = std::shared_ptr<const state::Command>;

  void think(std::uint64_t client);
  void begin(std::uint64_t client);
  void begin_one(std::uint64_t client, bool last_of_burst);
  CommandPtr choose_command(std::uint64_t client);
  state::Command decide_new();
  state::Command decide_against(const TransactionId& transaction);
  state::Command forget_some();
  state::Command enrol(std::uint64_t client);
  [[nodiscard]] std::vector<state::DecidedBranch> branches();
  void attempt(std::uint64_t operation);
  [[nodiscard]] Micros patience();
  void done(std::uint64_t operation);
  void remember(const Operation& operation);
  [[nodiscard]] LogTime time() const;

  Scheduler& scheduler_;
  const Setting& setting_;
  Operators& operators_;
  Dice dice_;
  const Ask ask_;
  bool stopped_ = false;
  bool lossy_ = true;
  std::uint64_t number_ = 0;
  std::map<std::uint64_t, Operation> operations_;
  std::deque<CommandPtr> recent_;  // decisions that were answered, the latest last
  std::deque<TransactionId> unforgotten_;
  std::vector<Micros> begun_of_answered_;
  ReplicaId leader_;
  LogTime told_time_;  // the log's, as a replica told it last, and when
  Micros told_at_ = 0;
  std::uint64_t lives_ = 0;
};

}  // namespace assent::simulation
