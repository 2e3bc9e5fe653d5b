// What is prepared in the database under our names, and what of this life's is not any more.
#pragma once

#include <boost/asio/awaitable.hpp>
#include <memory>
#include <string>
#include <vector>

#include "base/error.h"
#include "participant/branch/branch_table.h"
#include "participant/postgres/context.h"
#include "participant/postgres/control.h"
#include "participant/postgres/database.h"
#include "participant/postgres/finishers.h"

namespace assent::postgres {

// The contract is that of Database::take_inventory. `expected` was taken before the call.
boost::asio::awaitable<Result<Inventory>> take_inventory(
    std::shared_ptr<Context> context, std::shared_ptr<Control> control,
    std::shared_ptr<Finishers> finishers, std::vector<branch::PreparedBranch> expected);

}  // namespace assent::postgres
