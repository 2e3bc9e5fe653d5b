// The schema `assent` in the database, which the agent brings up to date itself.
#pragma once

#include <boost/asio/awaitable.hpp>
#include <memory>
#include <string_view>

#include "base/error.h"
#include "participant/postgres/context.h"
#include "participant/postgres/control.h"

namespace assent::postgres {

inline constexpr int kSchemaVersion = 5;

// participant/schema/schema.sql, as it was when this program was built.
extern const std::string_view kSchemaSql;

// Runs schema.sql when the schema is there and older than this program's. A schema that is missing
// is left to install.sql: making it takes rights that the agent does not have. Nothing is done to a
// newer one. kInvalidArgument when PostgreSQL refuses.
boost::asio::awaitable<Result<void>> upgrade_schema(std::shared_ptr<Context> context,
                                                    std::shared_ptr<Control> control);

}  // namespace assent::postgres
