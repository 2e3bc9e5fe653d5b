// What became of a prepared branch whose gid is not there any more: settled by its evidence (R7),
// never by the absence alone.
#pragma once

#include <boost/asio/awaitable.hpp>
#include <memory>

#include "base/error.h"
#include "participant/branch/branch_table.h"
#include "participant/postgres/context.h"
#include "participant/postgres/control.h"
#include "participant/postgres/session.h"

namespace assent::postgres {

// How the gid was missed.
struct Gone {
  bool fenced = false;           // older lives were fenced before the gid was looked for
  bool of_another_role = false;  // the gid is there, and prepared by another role
};

// How a branch ended whose gid `finisher`'s server does not know as ours. kUnavailable: it cannot
// be told now.
boost::asio::awaitable<Result<branch::FinishResult>> settle_missing(
    std::shared_ptr<Context> context, std::shared_ptr<Control> control, Session finisher,
    branch::RunFinish operation, Gone gone);

}  // namespace assent::postgres
