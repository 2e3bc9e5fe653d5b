// Between the public types and the wire's.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "assent/client.h"
#include "wire/transaction_types.h"

namespace assent::client {

// `timeout_ms`: PostgreSQL cancels the statement then.
wire::Statement to_wire(const std::string& sql, const std::vector<Parameter>& parameters,
                        std::optional<std::int64_t> expected_rows, std::int32_t timeout_ms);
// nullopt when all is left to the database.
std::optional<wire::BranchMode> to_wire(const BranchOptions& options);
wire::Acknowledge::type to_wire(Acknowledge acknowledge);

// The reason of an abort for which nobody gave another one.
Error aborted_without_reason();

// kInternal when a row has not as many values as there are columns.
Result<Rows> from_wire(wire::StatementResult result);
// `rows` are those of the reply, one branch after the other; results_unavailable, too, when they
// cannot be read.
CommitResult from_wire(const std::string& transaction, wire::CommitReply reply);
// Where `asked` stands after an answer. The final refusal of a request whose `first` is still true
// proves that nothing was done, and is an abort; any other failure proves nothing.
CommitResult conclude(const wire::CommitRequest& asked, Result<wire::CommitReply> answer);
CommitResult from_wire(const std::string& transaction, const wire::AbortReply& reply);
CommitResult from_wire(const std::string& transaction, const wire::StatusReply& reply);

}  // namespace assent::client
