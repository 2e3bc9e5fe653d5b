// Identifiers and evidence, between base/ids.h and the wire.
#pragma once

#include "base/error.h"
#include "base/ids.h"
#include "wire/common_types.h"
#include "wire/participant_types.h"

namespace assent::rpc {

wire::Ballot to_wire(const Ballot& ballot);
wire::BranchId to_wire(const BranchId& branch);
wire::Evidence to_wire(const Evidence& evidence);
wire::Outcome::type to_wire(Outcome outcome);
wire::FinishResult::type to_wire(FinishResult result);

// The other way round everything is checked; kInvalidArgument names the field.
Result<Ballot> from_wire(const wire::Ballot& ballot);
Result<BranchId> from_wire(const wire::BranchId& branch);
Evidence from_wire(const wire::Evidence& evidence);
Result<Outcome> from_wire(wire::Outcome::type outcome);
// A result that this version does not know is a hazard: nothing is settled by it.
FinishResult from_wire(wire::FinishResult::type result);

Result<TransactionId> transaction_from_wire(const std::string& text);
Result<std::string> participant_from_wire(const std::string& name);
// `what` names the field ("epoch"); the number must be 1 or more.
Result<std::uint64_t> positive_from_wire(std::int64_t number, const char* what);

}  // namespace assent::rpc
