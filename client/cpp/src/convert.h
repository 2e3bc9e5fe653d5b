// Between the public types and the wire's.
#pragma once

#include <string>
#include <vector>

#include "assent/client.h"
#include "wire/transaction_types.h"

namespace assent::client {

std::vector<wire::Value> to_wire(const std::vector<Parameter>& parameters);
wire::Acknowledge::type to_wire(Acknowledge acknowledge);

// The reason of an abort for which nobody gave another one.
Error aborted_without_reason();

// kInternal when a row has not as many values as there are columns.
Result<Rows> from_wire(wire::ExecuteReply reply);
CommitResult from_wire(const std::string& transaction, const wire::CommitReply& reply);
CommitResult from_wire(const std::string& transaction, const wire::AbortReply& reply);
CommitResult from_wire(const std::string& transaction, const wire::StatusReply& reply);

}  // namespace assent::client
