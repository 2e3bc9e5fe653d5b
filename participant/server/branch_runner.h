// Runs the agent's branches: feeds the PURE core of participant/branch, carries its operations out
// in the database, and answers whoever waits.
#pragma once

#include <functional>
#include <unordered_map>
#include <utility>
#include <variant>
#include <vector>

#include "participant/branch/branch_table.h"
#include "participant/postgres/database.h"
#include "runtime/deadline_timer.h"

namespace boost::asio {
class io_context;
}

namespace assent::participant {

class BranchRunner {
 public:
  template <class T>
  using Done = std::function<void(Result<T>)>;
  using Vote = std::variant<branch::Yes, branch::ReadOnly, branch::Committed, branch::No>;

  // The loop and the database outlive the runner.
  BranchRunner(boost::asio::io_context& loop, postgres::Database& database,
               branch::BranchTableOptions options, Ballot ballot);
  ~BranchRunner();

  // Tokens are filled in here; each `done` is called once, never from inside.
  void execute(branch::ExecuteAsked asked, Done<branch::ExecuteAnswer> done);
  void prepare(branch::PrepareAsked asked, Done<Vote> done);
  void finish(branch::FinishAsked asked, Done<branch::FinishResult> done);
  void settle(branch::SettleAsked asked, Done<branch::Settled> done);
  void cancel(branch::CancelAsked asked, Done<branch::Cancelled> done);

  // A leader has told whether new branches may begin.
  void admit(branch::AdmissionTold told) { feed(std::move(told)); }

  // What is prepared, and what of this life's is not any more though no finish of it was heard;
  // kStaleBallot when a higher ballot was seen.
  void inventory(Ballot ballot, Done<postgres::Inventory> done);

  [[nodiscard]] const branch::BranchTable& table() const { return table_; }

 private:
  using Waiter = std::variant<Done<branch::ExecuteAnswer>, Done<Vote>, Done<branch::FinishResult>,
                              Done<branch::Settled>, Done<branch::Cancelled>>;

  branch::Token wait_with(Waiter waiter);
  void feed(const branch::Input& input);
  void reply(branch::Reply reply);

  postgres::Database& database_;
  branch::BranchTable table_;
  DeadlineTimer tick_;
  std::unordered_map<branch::Token, Waiter> waiters_;
  branch::Token last_token_;
};

}  // namespace assent::participant
