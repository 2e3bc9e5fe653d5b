// What the agent learns about its database before it serves, and its epoch there.
#pragma once

#include <boost/asio/awaitable.hpp>
#include <memory>

#include "base/error.h"
#include "base/ids.h"
#include "participant/postgres/context.h"
#include "participant/postgres/control.h"
#include "participant/postgres/database.h"

namespace assent::postgres {

// The contracts are those of Database::identify, stored_epoch, claim_epoch and fence_older_lives.
boost::asio::awaitable<Result<Position>> identify(std::shared_ptr<Context> context,
                                                  std::shared_ptr<Control> control);
boost::asio::awaitable<Result<Epoch>> stored_epoch(std::shared_ptr<Control> control);
boost::asio::awaitable<Result<void>> claim_epoch(std::shared_ptr<Context> context,
                                                 std::shared_ptr<Control> control, Epoch previous,
                                                 Epoch mine);
boost::asio::awaitable<Result<void>> fence_older_lives(std::shared_ptr<Context> context,
                                                       std::shared_ptr<Control> control);

}  // namespace assent::postgres
