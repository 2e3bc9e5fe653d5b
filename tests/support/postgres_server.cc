#include "tests/support/postgres_server.h"

#include <fcntl.h>
#include <grp.h>
#include <pwd.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <stdexcept>
#include <thread>

#include "base/check.h"

namespace assent::testing {
namespace {

using namespace std::chrono_literals;

const std::string kBin = ASSENT_POSTGRES_BIN;
const std::string kSchema = ASSENT_SCHEMA;
constexpr auto kStartDeadline = 30s;

const passwd& server_user() {
  const passwd* user = getuid() == 0 ? getpwnam("postgres") : getpwuid(getuid());
  CHECK(user != nullptr, "the server's user must exist");
  return *user;
}

std::string make_directory() {
  const char* parent = std::getenv("TMPDIR");
  std::string path = std::string(parent == nullptr ? "/tmp" : parent) + "/assent-test-XXXXXX";
  CHECK(mkdtemp(path.data()) != nullptr, "a test may make a directory");
  CHECK(chown(path.c_str(), server_user().pw_uid, server_user().pw_gid) == 0,
        "the server's user must own its directory");
  return path;
}

// In the child: become the server's user.
void drop_privileges() {
  if (getuid() != 0) return;
  const passwd& user = server_user();
  if (initgroups(user.pw_name, user.pw_gid) != 0 || setgid(user.pw_gid) != 0 ||
      setuid(user.pw_uid) != 0) {
    _exit(126);
  }
}

void redirect_output(const std::string& path) {
  const int log = ::open(path.c_str(), O_WRONLY | O_CREAT | O_APPEND, 0644);
  if (log < 0) _exit(125);
  dup2(log, STDOUT_FILENO);
  dup2(log, STDERR_FILENO);
}

struct FreeResult {
  void operator()(PGresult* result) const { PQclear(result); }
};
using ResultHandle = std::unique_ptr<PGresult, FreeResult>;

}  // namespace

// ── Admin ───────────────────────────────────────────────────────────────────────────────────────

Admin::Admin(const std::string& socket_directory, const std::string& database,
             const std::string& role)
    : connection_(
          PQconnectdb(("host=" + socket_directory + " dbname=" + database + " user=" + role +
                       " options='-c client_min_messages=warning -c synchronous_commit=local'")
                          .c_str())) {
  if (PQstatus(connection_.get()) != CONNECTION_OK) {
    throw std::runtime_error(PQerrorMessage(connection_.get()));
  }
}

Rows Admin::query(const std::string& sql) {
  const ResultHandle result(PQexec(connection_.get(), sql.c_str()));
  const ExecStatusType status = PQresultStatus(result.get());
  if (status != PGRES_COMMAND_OK && status != PGRES_TUPLES_OK) {
    throw std::runtime_error(sql + ": " + PQerrorMessage(connection_.get()));
  }
  Rows rows(static_cast<std::size_t>(PQntuples(result.get())));
  for (std::size_t row = 0; row < rows.size(); ++row) {
    const int r = static_cast<int>(row);
    for (int column = 0; column < PQnfields(result.get()); ++column) {
      const bool null = PQgetisnull(result.get(), r, column) != 0;
      rows[row].push_back(null ? std::nullopt
                               : std::optional<std::string>(PQgetvalue(result.get(), r, column)));
    }
  }
  return rows;
}

std::string Admin::value(const std::string& sql) {
  return query(sql).at(0).at(0).value_or("");
}

void Admin::send(const std::string& sql) {
  CHECK(PQsendQuery(connection_.get(), sql.c_str()) == 1, "an idle connection takes a query");
}

// ── PostgresServer ──────────────────────────────────────────────────────────────────────────────

PostgresServer& PostgresServer::shared() {
  static PostgresServer server;
  return server;
}

PostgresServer::PostgresServer() : directory_(make_directory()) {
  run({kBin + "/initdb", "--pgdata=" + directory_ + "/data", "--username=postgres", "--auth=trust",
       "--no-sync", "--wal-segsize=1", "--encoding=UTF8", "--locale=C.UTF-8"});
  start();
}

PostgresServer::~PostgresServer() {
  stop_immediately();
  std::error_code ignored;
  std::filesystem::remove_all(directory_, ignored);
}

void PostgresServer::start(const std::string& setting) {
  std::vector<std::string> command{kBin + "/postgres", "-D", directory_ + "/data", "-k",
                                   directory_};
  for (const char* always :
       {"listen_addresses=", "fsync=on", "max_prepared_transactions=64", "max_connections=60",
        "shared_buffers=16MB", "recovery_init_sync_method=syncfs", "logging_collector=off",
        "log_error_verbosity=verbose"}) {
    command.insert(command.end(), {"-c", always});
  }
  if (!setting.empty()) command.insert(command.end(), {"-c", setting});
  postmaster_ = spawn(command, SIGQUIT);
  const auto deadline = std::chrono::steady_clock::now() + kStartDeadline;
  while (PQping(("host=" + directory_ + " dbname=postgres user=postgres").c_str()) != PQPING_OK) {
    CHECK(std::chrono::steady_clock::now() < deadline, "the server must start: see " + directory_);
    std::this_thread::sleep_for(10ms);
  }
}

void PostgresServer::start_as_standby() {
  const std::string signal = directory_ + "/data/standby.signal";
  std::ofstream(signal).close();
  std::filesystem::permissions(signal, std::filesystem::perms::all);
  start("hot_standby=on");
  std::filesystem::remove(signal);
}

void PostgresServer::stop_immediately() {
  stop(SIGQUIT);
}

void PostgresServer::stop_cleanly() {
  stop(SIGINT);
}

void PostgresServer::stop(int signal) {
  if (postmaster_ == 0) return;
  kill(postmaster_, signal);
  waitpid(postmaster_, nullptr, 0);
  postmaster_ = 0;
}

void PostgresServer::install_schema(const std::string& database) {
  psql(database, "install.sql");
}

void PostgresServer::uninstall_schema(const std::string& database) {
  psql(database, "uninstall.sql");
}

// psql runs as the test's own user, which can read the sources.
void PostgresServer::psql(const std::string& database, const std::string& script) {
  const std::string command = "psql -X -q -h " + directory_ + " -U postgres -d " + database +
                              " -f " + kSchema + "/" + script + " >" + directory_ +
                              "/psql.log 2>&1";
  CHECK(std::system(command.c_str()) == 0, command);
}

void PostgresServer::run(const std::vector<std::string>& command) {
  int status = 0;
  waitpid(spawn(command, SIGKILL), &status, 0);
  CHECK(status == 0, command.front() + " failed: see " + directory_ + "/server.log");
}

pid_t PostgresServer::spawn(const std::vector<std::string>& command, int end_with_parent) {
  const pid_t child = fork();
  CHECK(child >= 0, "a test may start a process");
  if (child > 0) return child;
  drop_privileges();
  prctl(PR_SET_PDEATHSIG, end_with_parent);  // after setuid, which would clear it
  if (chdir(directory_.c_str()) != 0) _exit(127);
  redirect_output(directory_ + "/server.log");
  std::vector<char*> arguments;
  for (const std::string& argument : command) {
    arguments.push_back(const_cast<char*>(argument.c_str()));
  }
  arguments.push_back(nullptr);
  execv(arguments[0], arguments.data());
  _exit(127);
}

}  // namespace assent::testing
