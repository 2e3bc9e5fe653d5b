// What an agent needs of its server and its database, checked one by one, each with its remedy.
// docs/operations.md lists the checks.
#pragma once

#include <boost/asio/awaitable.hpp>
#include <memory>
#include <optional>
#include <vector>

#include "base/error.h"
#include "base/finding.h"

namespace assent::postgres {

struct Context;
class Control;

// Makes every check in order. Those that an earlier failure makes impossible are left out. A server
// that cannot be asked is a failure as well.
boost::asio::awaitable<std::vector<Finding>> preflight(std::shared_ptr<Context> context,
                                                       std::shared_ptr<Control> control);

// The first failure as an error, with what was found and the remedy; none when there is no failure.
std::optional<Error> first_failure(const std::vector<Finding>& findings);

}  // namespace assent::postgres
