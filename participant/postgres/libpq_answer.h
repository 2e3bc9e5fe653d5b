// What libpq read from the server, as an Answer.
#pragma once

#include <libpq-fe.h>

#include <memory>
#include <string>
#include <vector>

#include "participant/postgres/answer.h"

namespace assent::postgres {

struct FreeResult {
  void operator()(PGresult* result) const { PQclear(result); }
};
using ResultHandle = std::unique_ptr<PGresult, FreeResult>;

// Precondition: the result ends a command. `copied`: the command was COPY.
Answer to_answer(const PGresult* result, std::vector<std::string> warnings, bool copied);

}  // namespace assent::postgres
