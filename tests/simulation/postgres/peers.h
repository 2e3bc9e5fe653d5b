// The two servers that one script runs on: the model and a real PostgreSQL.
#pragma once

#include <libpq-fe.h>

#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "tests/simulation/postgres/model_fixture.h"
#include "tests/simulation/postgres/script.h"
#include "tests/support/postgres_server.h"

namespace assent::model {

// What all sessions together see: pg_prepared_xacts and the tables, as text.
using Content = std::string;

inline constexpr int kStandby = -1;

class ModelPeer {
 public:
  explicit ModelPeer(std::uint64_t seed);

  void send(int session, postgres::Batch batch);
  void terminate(int session);
  void cancel(int session);
  void hang_up(int session);
  void crash();
  void hold_standby(bool held) { server_->hold_standby(held); }
  // Lets happen what can happen.
  void settle() { scheduler_.run_until(scheduler_.now() + 10 * simulation::kSecond); }

  [[nodiscard]] bool is_open(int session) const;
  // Takes what has been heard of the session's batch.
  std::optional<Heard> take(int session);
  // Whom a session waits for: sessions, 0 for a prepared transaction, kStandby.
  std::set<int> blockers(int session);
  Content content();
  [[nodiscard]] const Server& server() const { return *server_; }

 private:
  Client& open(int session);
  simulation::Scheduler scheduler_;
  std::unique_ptr<Server> server_;
  std::map<int, std::unique_ptr<Client>> clients_;
  std::map<int, std::shared_ptr<std::optional<Heard>>> heard_;
  std::unique_ptr<Client> observer_;
};

class RealPeer {
 public:
  explicit RealPeer(testing::PostgresServer& server);

  // As the first script finds it: nothing prepared, the bank as new.
  void reset();
  void send(int session, const postgres::Batch& batch);
  void terminate(int session);
  void cancel(int session);
  void hang_up(int session);
  void crash();
  void hold_standby(bool held);

  // Waits for the answer of its batch; none: it was lost, or took too long.
  std::optional<Heard> await(int session);
  // It has come already.
  bool answered(int session);
  // Waits until the session waits for somebody, or has been answered; whom it waits for.
  std::set<int> await_blockers(int session);
  Content content();

 private:
  struct Finish {
    void operator()(PGconn* connection) const { PQfinish(connection); }
  };
  struct Connection {
    std::unique_ptr<PGconn, Finish> handle;
    int pid = 0;
    std::size_t commands = 0;
    std::vector<std::string> warnings = {};
  };
  Connection& open(int session);
  void await_end(int pid);
  bool commits_wait();
  [[nodiscard]] int session_of(int pid) const;
  bool readable(Connection& connection, int timeout_ms);

  testing::PostgresServer& server_;
  std::unique_ptr<testing::Admin> admin_;
  std::map<int, Connection> connections_;
};

}  // namespace assent::model
