// Statements and their results, between base/statement.h and the wire.
#pragma once

#include <vector>

#include "base/error.h"
#include "base/statement.h"
#include "wire/common_types.h"

namespace assent::rpc {

wire::Statement to_wire(const Statement& statement);
wire::StatementResult to_wire(const StatementResult& result);
wire::BranchMode to_wire(const BranchMode& mode);
wire::OneShot to_wire(const OneShotBranch& one_shot);
std::vector<wire::StatementResult> to_wire(const std::vector<StatementResult>& results);

// What comes from a client is checked; kInvalidArgument names the field.
Result<Statement> from_wire(const wire::Statement& statement);
Result<BranchMode> from_wire(const wire::BranchMode& mode);
// At most kOneShotStatementsMax statements; none is for the caller to judge.
Result<OneShotBranch> from_wire(const wire::OneShot& one_shot);

StatementResult from_wire(const wire::StatementResult& result);
StatementResults from_wire(const std::vector<wire::StatementResult>& results);

}  // namespace assent::rpc
