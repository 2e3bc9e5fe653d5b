// The inside of BranchTable. Each `on` is one row of the state × event table and visits every
// state; execute.cc, vote.cc, one_shot.cc, finish.cc, settle.cc and cancel.cc hold the rows of one
// concern each.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <utility>

#include "participant/branch/branch.h"
#include "participant/branch/branch_memory.h"
#include "participant/branch/branch_table.h"
#include "participant/branch/serial_memory.h"

namespace assent::branch {

class BranchTable::Core {
 public:
  Core(BranchTableOptions options, Ballot ballot);

  Effects step(MonoTime now, const Input& input);

  [[nodiscard]] const BranchMemory& memory() const { return memory_; }
  [[nodiscard]] const std::set<TransactionId>& prepared() const { return prepared_; }
  [[nodiscard]] std::size_t remembered() const { return serials_.size() + settles_.size(); }
  [[nodiscard]] Ballot ballot() const { return ballot_; }
  void observe(Ballot ballot);
  [[nodiscard]] const std::optional<Error>& refuses() const { return admission_.refuses; }
  [[nodiscard]] const BranchCounters& counters() const { return counters_; }
  void check_invariants() const;

 private:
  void check_runs() const;

  // ── execute.cc ────────────────────────────────────────────────────────────────────────────────
  void on(const AdmissionTold& told);
  void on(const ExecuteAsked& asked);
  void on(const ConnectionGranted& granted);
  void on(const ConnectionRefused& refused);
  void on(const StatementDone& done);
  void on(const ConnectionLost& lost);

  void execute(const ExecuteAsked& asked, const Opening& opening);
  void execute(const ExecuteAsked& asked, const BranchRef& named);
  void open(const ExecuteAsked& asked, const Opening& opening);
  void place(Branch& branch, const ExecuteAsked& asked);
  void run_next(Branch& branch, const ExecuteAsked& asked);
  bool record(Branch& branch, const StatementDone& done);
  [[nodiscard]] StatementAnswer judged(const Branch& branch, const StatementDone& done) const;
  void reply(Token token, const Branch& branch, const StatementAnswer& answer);
  void fail_statements(Branch& branch, const Error& why);
  void connection_lost(Branch& branch, const Error& why);
  // Why this SQL is not for a branch; none when it is.
  [[nodiscard]] std::optional<Error> unfit(const std::string& sql) const;

  // ── vote.cc ───────────────────────────────────────────────────────────────────────────────────
  void on(const PrepareAsked& asked);
  void on(const PrepareDone& done);

  void vote_open(Branch& branch, const PrepareAsked& asked);
  void vote_now(Branch& branch, Callers callers);
  void drained(Branch& branch);
  bool same_request(const Branch& branch, const PrepareAsked& asked);
  void vote_again(const Branch& branch, const PrepareAsked& asked);
  void vote_without_branch(const PrepareAsked& asked);
  [[nodiscard]] Error unknown_error(const BranchId& id) const;
  void vote_no_without_branch(Token token, const Error& reason);
  void vote_no(Branch& branch, Token token, const Error& reason);
  void vote_no(Branch& branch, const Callers& callers, const Error& reason);
  void reply_vote(Token token, const Vote& vote);
  void succeeded(Branch& branch, const PrepareDone& done);
  void prepared_in_vain(Branch& branch, const PreparedInVain& in_vain);
  void prepared(Branch& branch, const Evidence& evidence, Vote vote);
  void ended_by_vote(Branch& branch, Fate fate, const Vote& vote, std::string because);
  void not_prepared(Branch& branch, const Error& why);
  void prepare_not_sent(Branch& branch, const Error& why);

  // ── one_shot.cc ───────────────────────────────────────────────────────────────────────────────
  void open_one_shot(const PrepareAsked& asked);
  void refuse_one_shot(const PrepareAsked& asked, const Error& why);
  [[nodiscard]] std::optional<Error> unfit(const PrepareAsked& asked) const;
  [[nodiscard]] std::optional<Error> unfit(const OneShotBranch& work) const;
  void start_one_shot(Branch& branch);
  void one_shot_not_begun(Branch& branch, const Preparing& preparing);
  void end_before_begin(Branch& branch);

  // ── finish.cc ─────────────────────────────────────────────────────────────────────────────────
  void on(const FinishAsked& asked);
  void on(const FinishDone& done);
  void on(const RollbackDone& done);

