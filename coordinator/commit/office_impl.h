// The office behind its public face: who is driven, and by what timers. office.cc: requests, agents
// and the log, drivers. recovery.cc: what an earlier office left, and what agents find prepared.
// redrive.cc: what may be lost with a database's history.
// taking.cc: which participants take new branches.
#pragma once

#include <deque>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "coordinator/commit/driver.h"
#include "coordinator/commit/finish_memory.h"
#include "coordinator/commit/office.h"

namespace assent::commit {

class Office::Impl {
 public:
  Impl(const state::StateMachine& state, OfficeOptions options);

  Effects take_office(Now now);
  Effects step(Now now, const Input& input);

  [[nodiscard]] std::optional<MonoTime> next_deadline() const;
  [[nodiscard]] std::vector<std::string> pending(const TransactionId& transaction) const;
  [[nodiscard]] std::optional<DrivenView> view(const TransactionId& transaction,
                                               MonoTime now) const;
  [[nodiscard]] std::optional<TransactionId> next_driven(const TransactionId& after) const;
  [[nodiscard]] std::size_t driven_count() const { return drivers_.size(); }
  [[nodiscard]] std::size_t remembered() const {
    return finishes_.size() + strangers_.size() + timers_.size() + serials_.live_count();
  }
  [[nodiscard]] const OfficeCounters& counters() const { return counters_; }
  [[nodiscard]] std::size_t driven_at(const std::string& participant) const;
  [[nodiscard]] std::optional<Error> refuses(const std::string& participant) const;
  [[nodiscard]] const Budget& budget() const { return budget_; }
  void check_invariants() const;

 private:
  static constexpr std::size_t kStrangersMax = 1'000;  // warned about once each

  struct Driven {
    Driver driver;
    std::optional<MonoTime> timer;  // as it stands in timers_
  };
  using Drivers = std::map<TransactionId, Driven>;
  // Looks for commits that may be lost with a participant's history.
  struct Sweep {
    std::string participant;
    TransactionId after = {};  // all up to this one have been looked at
    bool of_kept = false;      // the second pass: of branches that are proven to be there
    std::set<TransactionId> driven = {};  // of these not all are known to have ended there
  };

  Turn begin(Now now) { return Turn{now, state_, options_, counters_, serials_}; }
  [[nodiscard]] CommitCaller caller_of(const Turn& turn, const CommitAsked& asked) const;

  void on(Turn& turn, const CommitAsked& asked);
  void on(Turn& turn, const AbortAsked& asked);
  void on(Turn& turn, const VoteArrived& arrived);
  void on(Turn& turn, const PrepareLost& lost);
  void on(Turn& turn, const DecisionExecuted& executed);
  void on(Turn& turn, const FinishArrived& arrived);
  void on(Turn& turn, const FinishLost& lost);
  void on(Turn& turn, const HeuristicLogged& logged);
  void on(Turn& turn, const SettleArrived& arrived);
  void on(Turn& turn, const SettleLost& lost);
  void on(Turn& turn, const InventoryArrived& arrived);
  void on(Turn& turn, const AgentUp& up);
  void on(Turn& turn, const ParticipantLeaves& leaves);
  void on(Turn& turn, const Tick& tick);

  void answer(Turn& turn, const CommitAsked& asked, const state::TransactionRecord& record);
  void answer(Turn& turn, const AbortAsked& asked, const state::TransactionRecord& record);
  void roll_back_unlisted(Turn& turn, const state::TransactionRecord& record,
                          std::vector<BranchId> branches);
  [[nodiscard]] std::optional<Error> refusal(const Turn& turn, const TransactionId& transaction,
                                             const std::vector<RequestedBranch>& branches) const;
  [[nodiscard]] std::optional<Error> not_taken(const std::vector<RequestedBranch>& branches) const;
  void weigh(Turn& turn, const InventoryArrived& arrived);
  void found(Turn& turn, const FoundBranch& one, MonoTime asked);
  [[nodiscard]] bool is_strangers(const FoundBranch& one) const;
  void leave_alone(Turn& turn, const BranchId& branch);
  [[nodiscard]] bool nobody_knows(const BranchId& branch) const;
  [[nodiscard]] std::vector<BranchId> drivable(const TransactionId& transaction,
                                               const std::vector<RequestedBranch>& branches) const;
  void leave_to_operator(Turn& turn, const FoundBranch& one);
  [[nodiscard]] bool is_before_break(const BranchId& branch) const;
  [[nodiscard]] bool of_another_life(const std::string& participant, Epoch life) const;

  void look_for_break(Turn& turn, const std::string& participant,
                      const state::ParticipantRecord& record);
  void sweep(Turn& turn);
  bool sweep_through(Turn& turn, Sweep& one, std::size_t& looked_at);
  bool drive_again(Turn& turn, const Sweep& one, const TransactionId& transaction);

  template <class Event>
  void bring(Turn& turn, const TransactionId& transaction, const Event& event);
  void drive(const TransactionId& transaction, Driver driver, Now now);
  void after_event(Drivers::iterator driven, Now now);
  void retire(Drivers::iterator driven, Now now);
  void set_timer(const TransactionId& transaction, Driven& driven, std::optional<MonoTime> due);
  [[nodiscard]] std::optional<MonoTime> forget_due() const;
  void maybe_forget(Turn& turn);

  const state::StateMachine& state_;
  const OfficeOptions options_;
  OfficeCounters counters_;
  std::uint64_t number_ = 0;  // of this office, in the log; 0 before it was taken
  Serials serials_{0};
  Drivers drivers_;
  std::set<std::pair<MonoTime, TransactionId>> timers_;  // one for each driver that waits for one
  FinishMemory finishes_;
  std::set<TransactionId> to_forget_;  // finished and not driven
  MonoTime to_forget_since_;           // when the first of them came
  std::optional<MonoTime> last_forget_;
  std::set<BranchId> strangers_;  // warned about already
  Budget budget_;
  std::set<std::string> leaving_;  // being removed
  std::map<std::string, Epoch>
      swept_;                 // `broken_below` of the last break that a sweep was begun for
  std::deque<Sweep> sweeps_;  // under way
  std::optional<MonoTime> sweep_due_;  // when it goes on
};

}  // namespace assent::commit
