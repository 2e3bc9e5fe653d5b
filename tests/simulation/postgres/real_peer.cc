#include <poll.h>

#include <chrono>
#include <sstream>
#include <stdexcept>
#include <thread>

#include "participant/postgres/libpq_answer.h"
#include "tests/simulation/postgres/peers.h"

namespace assent::model {
namespace {

using namespace std::chrono_literals;

constexpr auto kDeadline = 5s;
constexpr auto kPause = 500us;
constexpr auto kPatience = std::chrono::seconds(30);

constexpr char kContent[] =
    "SELECT coalesce(string_agg(line, '' ORDER BY kind, line COLLATE \"C\"), '') FROM ("
    " SELECT 1, format(E'prepared %s of %s in %s\\n', gid, owner, database) FROM pg_prepared_xacts"
    " UNION ALL SELECT 2, format(E'account %s=%s\\n', id, balance) FROM account"
    " UNION ALL SELECT 3, format(E'entry %s=%s\\n', id, amount) FROM entry"
    " UNION ALL SELECT 4, format(E'child %s\\n', id) FROM child"
    " UNION ALL SELECT 5, format(E'outcome %s=%s\\n', transaction, committed) FROM assent.outcome"
    " UNION ALL SELECT 6, format(E'branch %s\\n', branch) FROM assent.branch_outcome"
    " UNION ALL SELECT 7, format(E'dropped %s\\n', dropped) FROM assent.branch_outcome_floor"
    ") AS lines (kind, line)";

TransactionStatus status_of(const PGconn* connection) {
  switch (PQtransactionStatus(connection)) {
    case PQTRANS_INTRANS:
      return TransactionStatus::kOpen;
    case PQTRANS_INERROR:
      return TransactionStatus::kFailed;
    default:
      return TransactionStatus::kIdle;
  }
}

void keep_warning(void* warnings, const PGresult* notice) {
  const char* severity = PQresultErrorField(notice, PG_DIAG_SEVERITY_NONLOCALIZED);
  if (severity == nullptr || std::string(severity) != "WARNING") return;
  static_cast<std::vector<std::string>*>(warnings)->emplace_back(
      PQresultErrorField(notice, PG_DIAG_MESSAGE_PRIMARY));
}

// Looks again and again, for a while.
template <class Condition>
void wait_for(const char* what, Condition condition) {
  const auto deadline = std::chrono::steady_clock::now() + kPatience;
  while (!condition()) {
    if (std::chrono::steady_clock::now() > deadline) {
      throw std::runtime_error(std::string("waited in vain for ") + what);
    }
    std::this_thread::sleep_for(kPause);
  }
}

}  // namespace

RealPeer::RealPeer(testing::PostgresServer& server)
    : server_(server), admin_(std::make_unique<testing::Admin>(server.admin("orders"))) {}

void RealPeer::reset() {
  for (const auto& [session, connection] : connections_) {
    admin_->query("SELECT pg_terminate_backend(" + std::to_string(connection.pid) + ")");
    await_end(connection.pid);
  }
  connections_.clear();
  for (const auto& row : admin_->query("SELECT gid FROM pg_prepared_xacts")) {
    admin_->query("ROLLBACK PREPARED '" + row.at(0).value() + "'");
  }
  admin_->query(kNewBank);
}

RealPeer::Connection& RealPeer::open(int session) {
  Connection& connection = connections_[session];
  if (connection.handle && PQstatus(connection.handle.get()) == CONNECTION_OK) return connection;
  const Login& login = script_logins().at(static_cast<std::size_t>(session - 1));
  const std::string where =
      "host=" + server_.socket_directory() + " dbname=orders user=" + login.role +
      " application_name=" + login.application_name + " options='" + login.settings + "'";
  connection.handle.reset(PQconnectdb(where.c_str()));
  PGconn* handle = connection.handle.get();
  if (PQstatus(handle) != CONNECTION_OK) throw std::runtime_error(PQerrorMessage(handle));
  PQsetNoticeReceiver(handle, keep_warning, &connection.warnings);
  if (PQenterPipelineMode(handle) != 1) throw std::runtime_error("no pipeline mode");
  connection.pid = PQbackendPID(handle);
  return connection;
}

void RealPeer::send(int session, const postgres::Batch& batch) {
  Connection& connection = open(session);
  connection.commands = batch.size();
  connection.warnings.clear();
  for (const auto& command : batch) {
    PQsendQueryParams(connection.handle.get(), command.sql.c_str(), 0, nullptr, nullptr, nullptr,
                      nullptr, 0);
  }
  PQpipelineSync(connection.handle.get());
  PQflush(connection.handle.get());
}

bool RealPeer::readable(Connection& connection, int timeout_ms) {
  pollfd socket{PQsocket(connection.handle.get()), POLLIN, 0};
  return poll(&socket, 1, timeout_ms) > 0;
}

// A failure at the Sync, of a transaction without BEGIN, stands for the last command's.
std::optional<Heard> RealPeer::await(int session) {
  Connection& connection = connections_.at(session);
  PGconn* handle = connection.handle.get();
  Heard heard;
  const auto deadline = std::chrono::steady_clock::now() + kDeadline;
  for (;;) {
    while (PQisBusy(handle) != 0) {
      if (std::chrono::steady_clock::now() > deadline) return std::nullopt;
      if (readable(connection, 100) && PQconsumeInput(handle) != 1) return std::nullopt;
    }
    const postgres::ResultHandle result(PQgetResult(handle));
    if (!result) {
      if (PQstatus(handle) != CONNECTION_OK) return std::nullopt;
      continue;
    }
    if (PQstatus(handle) != CONNECTION_OK) return std::nullopt;
    if (PQresultStatus(result.get()) == PGRES_PIPELINE_SYNC) break;
    auto answer = postgres::to_answer(result.get(), std::exchange(connection.warnings, {}), false);
    if (heard.answers.size() == connection.commands) heard.answers.pop_back();
    heard.answers.push_back(std::move(answer));
  }
  for (auto& warning : std::exchange(connection.warnings, {})) {
    heard.answers.back().warnings.push_back(std::move(warning));
  }
  heard.status = status_of(handle);
  return heard;
}

int RealPeer::session_of(int pid) const {
  for (const auto& [session, connection] : connections_) {
    if (connection.pid == pid) return session;
  }
  return 0;
}

// A warning sends what was answered before it, so something to read is not the whole answer yet.
bool RealPeer::answered(int session) {
  Connection& connection = connections_.at(session);
  const std::string at_work =
      "SELECT count(*) FROM pg_stat_activity WHERE state = 'active' AND pid = " +
      std::to_string(connection.pid);
  return readable(connection, 0) && admin_->value(at_work) == "0";
}

std::set<int> RealPeer::await_blockers(int session) {
  const std::string pid = std::to_string(connections_.at(session).pid);
  const std::string sql = "SELECT unnest(pg_blocking_pids(" + pid +
                          ")) UNION ALL SELECT -1 FROM pg_stat_activity WHERE pid = " + pid +
                          " AND wait_event = 'SyncRep'";
  const auto deadline = std::chrono::steady_clock::now() + kDeadline;
  std::set<int> found;
  while (found.empty() && !answered(session) && std::chrono::steady_clock::now() < deadline) {
    for (const auto& row : admin_->query(sql)) {
      const int blocker = std::stoi(row.at(0).value());
      found.insert(blocker == kStandby ? kStandby : session_of(blocker));
    }
  }
  return found;
}

void RealPeer::await_end(int pid) {
  const std::string sql =
      "SELECT count(*) FROM pg_stat_activity WHERE pid = " + std::to_string(pid);
  wait_for("the end of a backend", [&] { return admin_->value(sql) == "0"; });
}

void RealPeer::terminate(int session) {
  Connection& connection = open(session);
  const int pid = connection.pid;
  admin_->query("SELECT pg_terminate_backend(" + std::to_string(pid) + ")");
  await_end(pid);
  connections_.erase(session);
}

void RealPeer::cancel(int session) {
  admin_->query("SELECT pg_cancel_backend(" + std::to_string(connections_.at(session).pid) + ")");
}

void RealPeer::hang_up(int session) {
  const int pid = open(session).pid;
  connections_.erase(session);
  await_end(pid);
}

void RealPeer::crash() {
  connections_.clear();
  admin_.reset();
  server_.kill_everything();
  server_.start(kScriptSettings);
  admin_ = std::make_unique<testing::Admin>(server_.admin("orders"));
}

// A standby that is named and never comes; without a name nobody waits, as if it had everything.
void RealPeer::hold_standby(bool held) {
  admin_->query(std::string("ALTER SYSTEM SET synchronous_standby_names = '") +
                (held ? "nobody'" : "'"));
  admin_->query("SELECT pg_reload_conf()");
  wait_for("the standby's setting", [&] { return commits_wait() == held; });
}

// Found out by one that may.
bool RealPeer::commits_wait() {
  testing::Admin probe = server_.admin("orders");
  probe.query("SET synchronous_commit = on");
  probe.send("SELECT pg_logical_emit_message(true, 'probe', '')");
  const std::string pid = std::to_string(probe.backend_pid());
  std::string state;
  while (state != "waits" && state != "idle") {
    state = admin_->value(
        "SELECT CASE wait_event WHEN 'SyncRep' THEN 'waits' ELSE state END"
        " FROM pg_stat_activity WHERE pid = " +
        pid);
  }
  admin_->query("SELECT pg_terminate_backend(" + pid + ")");
  return state == "waits";
}

Content RealPeer::content() {
  return admin_->value(kContent);
}

}  // namespace assent::model
