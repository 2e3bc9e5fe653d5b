// What a Transaction remembers between its calls. All but cancel() is for one thread at a time.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "assent/client.h"
#include "client/cpp/src/cancellation.h"
#include "client/cpp/src/core.h"
#include "wire/transaction_types.h"

namespace assent {

struct Transaction::State {
  // A branch from the first statement that was tried on its participant.
  struct Branch {
    std::string nonce;                         // opens it, once (R13)
    std::optional<wire::BranchRef> reference;  // its name; absent until the agent has told it
    bool maybe_open = false;         // without a reference: the answer that had it may be lost
    std::int32_t statements = 0;     // numbers used
    bool reads = true;               // as far as the answers to its statements tell
    std::optional<Error> sql_error;  // not mended by ROLLBACK TO SAVEPOINT
  };

  State(std::shared_ptr<ClientCore> core, const TransactionId& transaction);
  ~State();

  Result<Rows> execute(const std::string& participant, wire::Statement statement);
  void set_options(const std::string& participant, const BranchOptions& options);
  void cancel();
  CommitResult commit(const CommitOptions& options);
  CommitResult abort();

  // Whether the same work, in a new transaction, may end otherwise than with `result`: PostgreSQL
  // gave this one up for the sake of others.
  [[nodiscard]] bool may_succeed_again(const CommitResult& result) const;
  [[nodiscard]] const std::string& id() const { return id_; }
  [[nodiscard]] const ClientOptions& options() const { return core_->options(); }

 private:
  Branch& branch_of(const std::string& participant);
  [[nodiscard]] wire::ExecuteRequest statement_request(const std::string& participant,
                                                       const Branch& branch) const;
  [[nodiscard]] wire::CancelRequest cancel_request(const std::string& participant,
                                                   const Branch& branch) const;
  Result<Rows> take_answer(const std::string& participant, Branch& branch,
                           Result<wire::ExecuteReply> reply);
  Error remember_failure(Branch& branch, Error error);

  [[nodiscard]] std::optional<Error> first_failure() const;
  [[nodiscard]] bool reads(const std::string& participant, const Branch& branch) const;
  [[nodiscard]] std::vector<wire::CommitBranch> known_branches() const;
  [[nodiscard]] std::vector<wire::CancelRequest> lost_branches() const;
  [[nodiscard]] wire::CommitRequest commit_request(const CommitOptions& options) const;
  [[nodiscard]] wire::AbortRequest abort_request() const;
  [[nodiscard]] CommitResult known(CommitState state, std::optional<Error> reason = {}) const;
  CommitResult ask();
  CommitResult roll_back(std::optional<Error> reason);

  const std::shared_ptr<ClientCore> core_;
  const std::string id_;
  std::map<std::string, BranchOptions> options_;  // by participant, declared before its branch
  std::map<std::string, Branch> branches_;        // by participant
  std::optional<Error> failure_;                  // nothing mends it
  bool met_conflict_ = false;                     // a statement failed with 40001 or 40P01
  // As first sent: repeats are identical (R9) but for `first`, which the core keeps.
  std::optional<wire::CommitRequest> asked_;
  std::optional<CommitResult> result_;  // for ever
  client::Cancellation cancellation_;
};

}  // namespace assent
