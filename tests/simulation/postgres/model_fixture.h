// A model server with a client that waits for its answers.
#pragma once

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "tests/simulation/postgres/server.h"

namespace assent::model {

// What a client has heard of one batch.
struct Heard {
  postgres::Answers answers;
  TransactionStatus status = TransactionStatus::kIdle;
};

// One connection; the scheduler runs until what it waits for has come.
class Client {
 public:
  Client(simulation::Scheduler& scheduler, Server& server, const Login& login)
      : scheduler_(scheduler), server_(server) {
    session_ = server.connect(login, [lost = lost_](const std::string& why) { *lost = why; });
  }

  [[nodiscard]] bool connected() const { return session_.has_value(); }
  [[nodiscard]] SessionId session() const { return session_.value(); }
  [[nodiscard]] const std::optional<std::string>& lost() const { return *lost_; }

  // Sends without waiting.
  std::shared_ptr<std::optional<Heard>> start(postgres::Batch batch) {
    auto heard = std::make_shared<std::optional<Heard>>();
    server_.send(session(), std::move(batch),
                 [heard](postgres::Answers answers, TransactionStatus status) {
                   *heard = Heard{std::move(answers), status};
                 });
    return heard;
  }
  std::shared_ptr<std::optional<Heard>> start(const std::string& sql) {
    return start(postgres::Batch{{sql, {}}});
  }

  // None: it was lost, or nothing came for a minute.
  std::optional<Heard> run(postgres::Batch batch) {
    const auto heard = start(std::move(batch));
    run_until([&] { return heard->has_value() || *lost_; });
    return *heard;
  }
  // The tag or the SQLSTATE of one command; "lost".
  std::string run(const std::string& sql, std::vector<Value> parameters = {}) {
    const auto heard = run(postgres::Batch{{sql, std::move(parameters)}});
    return heard ? told(*heard) : "lost";
  }
  // The first value of its first row; "" for NULL.
  std::string value(const std::string& sql) {
    const auto heard = run(postgres::Batch{{sql, {}}});
    return heard.value().answers.at(0).result.rows.at(0).at(0).value_or("");
  }

  static std::string told(const Heard& heard) {
    const postgres::Answer& last = heard.answers.back();
    return std::string(last.ok() ? last.tag() : last.sqlstate());
  }

  template <class Until>
  bool run_until(const Until& until) {
    const simulation::Micros deadline = scheduler_.now() + 60 * simulation::kSecond;
    while (!until() && scheduler_.now() < deadline) scheduler_.run_until(scheduler_.now() + 100);
    return until();
  }

 private:
  simulation::Scheduler& scheduler_;
  Server& server_;
  std::shared_ptr<std::optional<std::string>> lost_ =
      std::make_shared<std::optional<std::string>>();
  std::optional<SessionId> session_;
};

class ModelTest : public ::testing::Test {
 protected:
  static Options options() {
    Options out;
    out.balances = {{1, 100}, {2, 100}, {3, 100}};
    return out;
  }
  ModelTest() { make(options()); }
  void make(Options with) {
    server = std::make_unique<Server>(scheduler, simulation::Dice(1, 1), std::move(with));
  }
  Client client(const std::string& role = "assent_work", const std::string& settings = "") {
    return {scheduler, *server, {role, "", settings}};
  }
  void run_for(simulation::Micros time) { scheduler.run_until(scheduler.now() + time); }
  void restart() {
    server->start();
    run_for(5 * simulation::kSecond);
    ASSERT_TRUE(server->is_up());
  }
  void prepare(const std::string& gid, const std::string& sql) {
    Client one = client();
    one.run("BEGIN");
    one.run(sql);
    ASSERT_EQ(one.run("PREPARE TRANSACTION '" + gid + "'"), "PREPARE TRANSACTION");
    server->hang_up(one.session());
  }
  [[nodiscard]] std::vector<std::string> gids() const {
    std::vector<std::string> all;
    for (const auto& one : server->prepared()) all.push_back(one.gid);
    return all;
  }

  simulation::Scheduler scheduler;
  std::unique_ptr<Server> server;
};

inline constexpr char kAddTen[] = "UPDATE account SET balance = balance + 10 WHERE id = 1";

}  // namespace assent::model
