// What a Transaction remembers between its calls.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>

#include "assent/client.h"
#include "client/cpp/src/core.h"
#include "wire/transaction_types.h"

namespace assent {

struct Transaction::State {
  // A branch from the first statement that was tried on its participant.
  struct Branch {
    std::string nonce;                         // opens it, once (R13)
    std::optional<wire::BranchRef> reference;  // its name; absent until the agent has told it
    std::int32_t statements = 0;               // numbers used
    std::optional<Error> sql_error;            // not mended by ROLLBACK TO SAVEPOINT
  };

  State(std::shared_ptr<ClientCore> core, const TransactionId& transaction);
  ~State();

  Result<Rows> execute(const std::string& participant, const std::string& sql,
                       const std::vector<Parameter>& parameters);
  CommitResult commit(const CommitOptions& options);
  CommitResult abort();

  [[nodiscard]] const std::string& id() const { return id_; }

 private:
  [[nodiscard]] wire::ExecuteRequest statement_request(const Branch& branch) const;
  Error remember_failure(Branch& branch, Error error);
  [[nodiscard]] std::optional<Error> first_failure() const;
  [[nodiscard]] std::vector<wire::CommitBranch> open_branches() const;
  [[nodiscard]] wire::CommitRequest commit_request(const CommitOptions& options) const;
  [[nodiscard]] wire::AbortRequest abort_request() const;
  [[nodiscard]] CommitResult known(CommitState state, std::optional<Error> reason = {}) const;
  CommitResult settle(client::Asked<wire::CommitReply> asked);
  CommitResult roll_back(std::optional<Error> reason);

  const std::shared_ptr<ClientCore> core_;
  const std::string id_;
  std::map<std::string, Branch> branches_;    // by participant
  std::optional<Error> failure_;              // nothing mends it
  std::optional<wire::CommitRequest> asked_;  // as first sent: repeats are identical (R9)
  bool maybe_done_ = false;                   // a commit request may have been acted upon
  std::optional<CommitResult> result_;        // for ever
};

}  // namespace assent
