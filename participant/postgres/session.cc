#include "participant/postgres/session.h"

#include <chrono>
#include <utility>

#include "base/buggify.h"
#include "base/canary.h"
#include "participant/postgres/awaiting.h"

namespace assent::postgres {
namespace {

constexpr std::chrono::milliseconds kPauseMax(300);

struct Hello {
  Session session;
  bool standby = false;
  ServerStart start;           // with the checkpoint of now
  std::uint64_t flushed = 0;   // WAL position
  std::uint64_t landmark = 0;  // WAL position of this life's; 0: there is none
  std::uint64_t written = 0;   // what it was at least when the greeting was sent
  std::optional<Epoch> epoch;
};

// The schema may be missing before an epoch was claimed, so what is in it is asked for only after.
Command hello_command(std::optional<Epoch> epoch) {
  const std::string of_this_life =
      epoch ? "(SELECT wal_position FROM assent.landmark WHERE epoch = $1::bigint),"
              " (SELECT epoch FROM assent.epoch)"
            : "NULL, NULL";
  return {
      std::string("SELECT pid, ") + kBackendStarted +
          ", pg_is_in_recovery(), (pg_control_system()).system_identifier,"
          " CASE WHEN NOT pg_is_in_recovery() THEN pg_walfile_name(pg_current_wal_lsn()) END, " +
          kPostmasterStarted +
          ", (pg_control_checkpoint()).redo_lsn,"
          " CASE WHEN NOT pg_is_in_recovery() THEN pg_current_wal_flush_lsn() END, " +
          of_this_life + " FROM pg_stat_activity WHERE pid = pg_backend_pid()",
      epoch ? std::vector<Value>{to_string(*epoch)} : std::vector<Value>{}};
}

// COMMIT PREPARED and ROLLBACK PREPARED are confirmed as durable, on the synchronous standby as
// well, whatever the work role's default is. Client SQL never gets here.
constexpr char kDurableFinish[] =
    "SELECT set_config('synchronous_commit', CASE current_setting('synchronous_commit')"
    " WHEN 'remote_apply' THEN 'remote_apply' ELSE 'on' END, false)";

Hello read_hello(const std::shared_ptr<Connection>& connection, const std::vector<Value>& row) {
  Hello hello;
  hello.session.connection = connection;
  hello.session.backend = {static_cast<int>(to_u64(row[0])), row[1].value_or("")};
  hello.standby = row[2] == "t";
  hello.session.system_identifier = to_bits(row[3]);
  if (row[4]) hello.session.timeline = timeline_of_wal_file(*row[4]);
  hello.start = {row[5].value_or(""), parse_lsn(row[6].value())};
  if (row[7]) hello.flushed = parse_lsn(*row[7]);
  if (row[8]) hello.landmark = parse_lsn(*row[8]);
  if (row[9]) hello.epoch = Epoch(to_u64(row[9]));
  return hello;
}

Error displaced(const Context& context, Epoch stored) {
  return {ErrorCode::kDisplaced, "epoch " + to_string(stored) +
                                     " is in the database, above ours, " +
                                     to_string(*context.epoch) + ": a newer agent of participant " +
                                     context.options.participant + " serves"};
}

// A pooler would give our session to others between two statements, with its locks and settings,
// and leave backends of which the fence knows nothing.
std::optional<Error> refuse_server(const Context& context, const Hello& hello) {
  const std::string& database = context.options.database;
  if (hello.session.backend.pid != hello.session.connection->backend_pid()) {
    return Error{ErrorCode::kInvalidArgument,
                 "a connection pooler answers for database " + database +
                     ": name the socket directory or host of PostgreSQL itself"};
  }
  if (hello.standby) {
    return Error{ErrorCode::kInvalidArgument,
                 "the server of database " + database + " is a standby: name the primary"};
  }
  return std::nullopt;
}

std::optional<Error> refuse_epoch(const Context& context, const Hello& hello) {
  if (!context.epoch || hello.epoch == context.epoch) return std::nullopt;
  const Epoch stored = hello.epoch.value_or(Epoch());
  if (stored > *context.epoch) return displaced(context, stored);
  return Error{ErrorCode::kIdentityMismatch, "the epoch in the database went back to " +
                                                 to_string(stored) + " from " +
                                                 to_string(*context.epoch) + ": database " +
                                                 context.options.database + " lost data"};
}

// A life ends with its database's history: what it has prepared and heard is of that one.
// 1. A promoted standby is on another timeline than the server that identify() found.
// 2. Old data on the same timeline can answer only after the server was started with it. A start
//    ends with a checkpoint at the end of the WAL that it found, before it takes connections. That
//    is behind all that ever was durable here, unless the data are old.
// 3. The next checkpoints are further on and would hide it. So it is the first session after a
//    start that sees it; the control connection is opened again at once when it was lost.
// 4. Old data from before this life's latest landmark show an older one, however much later it is.
std::optional<Error> refuse_history(const Context& context, const Hello& hello) {
  if (!context.position) return std::nullopt;
  const std::string& database = context.options.database;
  const std::uint64_t found = hello.session.system_identifier;
  if (context.position->system_identifier != found) {
    return Error{ErrorCode::kIdentityMismatch,
                 "another server answers: its system identifier is " + std::to_string(found) +
                     ", not " + std::to_string(context.position->system_identifier)};
  }
  const bool moved = hello.session.timeline != context.position->timeline;
  if (moved && !canary(Canary::kSessionIgnoresTimeline)) {
    return Error{ErrorCode::kIdentityMismatch,
                 "database " + database + " is on timeline " +
                     std::to_string(hello.session.timeline) + ", and was on " +
                     std::to_string(context.position->timeline) +
                     " when this life began: a standby was promoted, or a backup restored"};
  }
  const bool started = hello.start.postmaster != context.started.postmaster;
  if (started && hello.start.checkpoint < context.wal_reached) {
    return Error{ErrorCode::kIdentityMismatch,
                 "the server of database " + database + " was started with WAL up to " +
                     std::to_string(hello.start.checkpoint) + ", and had it up to " +
                     std::to_string(context.wal_reached) + ": old data were restored"};
  }
  if (hello.landmark < hello.written) {
    return Error{ErrorCode::kIdentityMismatch, "the landmark of this life went back to " +
                                                   std::to_string(hello.landmark) + " from " +
                                                   std::to_string(hello.written) + ": database " +
                                                   database + " lost data"};
  }
  return std::nullopt;
}

constexpr std::string_view kNoPrivilege = "42501";

// Somebody has revoked what everybody may by default, pg_control_checkpoint() for example.
Error greeting_failed(const Context& context, Purpose purpose, const Answer& failed) {
  Error why = to_error(failed);
  if (failed.sqlstate() != kNoPrivilege) return why;
  why.code = ErrorCode::kInvalidArgument;
  why.message += ": role " + context.connection_options(purpose).user +
                 " needs the rights that participant/schema/install.sql grants";
  return why;
}

// Why the session must not be used, if so.
std::optional<Error> refusal(const Context& context, const Hello& hello) {
  if (auto why = refuse_server(context, hello)) return why;
  if (auto why = refuse_epoch(context, hello)) return why;
  return refuse_history(context, hello);
}

void let_in(Context& context, const Hello& hello) {
  const Backend& backend = hello.session.backend;
  context.spare(hello.session.connection, std::to_string(backend.pid) + ' ' + backend.started);
  context.reached(hello.flushed);
  if (hello.start.postmaster == context.started.postmaster) return;
  context.started = hello.start;
  context.landmark_follows();
}

asio::awaitable<Result<std::shared_ptr<Connection>>> connect(Context& context, Purpose purpose) {
  using Opened = Result<std::shared_ptr<Connection>>;
  return called_back<Opened>([&context, purpose](std::function<void(Opened)> done) {
    context.connect(context.loop, context.connection_options(purpose), std::move(done));
  });
}

}  // namespace

asio::awaitable<Result<Session>> open_session(std::shared_ptr<Context> context, Purpose purpose) {
  auto connection = co_await connect(*context, purpose);
  if (!connection) co_return tl::unexpected(connection.error());
  if (context->closed) co_return failure(ErrorCode::kUnavailable, "closed");
  context->remember(*connection);
  // Our landmark may move on before the answer is here, which then tells an older one.
  const std::uint64_t landmark = context->landmark;
  Batch batch{hello_command(context->epoch)};
  if (purpose == Purpose::kFinish) batch.push_back({kDurableFinish});
  auto answers = co_await run(**connection, std::move(batch));
  if (!answers) co_return tl::unexpected(answers.error());
  if (buggify(Point::kLateGreeting)) co_await pause(context->loop, kPauseMax);
  if (const Answer* failed = first_failed(*answers)) {
    co_return tl::unexpected(greeting_failed(*context, purpose, *failed));
  }
  if (!(*connection)->is_open()) {
    co_return failure(ErrorCode::kUnavailable, "the connection was lost while it was greeted");
  }
  Hello hello = read_hello(*connection, to_result(answers->front()).rows.at(0));
  hello.written = canary(Canary::kLandmarkReadLate) ? context->landmark : landmark;
  const std::optional<Error> why = refusal(*context, hello);
  if (!why) {
    let_in(*context, hello);
    co_return hello.session;
  }
  const bool over = why->code == ErrorCode::kDisplaced || why->code == ErrorCode::kIdentityMismatch;
  if (over) context->report_over(*why);
  co_return tl::unexpected(*why);
}

}  // namespace assent::postgres
