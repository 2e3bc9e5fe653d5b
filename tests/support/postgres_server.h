// A real PostgreSQL server of the test's own: initdb in a new directory, unix socket only, fsync
// on. Runs as the user postgres when the test is root, and ends with the test, however that ends.
#pragma once

#include <libpq-fe.h>
#include <signal.h>
#include <sys/types.h>

#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace assent::testing {

using Rows = std::vector<std::vector<std::optional<std::string>>>;

// A blocking superuser connection. A failed statement throws std::runtime_error.
class Admin {
 public:
  Admin(const std::string& socket_directory, const std::string& database,
        const std::string& role = "postgres");

  Rows query(const std::string& sql);
  // The first value of the first row; "" for NULL.
  std::string value(const std::string& sql);
  // Of SQL that may fail: the SQLSTATE, or the command tag of its last statement when all worked.
  std::string answer(const std::string& sql);
  // As answer(), for one statement by the extended protocol, as the agent sends it.
  std::string answer_alone(const std::string& sql);
  [[nodiscard]] PGTransactionStatusType transaction() const {
    return PQtransactionStatus(connection_.get());
  }
  // The messages that came with the latest answer and are no errors.
  [[nodiscard]] const std::string& notices() const { return *notices_; }
  // Sends without waiting for the answer, which is never read.
  void send(const std::string& sql);
  [[nodiscard]] int backend_pid() const { return PQbackendPID(connection_.get()); }

 private:
  struct Finish {
    void operator()(PGconn* connection) const { PQfinish(connection); }
  };
  std::unique_ptr<PGconn, Finish> connection_;
  std::unique_ptr<std::string> notices_ = std::make_unique<std::string>();
};

class PostgresServer {
 public:
  PostgresServer();
  // A base backup of a server that runs, not started.
  static std::unique_ptr<PostgresServer> backup_of(const PostgresServer& source);
  ~PostgresServer();
  PostgresServer(const PostgresServer&) = delete;
  PostgresServer& operator=(const PostgresServer&) = delete;

  // The one that all tests of this program share; started by the first call.
  static PostgresServer& shared();

  [[nodiscard]] const std::string& socket_directory() const { return directory_; }
  [[nodiscard]] std::string data_directory() const { return directory_ + "/data"; }
  // Runs participant/schema's scripts in a database.
  void install_schema(const std::string& database);
  void uninstall_schema(const std::string& database);
  Admin admin(const std::string& database) { return {directory_, database}; }

  // What pg_dump writes of a database.
  std::string dump(const std::string& database);

  // Ends the server as a crash would: the next start recovers from the WAL.
  void stop_immediately();
  void stop_cleanly();
  // SIGKILL to every process of the server, the way a machine's end would look to its disk.
  void kill_everything();
  // Waits until the server has ended by itself; false when it runs on for half a minute.
  bool await_end();
  // `settings`: more of them, as "name=value", with spaces between.
  void start(const std::string& settings = "");
  // The same for settings with which the server may refuse to start: false, and what its log says
  // is in log(). A server that has refused is stopped.
  bool try_start(const std::string& settings);
  [[nodiscard]] std::string log() const;
  // Starts as a hot standby that follows nobody, until it is promoted. The next start() after a
  // stop is a primary again.
  void start_as_standby();
  bool try_start_as_standby(const std::string& settings);
  void promote();

  // Runs a program beside the server, as the server's user in its directory. It is killed with the
  // test.
  pid_t start_program(const std::vector<std::string>& command) { return spawn(command, SIGKILL); }

 private:
  explicit PostgresServer(std::string directory);
  bool launch(const std::string& settings);
  [[nodiscard]] std::vector<std::string> command(const std::string& settings) const;
  [[nodiscard]] std::string standby_signal() const { return data_directory() + "/standby.signal"; }
  bool has_ended();
  void psql(const std::string& database, const std::string& script);
  void run(const std::vector<std::string>& command);
  void stop(int signal);
  pid_t spawn(const std::vector<std::string>& command, int end_with_parent);

  std::string directory_;
  pid_t postmaster_ = 0;
};

}  // namespace assent::testing
