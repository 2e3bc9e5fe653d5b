// A session: an open connection that was let in, with what names its backend.
#pragma once

#include <boost/asio/awaitable.hpp>
#include <cstdint>
#include <memory>
#include <string>

#include "base/error.h"
#include "participant/postgres/connection.h"
#include "participant/postgres/context.h"

namespace assent::postgres {

// One backend of the server for good: process ids are used again, start times with them are not.
struct Backend {
  int pid = 0;
  std::string started;  // as kBackendStarted writes it
};

// SQL for the start of a backend in pg_stat_activity, free of the session's DateStyle and TimeZone.
inline constexpr char kBackendStarted[] =
    "to_char(backend_start AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI:SS.US')";

struct Session {
  std::shared_ptr<Connection> connection;
  Backend backend;
  std::uint64_t system_identifier = 0;
  // A connection that was opened on a primary ends with it: the timeline stays true as long as the
  // connection lives.
  std::uint32_t timeline = 0;
  // True while the reset after its last use is not answered. Shared by all copies.
  std::shared_ptr<bool> resetting = std::make_shared<bool>(false);
  // What its last branch left in it has been taken away with the vote.
  bool clean = false;
};

// Opens a connection, and lets it in only when it leads, without a pooler between, to a primary
// of the database that was identified, whose history is still that of this life, and, once an epoch
// was claimed, when that epoch still stands (postgres.md, "The fence", 2). Reports that the life is
// over. Errors: kUnavailable, kInvalidArgument (a standby, a pooler), kIdentityMismatch,
// kDisplaced.
boost::asio::awaitable<Result<Session>> open_session(std::shared_ptr<Context> context,
                                                     Purpose purpose);

}  // namespace assent::postgres