  void finish_without_branch(const FinishAsked& asked);
  void finish(Branch& branch, const Evidence& evidence, Outcome outcome, Callers callers);
  void join_finish(FinishRun& run, const FinishAsked& asked);
  void refuse_commit(const BranchId& id, std::string_view state, Token token);
  enum class Progress : std::uint8_t { kFinished, kSentAgain, kGivenUp };
  Progress conclude(FinishRun& run, const FinishDone& done);
  void rolled_back(Branch& branch);
  void cancel_prepare(const Branch& branch, Preparing& preparing);

  // ── settle.cc ─────────────────────────────────────────────────────────────────────────────────
  // A transaction to settle. RunSettle waits for the end of its live branch, so that the abort row
  // finds either the branch's commit or nothing.
  struct Settling {
    Callers callers;
    Callers voters;              // wait for the vote of a branch that is not in memory
    std::optional<Ballot> sent;  // under which RunSettle is on its way
  };
  using SettleMap = std::map<TransactionId, Settling>;

  void on(const SettleAsked& asked);
  void on(const SettleDone& done);

  void vote_by_row(const PrepareAsked& asked);
  void settle(const TransactionId& transaction, const Caller& caller, Callers Settling::*asking);
  void start_settle(SettleMap::iterator settle);
  void send_settle(SettleMap::iterator settle, const Error& stale);
  // To be called when the transaction's branch has been prepared or has ended.
  void resume_settle(const Branch& branch);
  void settled(SettleMap::iterator settle, bool committed);

  // ── cancel.cc ─────────────────────────────────────────────────────────────────────────────────
  void on(const CancelAsked& asked);
  [[nodiscard]] static bool is_named(const Branch& branch, const CancelAsked& asked);

  // ── core.cc ───────────────────────────────────────────────────────────────────────────────────
  void on(const Tick& tick);

  // The only ways into each state but the first. They assert that the move is legal.
  void become_open(Branch& branch);
  void become_rolling_back(Branch& branch, RollingBack state, std::string because);
  void become_draining(Branch& branch, Callers callers);
  void become_preparing(Branch& branch, Callers callers, OneShotWork work = nullptr);
  void become_prepared(Branch& branch, const Evidence& evidence);
  void become_finishing(Branch& branch, FinishRun run);
  void become_ended(Branch& branch, Fate fate);

  [[nodiscard]] bool never_issued(const BranchId& id) const;
  // Remembers an attempt of this life that was never issued as ended. It never is issued, not even
  // when that is forgotten.
  void bury(const BranchId& id, std::string because);
  void release(Branch& branch);
  void count_end(Outcome asked, FinishResult result);

  // Why a request of the coordinator cannot be looked at; none when it can. Learns its ballot.
  std::optional<Error> inadmissible(Ballot ballot, const BranchId& id);
  std::optional<Error> inadmissible(Ballot ballot);
  [[nodiscard]] Error stale_error() const;
  // Takes out the callers who asked under a ballot that is stale by now and tells them.
  void refuse_stale(Callers& callers, const Error& why);

  [[nodiscard]] Error error(ErrorCode code, std::string message) const;
  [[nodiscard]] Error ended_error(const Branch& branch) const;
  // The shell's error, with what the table knows better: participant and statement number.
  [[nodiscard]] Error completed(Error why, std::uint32_t statement_number = 0) const;
  void refuse(Token token, ErrorCode code, std::string message);
  void reply(Token token, decltype(Reply::answer) answer);
  void run(Operation operation);

  BranchTableOptions options_;
  Ballot ballot_;            // the highest seen
  AdmissionTold admission_;  // of the highest ballot that has told
  MonoTime now_;
  Attempt last_attempt_;  // issued here in this life; 0 before the first
  SerialMemory serials_;  // issued by the leader
  BranchMemory memory_;
  std::set<TransactionId> prepared_;  // whose branch is Prepared
  // Finishes of branches that are not in memory: of older lives, or forgotten.
  std::map<BranchId, FinishRun> finishing_;
  SettleMap settles_;
  BranchCounters counters_;
  Effects effects_;  // of the step that is running
};

// Ends the process: the shell reported what no operation of this branch can lead to.
[[noreturn]] void impossible(const Branch& branch, std::string_view event);

Ballot highest(const Callers& callers);  // precondition: there is one

// Takes out those who wait for the vote of a branch that was not sent PREPARE.
Callers take_voters(State& state);

}  // namespace assent::branch
