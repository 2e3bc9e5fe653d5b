// An office over a real state machine, with a log that the test executes when it wants to.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "coordinator/commit/office.h"
#include "coordinator/state/state_machine.h"

namespace assent::commit {

inline constexpr LogTime kLogStart{10'000'000};
inline constexpr MonoTime kMonoStart{50'000};
inline constexpr Millis kTimeout{1'000};

// Every method that feeds the office answers with its effects in words (words.h), and checks its
// invariants.
class Stage {
 public:
  // Participants a, b and c are enrolled; each is in epoch 1.
  explicit Stage(OfficeOptions options = {}, state::StateOptions state = {});

  // Try `attempt` of epoch 1 at `participant`, with two statements.
  static RequestedBranch branch(std::string participant, std::uint64_t attempt = 1);
  static RequestedBranch reader(std::string participant, std::uint64_t attempt = 1);
  // A whole branch of one statement.
  static RequestedBranch one_shot(std::string participant, std::string sql = "SELECT 1");
  static RequestedBranch one_shot_reader(std::string participant);
  static Evidence evidence(const std::string& participant);
  BranchId id(const TransactionId& transaction, const std::string& participant,
              std::uint64_t attempt = 1) const;
  TransactionId transaction(std::uint64_t number, LogTime time = kLogStart) const;

  std::string feed(const Input& input);
  // CommitAsked of `transaction()` number 1 at a and b, unless told otherwise, and the first one.
  std::string commit(std::uint64_t token, Acknowledge acknowledge = Acknowledge::kApplied,
                     std::vector<RequestedBranch> branches = {branch("a"), branch("b")},
                     Millis timeout = kTimeout);
  std::string commit(std::uint64_t token, std::vector<RequestedBranch> branches);
  // The same without the promise that it is the first.
  std::string repeat(std::uint64_t token, std::vector<RequestedBranch> branches);
  // The same with the promise made to that office.
  std::string promise(std::uint64_t token, std::vector<RequestedBranch> branches,
                      std::uint64_t office_number);
  // AbortAsked with the promise that commit was never asked for, and without it.
  std::string abort(std::uint64_t token, std::vector<RequestedBranch> branches = {});
  std::string abort_unsure(std::uint64_t token, std::vector<RequestedBranch> branches);
  // Votes of the attempt that was last sent to the participant.
  std::string read_only(const std::string& participant);
  std::string committed(const std::string& participant);
  std::string settled(const std::string& participant, bool committed);
  std::string prepare_lost(const std::string& participant);
  std::string prepare_unsent(const std::string& participant);
  // The participant's agent begins another life, which allows commits in one phase or not.
  void enrol(const std::string& participant, bool one_phase);
  // A new life of its agent, over a standby that was promoted, and has that landmark of the life
  // before. Branches have voted at WAL position 77.
  void restore(const std::string& participant, std::uint64_t landmark = 0);
  // The coordinator's own state was restored from a backup of now; who is named has enrolled since.
  void restore_coordinator(const std::vector<std::string>& enrolled);
  std::string yes(const std::string& participant);
  std::string no(const std::string& participant);
  std::string finished(const std::string& participant, FinishResult result = FinishResult::kDone);
  std::string inventory(const std::string& participant, std::vector<BranchId> prepared,
                        std::optional<MonoTime> asked = std::nullopt);
  // An inventory of one branch that was prepared, with this evidence, and is not any more.
  std::string ended(const BranchId& branch, const Evidence& evidence);

  // Executes all that is proposed, in one slot.
  std::string execute();
  // Executes what someone else proposed.
  state::CommandResult execute_other(state::Command command);
  [[nodiscard]] state::Enrolled life_of(const std::string& participant, bool one_phase);
  // Moves both clocks on, with a Tick at every deadline on the way.
  std::string pass(Millis time);
  // A new office over the same state: `executed` of the proposals reach the log, the rest is lost.
  std::string restart(std::size_t executed = 0);

  // T number 1 is committed and confirmed everywhere; it waits to be forgotten.
  // Token 1 commits, and the record is executed; nothing is confirmed.
  void commit_decided();
  void commit_and_finish();

  const TransactionId t = transaction(1);
  state::StateMachine state;
  std::unique_ptr<Office> office;
  std::vector<state::Command> proposed;  // not yet executed
  Now now{kMonoStart, kLogStart};

 private:
  std::string carry_out(Effects effects);
  BranchId last_sent(const std::string& participant) const;
  StatementResults results_of(const BranchId& branch) const;

  std::map<std::string, BranchId> sent_;  // the last prepare to each participant
  std::uint64_t lives_ = 0;
  std::uint64_t rounds_ = 0;
  OfficeOptions options_;
};

}  // namespace assent::commit
