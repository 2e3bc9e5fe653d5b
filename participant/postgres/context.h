// What all parts of one Database share. One per Database; everything runs on the loop's thread.
#pragma once

#include <boost/asio/io_context.hpp>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "base/error.h"
#include "base/ids.h"
#include "participant/branch/branch_table.h"
#include "participant/postgres/connection.h"
#include "participant/postgres/database.h"

namespace assent::postgres {

// What a connection is for.
enum class Purpose {
  kControl,  // the agent's own queries, in the control role
  kWork,     // client SQL, in the work role
  kFinish,   // COMMIT PREPARED and ROLLBACK PREPARED, in the work role, which owns what they end
};

// One start of the server, and the WAL position from which it would have recovered just then.
struct ServerStart {
  std::string postmaster;  // as kPostmasterStarted writes it
  std::uint64_t checkpoint = 0;
};

// SQL for the start of the server, free of the session's DateStyle and TimeZone.
inline constexpr char kPostmasterStarted[] =
    "to_char(pg_postmaster_start_time() AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI:SS.US')";

struct Context : std::enable_shared_from_this<Context> {
  Context(boost::asio::io_context& event_loop, DatabaseOptions database_options,
          Connect opens_connections)
      : loop(event_loop),
        options(std::move(database_options)),
        connect(std::move(opens_connections)) {}

  // Hands an input to the branch table. Never called from inside Database::carry_out.
  void report(branch::Input input) const;
  // Calls `action` from the loop, unless the database is closed by then.
  void later(std::function<void()> action);
  // This life is over: another has claimed the database, or its history is not ours any more.
  void report_over(const Error& why);
  // The landmark of this life is to be moved on.
  void landmark_follows() const;
  // The server's WAL is durable up to there.
  void reached(std::uint64_t wal_position);
  // An older life's branch stands prepared in this life's history, as this transaction.
  void saw_prepared(const BranchId& branch, std::uint64_t xid);

  // Keeps account of a new connection.
  void remember(const std::shared_ptr<Connection>& connection);
  // The fence spares it from now on. `backend` names its backend for good, as own_backends() tells
  // it.
  void spare(const std::shared_ptr<Connection>& connection, std::string backend);
  // Closes every connection, one that is only being greeted as well: what waits on it would keep
  // it, and it what waits, for ever.
  void close_connections() const;
  // Backends of our open connections, as a PostgreSQL array literal.
  [[nodiscard]] std::string own_backends() const;

  [[nodiscard]] ConnectionOptions connection_options(Purpose purpose) const;

  boost::asio::io_context& loop;
  const DatabaseOptions options;
  const Connect connect;
  DatabaseCounters counters;
  std::optional<Position> position;  // where identify() found the database
  ServerStart started;               // of the server of our latest session
  std::uint64_t wal_reached = 0;     // durable at some time of this life
  std::uint64_t landmark = 0;        // WAL position in this life's landmark
  ServerStart found_started;         // of the server that identify() found
  std::optional<Epoch> epoch;        // once claimed
  std::string outcome_key;           // lets this life write outcome rows
  bool fenced = false;               // no backend of an older life is left
  // WAL position that was reached when the last of them was gone.
  std::optional<std::uint64_t> older_lives_until;
  // Xids of older lives' branches that this life has seen prepared.
  std::map<BranchId, std::uint64_t> seen;
  std::set<std::string> strangers;  // prepared under our names by others, and warned about
  bool closed = false;

  std::function<void(branch::Input)> sink;
  std::function<bool(Ballot)> may_send;
  std::function<void(Error)> over;
  std::function<void()> follow;  // a branch was prepared or has ended: the landmark follows
  std::function<void()> reconnected;

 private:
  struct Known {
    std::weak_ptr<Connection> connection;
    std::string backend;  // empty: not greeted yet
  };
  std::vector<Known> connections_;
};

}  // namespace assent::postgres
