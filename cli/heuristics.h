// Transactions with branches that ended otherwise than decided, in words and for machines; what the
// verbs about them share.
#pragma once

#include <nlohmann/json.hpp>
#include <string>

#include "wire/admin_types.h"

namespace assent::cli {

// Several lines: the transaction, and for each branch what happened and what is left to do.
std::string words(const wire::Heuristic& one);
nlohmann::json as_json(const wire::Heuristic& one);

// "COMMITTED", "ABORTED".
const char* word(wire::Outcome::type outcome);
// "db1/3.1": participant, epoch, attempt.
std::string branch_name(const wire::BranchId& branch);

}  // namespace assent::cli
