// What a replica's configuration says about its log.
#pragma once

#include "coordinator/server/config.h"
#include "coordinator/server/group_log.h"

namespace assent::coordinator {

// Callbacks are left out. The loop outlives what is made with the options.
GroupLogOptions group_log_options(boost::asio::io_context& loop, const Config& config);

}  // namespace assent::coordinator
