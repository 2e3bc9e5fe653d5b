// What became of a vote whose answer was lost: settled by the death of its backend (postgres.md,
// "The fence", 4). Nothing is concluded from a gid's absence alone.
#pragma once

#include <boost/asio/awaitable.hpp>
#include <functional>
#include <memory>

#include "base/error.h"
#include "base/ids.h"
#include "participant/postgres/context.h"
#include "participant/postgres/control.h"
#include "participant/postgres/session.h"

namespace assent::postgres {

// Whether a PREPARE without an answer took effect: the evidence, or kUnavailable: not prepared, and
// never will be. Ends `backend`, and goes on until the server can be asked, however long that
// takes.
boost::asio::awaitable<Result<Evidence>> settle_prepare(std::shared_ptr<Context> context,
                                                        std::shared_ptr<Control> control,
                                                        BranchId branch, Backend backend);

// Whether a COMMIT in one phase without an answer took effect: true, or false: not, and never will,
// for the abort row stands. Ends `backend` first, and goes on until the server can be asked.
boost::asio::awaitable<bool> settle_commit(std::shared_ptr<Context> context,
                                           std::shared_ptr<Control> control,
                                           std::shared_ptr<Control> settler,
                                           TransactionId transaction, Backend backend);

// Writes the abort row unless an outcome row stands, and says whether that one is a commit's; it is
// durable then. kUnavailable: it cannot be told now. kStaleBallot: `may_send`, asked immediately
// before the row is sent (R4), said no. It may wait for a commit that is under way, so `settler` is
// a connection of its own.
boost::asio::awaitable<Result<bool>> settle_outcome(std::shared_ptr<Context> context,
                                                    std::shared_ptr<Control> settler,
                                                    TransactionId transaction,
                                                    std::function<bool()> may_send);

}  // namespace assent::postgres
