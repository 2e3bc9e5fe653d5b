// Runs the leader's office: feeds the PURE core of coordinator/commit and carries its effects out,
// in their order: propose, then send, then reply.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <unordered_map>
#include <variant>
#include <vector>

#include "coordinator/commit/office.h"
#include "coordinator/server/admission.h"
#include "coordinator/server/agent_links.h"
#include "coordinator/state/replicated_log.h"
#include "runtime/deadline_timer.h"

namespace boost::asio {
class io_context;
}

namespace assent::coordinator {

class OfficeRunner {
 public:
  template <class T>
  using Done = std::function<void(Result<T>)>;

  // Precondition: the log's own OfficeTaken has been executed. Both references outlive the runner.
  // `one_shots_max` is of each participant (admission.h).
  OfficeRunner(boost::asio::io_context& loop, std::string cluster, state::ReplicatedLog& log,
               commit::OfficeOptions options, std::size_t one_shots_max);
  ~OfficeRunner();

  // Goes on with what an earlier office left, and follows every enrolled agent.
  void take_office();

  // The office was lost: whoever waits is answered OUTCOME_UNKNOWN (R3). Destroy the runner next.
  void lose_office();

  // The tokens of `asked` are filled in here. `done` is called once; never when the process ends
  // first.
  void commit(commit::CommitAsked asked, Done<commit::CommitAnswer> done);
  void abort(commit::AbortAsked asked, Done<commit::AbortAnswer> done);

  // An agent enrolled: this life is reached at this address from now on.
  void follow(const std::string& participant, const std::string& peer_address,
              const std::string& life);

  // An agent says that what is prepared at it can be ended from now on.
  void recovered(const std::string& participant) { links_.recovered(participant); }

  // An operator removes a participant, which must be owed nothing; `left`: the log has answered.
  void leaves(const std::string& participant);
  void left(const std::string& participant);

  // Branches there that are told their outcomes and have not confirmed. Cost: linear.
  [[nodiscard]] std::vector<BranchId> unconfirmed(const std::string& participant) const;
  // An operator has given these up, with their participant: nobody will ever tell how they ended.
  void abandon(const std::vector<BranchId>& branches);

  [[nodiscard]] const commit::Office& office() const { return office_; }
  // A connection to its agent stands.
  [[nodiscard]] bool reaches(const std::string& participant) const {
    return links_.connected(participant);
  }

 private:
  using Waiter = std::variant<Done<commit::CommitAnswer>, Done<commit::AbortAnswer>>;

  [[nodiscard]] std::optional<Error> objection(const commit::CommitAsked& asked);
  void feed(const commit::Input& input);
  void carry_out(commit::Effects effects);
  void propose(state::Command command);
  void reply(commit::Reply reply);
  void ask_inventories();
  [[nodiscard]] commit::Now now() const;

  state::ReplicatedLog& log_;
  commit::Office office_;
  Admission admission_;
  AgentLinks links_;
  DeadlineTimer tick_;       // of the office
  DeadlineTimer inventory_;  // of the next round of inventories
  std::unordered_map<commit::Token, Waiter> waiters_;
  commit::Token last_token_;
};

}  // namespace assent::coordinator
