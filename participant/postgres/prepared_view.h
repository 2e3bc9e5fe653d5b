// What operators are shown of a database: everything that is prepared in its server, the locks that
// it holds and who waits for them; what it has of one transaction. Reads only.
#pragma once

#include <boost/asio/awaitable.hpp>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/error.h"
#include "base/gid.h"
#include "base/ids.h"
#include "base/time.h"

namespace assent::postgres {

struct Context;
class Control;

enum class Belonging : std::uint8_t {
  kOurs = 1,  // a name of this participant, of its work role, in its database
  kStranger,  // a name of this participant, and somebody else's
  kForeign,   // another name
};

struct HeldLock {
  std::string object;
  std::string mode;
  std::int64_t count = 0;
};

// Waits for the prepared transaction, or for somebody who does.
struct LockWaiter {
  int pid = 0;
  std::string user;
  std::string application;
  std::optional<Millis> waiting;  // none before PostgreSQL 14
  std::string object;
  std::string mode;
};

struct PreparedTransaction {
  std::string gid;
  std::string owner;
  std::string database;
  std::uint32_t xid = 0;
  Millis age;
  std::int64_t xid_age = 0;  // transactions that have begun since
  Belonging belonging = Belonging::kForeign;
  std::optional<Gid> parsed;  // none: not a name of our form
  std::vector<HeldLock> locks;
  std::vector<LockWaiter> waiters;
};

struct PreparedView {
  std::string database;
  std::int64_t slots_used = 0;  // of the whole server
  std::int64_t slots_max = 0;
  std::int64_t horizon_age = 0;  // transactions since the oldest that anyone may still see
  std::int64_t connections = 0;  // of the agent's roles to the server
  std::vector<PreparedTransaction> transactions;  // the oldest first, at most kPreparedShownMax
};

inline constexpr int kPreparedShownMax = 1'000;

// A row of assent.outcome.
struct OutcomeRow {
  bool committed = false;
  std::int64_t decided_at_ms = 0;  // Unix time, by the database's clock
};

struct TraceView {
  std::vector<PreparedTransaction> prepared;  // under any gid that names the transaction
  std::optional<OutcomeRow> outcome;
  std::vector<std::string> branch_outcomes;  // "epoch.attempt" of those that committed
};

boost::asio::awaitable<Result<PreparedView>> look_at_prepared(std::shared_ptr<Context> context,
                                                              std::shared_ptr<Control> control);

boost::asio::awaitable<Result<TraceView>> trace_transaction(std::shared_ptr<Context> context,
                                                            std::shared_ptr<Control> control,
                                                            TransactionId transaction);

}  // namespace assent::postgres
