// A database as new for each test, and agents' lives on it.
#pragma once

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <chrono>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "base/error.h"
#include "base/gid.h"
#include "base/ids.h"
#include "participant/branch/branch_table.h"
#include "participant/postgres/database.h"
#include "participant/postgres/libpq_connection.h"
#include "tests/support/postgres_server.h"
#include "tests/support/proxy.h"

namespace assent::postgres {

inline constexpr Ballot kBallot{Incarnation(1), Round(1), ReplicaId(1)};

// The loop of a test; waiting for anything is running it.
class Loop {
 public:
  // Runs until `done` says so; fails the test and is false after ten seconds.
  bool run_until(const std::function<bool()>& done);
  // Runs for a while, to show that something does not happen.
  void run_for(std::chrono::milliseconds time);
  boost::asio::io_context& context() { return context_; }

 private:
  boost::asio::io_context context_;
  boost::asio::executor_work_guard<boost::asio::io_context::executor_type> work_{
      context_.get_executor()};
};

// One life of an agent: a Database, driven by hand instead of by a branch table.
class Life {
 public:
  // `connect` opens its connections; the default is production's.
  Life(Loop& loop, DatabaseOptions options, Connect connect = LibpqConnection::open);

  // identify, claim the epoch after the stored one, fence: ready to serve.
  void enrol();

  // The asynchronous calls of Database, waited for.
  Result<Position> identify();
  Epoch stored_epoch();
  StoredLandmark stored_landmark(Epoch of);
  Result<void> claim(Epoch previous, Epoch mine);
  Result<void> fence();
  Result<std::vector<BranchId>> list_prepared();
  Result<Inventory> inventory(std::vector<branch::PreparedBranch> expected = {});

  // A new name for a branch of this life; nothing is done for it.
  BranchId name_branch();
  // A branch with its connection granted.
  BranchId open();
  // One statement, waited for. Numbers count from 1 in every branch.
  branch::StatementDone run(const BranchId& id, const std::string& sql,
                            std::vector<Value> parameters = {}, Millis timeout = Millis(0));
  // The first value of the statement's first row.
  std::string value(const BranchId& id, const std::string& sql);
  Result<Evidence> prepare(const BranchId& id);  // throws at a vote of another kind
  branch::PrepareDone vote(const branch::RunPrepare& operation);
  // A one-shot of these statements, on a connection of its own, released when it has ended.
  branch::PrepareDone one_shot(const BranchId& id, std::vector<Statement> statements,
                               bool one_phase = false, BranchMode mode = {});
  Result<bool> settle(const TransactionId& transaction);
  void roll_back(const BranchId& id);
  Result<branch::FinishResult> finish(const BranchId& id, Outcome outcome,
                                      std::optional<Evidence> evidence, bool maybe_lost = false,
                                      Epoch kept_in = {});
  // A branch of one statement, prepared and released.
  std::pair<BranchId, Evidence> prepared(const std::string& sql);

  // Sends without waiting.
  void start_statement(const BranchId& id, Statement statement);
  void start_prepare(const BranchId& id, bool one_phase = false) {
    database.carry_out(branch::RunPrepare{id, kBallot, one_phase});
  }
  void start_list(const std::function<void(Result<std::vector<BranchId>>)>& done);
  void start_one_shot(const BranchId& id, OneShotBranch work, bool one_phase = false);
  void release(const BranchId& id) { database.carry_out(branch::Release{id}); }

  // The next input of type T about the branch, when it has come; takes it away.
  template <class T>
  std::optional<T> take(const BranchId& id) {
    for (auto input = inputs.begin(); input != inputs.end(); ++input) {
      if (const T* found = std::get_if<T>(&*input); found != nullptr && found->branch == id) {
        T taken = *found;
        inputs.erase(input);
        return taken;
      }
    }
    return std::nullopt;
  }
  // The same, waited for.
  template <class T>
  T await(const BranchId& id) {
    std::optional<T> taken;
    EXPECT_TRUE(loop.run_until([&] { return (taken = take<T>(id)).has_value(); }));
    if (!taken) throw std::runtime_error("no such input came");
    return std::move(*taken);
  }
  // Waits for a callback of Database.
  template <class T>
  Result<T> call(const std::function<void(Database::Done<T>)>& start) {
    std::optional<Result<T>> result;
    start([&](Result<T> value) { result = std::move(value); });
    EXPECT_TRUE(loop.run_until([&] { return result.has_value(); }));
    if (!result) throw std::runtime_error("no callback came");
    return std::move(*result);
  }

  Loop& loop;
  const DatabaseOptions options;
  Database database;
  Epoch epoch;
  bool may_send = true;
  std::vector<branch::Input> inputs;
  std::optional<Error> over;

 private:
  std::uint64_t last_attempt_ = 0;
  std::map<BranchId, std::uint32_t> statements_;
};

// Tests name the rows of postgres.md that they cover.
class DatabaseTest : public ::testing::Test {
 protected:
  DatabaseTest();
  ~DatabaseTest() override;

  [[nodiscard]] DatabaseOptions options() const;
  std::unique_ptr<Life> life();                          // not enrolled
  std::unique_ptr<Life> enrolled();                      // ready to serve
  std::unique_ptr<Life> enrolled(DatabaseOptions with);  // the same with these options

  // Committed content of the table `t(id int primary key, n int)` that each database has.
  std::string content();
  [[nodiscard]] int prepared_count();
  std::string gid(const BranchId& id) const { return make_gid("test", id); }

  testing::PostgresServer& server;
  const std::string name;
  testing::Admin admin;
  Loop loop;
};

}  // namespace assent::postgres
