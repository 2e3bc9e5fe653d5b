// A real PostgreSQL server of the test's own: initdb in a new directory, unix socket only, fsync
// on. Runs as the user postgres when the test is root, and ends with the test, however that ends.
#pragma once

#include <libpq-fe.h>
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
  // Sends without waiting for the answer, which is never read.
  void send(const std::string& sql);
  [[nodiscard]] int backend_pid() const { return PQbackendPID(connection_.get()); }

 private:
  struct Finish {
    void operator()(PGconn* connection) const { PQfinish(connection); }
  };
  std::unique_ptr<PGconn, Finish> connection_;
};

class PostgresServer {
 public:
  PostgresServer();
  ~PostgresServer();
  PostgresServer(const PostgresServer&) = delete;
  PostgresServer& operator=(const PostgresServer&) = delete;

  // The one that all tests of this program share; started by the first call.
  static PostgresServer& shared();

  [[nodiscard]] const std::string& socket_directory() const { return directory_; }
  // Runs participant/schema's scripts in a database.
  void install_schema(const std::string& database);
  void uninstall_schema(const std::string& database);
  Admin admin(const std::string& database) { return {directory_, database}; }

  // Ends the server as a crash would: the next start recovers from the WAL.
  void stop_immediately();
  void stop_cleanly();
  // `setting`: one more, as "name=value".
  void start(const std::string& setting = "");
  // Starts as a hot standby that follows nobody. The next start() after a stop is a primary again.
  void start_as_standby();

 private:
  void psql(const std::string& database, const std::string& script);
  void run(const std::vector<std::string>& command);
  void stop(int signal);
  pid_t spawn(const std::vector<std::string>& command, int end_with_parent);

  std::string directory_;
  pid_t postmaster_ = 0;
};

}  // namespace assent::testing
