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
#include <sstream>
#include <stdexcept>
#include <thread>
#include <utility>

#include "base/check.h"

namespace assent::testing {
namespace {

using namespace std::chrono_literals;

const std::string kBin = ASSENT_POSTGRES_BIN;
const std::string kSchema = ASSENT_SCHEMA;
constexpr auto kDeadline = 30s;
constexpr auto kPollPause = 10ms;

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

std::string read(const std::string& path) {
  std::ifstream file(path);
  return {std::istreambuf_iterator<char>(file), {}};
}

// A process whose parent has not taken notice of its end counts as dead.
bool is_dead(pid_t process) {
  const std::string text = read("/proc/" + std::to_string(process) + "/stat");
  const auto name_end = text.rfind(") ");
  return name_end == std::string::npos || text.at(name_end + 2) == 'Z';
}

struct FreeResult {
  void operator()(PGresult* result) const { PQclear(result); }
};
using ResultHandle = std::unique_ptr<PGresult, FreeResult>;

std::string state_or_tag(PGresult* result) {
  const ResultHandle owner(result);
  const char* state = PQresultErrorField(result, PG_DIAG_SQLSTATE);
  return state != nullptr ? state : PQcmdStatus(result);
}

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
  const auto keep = [](void* notices, const char* text) {
    *static_cast<std::string*>(notices) += text;
  };
  PQsetNoticeProcessor(connection_.get(), keep, notices_.get());
}

std::string Admin::answer(const std::string& sql) {
  notices_->clear();
  return state_or_tag(PQexec(connection_.get(), sql.c_str()));
}

std::string Admin::answer_alone(const std::string& sql) {
  notices_->clear();
  return state_or_tag(
      PQexecParams(connection_.get(), sql.c_str(), 0, nullptr, nullptr, nullptr, nullptr, 0));
}

Rows Admin::query(const std::string& sql) {
  notices_->clear();
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

PostgresServer::PostgresServer(std::string directory) : directory_(std::move(directory)) {}

std::unique_ptr<PostgresServer> PostgresServer::backup_of(const PostgresServer& source) {
  std::unique_ptr<PostgresServer> copy(new PostgresServer(make_directory()));
  copy->run({kBin + "/pg_basebackup", "--pgdata=" + copy->data_directory(),
             "--host=" + source.directory_, "--username=postgres", "--checkpoint=fast",
             "--no-sync"});
  return copy;
}

PostgresServer::PostgresServer() : PostgresServer(make_directory()) {
  run({kBin + "/initdb", "--pgdata=" + directory_ + "/data", "--username=postgres", "--auth=trust",
       "--no-sync", "--wal-segsize=1", "--encoding=UTF8", "--locale=C.UTF-8"});
  start();
}

PostgresServer::~PostgresServer() {
  stop_immediately();
  std::error_code ignored;
  std::filesystem::remove_all(directory_, ignored);
}

void PostgresServer::start(const std::string& settings) {
  CHECK(try_start(settings), "the server must start: see " + directory_);
}

bool PostgresServer::try_start(const std::string& settings) {
  std::filesystem::remove(standby_signal());
  return launch(settings);
}

bool PostgresServer::try_start_as_standby(const std::string& settings) {
  std::ofstream(standby_signal()).close();
  std::filesystem::permissions(standby_signal(), std::filesystem::perms::all);
  return launch(settings);
}

bool PostgresServer::launch(const std::string& settings) {
  postmaster_ = spawn(command(settings), SIGQUIT);
  const auto deadline = std::chrono::steady_clock::now() + kDeadline;
  while (PQping(("host=" + directory_ + " dbname=postgres user=postgres").c_str()) != PQPING_OK) {
    CHECK(std::chrono::steady_clock::now() < deadline, "the server must start: see " + directory_);
    if (has_ended()) return false;
    std::this_thread::sleep_for(kPollPause);
  }
  return true;
}

bool PostgresServer::has_ended() {
  if (waitpid(postmaster_, nullptr, WNOHANG) != postmaster_) return false;
  postmaster_ = 0;
  return true;
}

bool PostgresServer::await_end() {
  const auto deadline = std::chrono::steady_clock::now() + kDeadline;
  while (!has_ended()) {
    if (std::chrono::steady_clock::now() >= deadline) return false;
    std::this_thread::sleep_for(kPollPause);
  }
  return true;
}

std::string PostgresServer::log() const {
  return read(directory_ + "/server.log");
}

std::vector<std::string> PostgresServer::command(const std::string& settings) const {
  std::vector<std::string> words{kBin + "/postgres", "-D", directory_ + "/data", "-k", directory_};
  for (const char* always :
       {"listen_addresses=", "fsync=on", "max_prepared_transactions=64", "max_connections=60",
        "shared_buffers=16MB", "recovery_init_sync_method=syncfs", "logging_collector=off",
        "log_error_verbosity=verbose"}) {
    words.insert(words.end(), {"-c", always});
  }
  std::istringstream more(settings);
  for (std::string setting; more >> setting;) words.insert(words.end(), {"-c", setting});
  return words;
}

void PostgresServer::start_as_standby() {
  CHECK(try_start_as_standby("hot_standby=on"), "the standby must start: see " + directory_);
}

void PostgresServer::promote() {
  admin("postgres").query("SELECT pg_promote()");
}

void PostgresServer::stop_immediately() {
  stop(SIGQUIT);
}

void PostgresServer::stop_cleanly() {
  stop(SIGINT);
}

// The postmaster first, so that it starts nobody in place of those who go.
void PostgresServer::kill_everything() {
  std::vector<pid_t> all{postmaster_};
  std::ifstream children("/proc/" + std::to_string(postmaster_) + "/task/" +
                         std::to_string(postmaster_) + "/children");
  for (pid_t child = 0; children >> child;) all.push_back(child);
  for (const pid_t process : all) kill(process, SIGKILL);
  waitpid(std::exchange(postmaster_, 0), nullptr, 0);
  for (const pid_t process : all) {
    while (!is_dead(process)) std::this_thread::sleep_for(kPollPause);
  }
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

std::string PostgresServer::dump(const std::string& database) {
  const std::string file = directory_ + "/dump.sql";
  run({kBin + "/pg_dump", "--host=" + directory_, "--username=postgres", "--file=" + file,
       database});
  return read(file);
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
