#include "tests/participant/postgres/database_fixture.h"

#include <map>
#include <utility>

namespace assent::postgres {
namespace {

using namespace std::chrono_literals;

constexpr char kDatabase[] = "orders";

// One database for all tests, because making one is slow; every test finds it as new.
constexpr char kReset[] =
    "DROP SCHEMA IF EXISTS public, fake CASCADE; CREATE SCHEMA public;"
    "CREATE TABLE t (id int PRIMARY KEY, n int);"
    "GRANT USAGE ON SCHEMA public TO PUBLIC;"
    "GRANT SELECT, INSERT, UPDATE, DELETE ON t TO assent_work;"
    "REVOKE UPDATE ON assent.epoch FROM assent_work;"
    "TRUNCATE assent.outcome, assent.landmark, assent.branch_outcome, assent.branch_outcome_floor;"
    "UPDATE assent.epoch SET epoch = 0, cluster = NULL, participant = NULL";

constexpr char kEndAgents[] =
    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
    " WHERE datname = current_database() AND usename IN ('assent_agent', 'assent_work')";

testing::PostgresServer& prepared_server() {
  testing::PostgresServer& server = testing::PostgresServer::shared();
  static bool made = false;
  if (!std::exchange(made, true)) {
    server.admin("postgres").query(std::string("CREATE DATABASE ") + kDatabase);
  }
  testing::Admin admin = server.admin(kDatabase);
  if (admin.value("SELECT to_regnamespace('assent') IS NULL") == "t") {
    server.install_schema(kDatabase);
  }
  admin.query(kReset);
  return server;
}

TransactionId transaction(std::uint64_t number) {
  return make_transaction_id(LogTime(1'700'000'000'000), number, number, creator_tag("test"));
}

}  // namespace

bool Loop::run_until(const std::function<bool()>& done) {
  const auto deadline = std::chrono::steady_clock::now() + 10s;
  while (!done()) {
    const auto left = deadline - std::chrono::steady_clock::now();
    if (left <= 0s) return false;
    context_.run_one_for(std::min<std::chrono::nanoseconds>(left, 20ms));
  }
  return true;
}

void Loop::run_for(std::chrono::milliseconds time) {
  context_.run_for(time);
}

// ── Life ────────────────────────────────────────────────────────────────────────────────────────

Life::Life(Loop& on, DatabaseOptions with, Connect connect)
    : loop(on), options(std::move(with)), database(on.context(), options, std::move(connect)) {
  database.set_sink([this](branch::Input input) { inputs.push_back(std::move(input)); });
  database.set_may_send([this](Ballot) { return may_send; });
  database.on_over([this](Error why) { over = std::move(why); });
}

void Life::enrol() {
  const auto identity = identify();
  if (!identity) throw std::runtime_error(identity.error().message);
  const Epoch previous = stored_epoch();
  stored_landmark(previous);
  if (!claim(previous, previous.next())) throw std::runtime_error("the epoch was not claimed");
  if (!fence()) throw std::runtime_error("older lives were not fenced");
}

Result<Position> Life::identify() {
  return call<Position>([this](auto done) { database.identify(std::move(done)); });
}

Epoch Life::stored_epoch() {
  return call<Epoch>([this](auto done) { database.stored_epoch(std::move(done)); }).value();
}

StoredLandmark Life::stored_landmark(Epoch of) {
  return call<StoredLandmark>([&](auto done) { database.stored_landmark(of, std::move(done)); })
      .value();
}

Result<void> Life::claim(Epoch previous, Epoch mine) {
  epoch = mine;
  return call<void>([&](auto done) { database.claim_epoch(previous, mine, std::move(done)); });
}

Result<void> Life::fence() {
  return call<void>([this](auto done) { database.fence_older_lives(std::move(done)); });
}

Result<std::vector<BranchId>> Life::list_prepared() {
  return call<std::vector<BranchId>>([this](auto done) { start_list(done); });
}

void Life::start_list(const std::function<void(Result<std::vector<BranchId>>)>& done) {
  database.take_inventory({}, [done](const Result<Inventory>& found) {
    done(found.map([](const Inventory& inventory) {
      std::vector<BranchId> branches;
      for (const auto& one : inventory.prepared) branches.push_back(one.branch);
      return branches;
    }));
  });
}

Result<Inventory> Life::inventory(std::vector<branch::PreparedBranch> expected) {
  return call<Inventory>(
      [&](auto done) { database.take_inventory(std::move(expected), std::move(done)); });
}

BranchId Life::name_branch() {
  ++last_attempt_;
  return {transaction(epoch.value * 1'000 + last_attempt_), options.participant, epoch,
          Attempt(last_attempt_)};
}

BranchId Life::open() {
  const BranchId id = name_branch();
  database.carry_out(branch::Acquire{id});
  await<branch::ConnectionGranted>(id);
  return id;
}

void Life::start_statement(const BranchId& id, Statement statement) {
  database.carry_out(branch::RunStatement{id, ++statements_[id], std::move(statement)});
}

branch::StatementDone Life::run(const BranchId& id, const std::string& sql,
                                std::vector<Value> parameters, Millis timeout) {
  start_statement(id, {sql, std::move(parameters), timeout});
  return await<branch::StatementDone>(id);
}

std::string Life::value(const BranchId& id, const std::string& sql) {
  const auto done = run(id, sql);
  if (!done.result) throw std::runtime_error(sql + ": " + done.result.error().message);
  return done.result.value()->rows.at(0).at(0).value_or("");
}

Result<Evidence> Life::prepare(const BranchId& id) {
  return vote({id, kBallot}).result.map([](const branch::PrepareResult& result) {
    return std::get<Evidence>(result);
  });
}

branch::PrepareDone Life::vote(const branch::RunPrepare& operation) {
  database.carry_out(operation);
  return await<branch::PrepareDone>(operation.branch);
}

void Life::start_one_shot(const BranchId& id, OneShotBranch work, bool one_phase) {
  database.carry_out(branch::Acquire{id});
  await<branch::ConnectionGranted>(id);
  database.carry_out(branch::RunPrepare{id, kBallot, one_phase,
                                        std::make_shared<const OneShotBranch>(std::move(work))});
}

branch::PrepareDone Life::one_shot(const BranchId& id, std::vector<Statement> statements,
                                   bool one_phase, BranchMode mode) {
  start_one_shot(id, {std::move(statements), mode}, one_phase);
  auto done = await<branch::PrepareDone>(id);
  release(id);
  return done;
}

Result<bool> Life::settle(const TransactionId& transaction) {
  database.carry_out(branch::RunSettle{transaction, kBallot});
  std::optional<branch::SettleDone> done;
  EXPECT_TRUE(loop.run_until([&] {
    for (const auto& input : inputs) {
      const auto* settled = std::get_if<branch::SettleDone>(&input);
      if (settled != nullptr && settled->transaction == transaction) done = *settled;
    }
    return done.has_value();
  }));
  std::erase_if(inputs,
                [](const auto& one) { return std::holds_alternative<branch::SettleDone>(one); });
  return done.value().committed;
}

void Life::roll_back(const BranchId& id) {
  database.carry_out(branch::RunRollback{id});
  await<branch::RollbackDone>(id);
  release(id);
}

Result<branch::FinishResult> Life::finish(const BranchId& id, Outcome outcome,
                                          std::optional<Evidence> evidence, bool maybe_lost,
                                          Epoch kept_in) {
  database.carry_out(branch::RunFinish{id, kBallot, outcome, evidence, maybe_lost, kept_in});
  return await<branch::FinishDone>(id).result;
}

std::pair<BranchId, Evidence> Life::prepared(const std::string& sql) {
  const BranchId id = open();
  value(id, sql + " RETURNING 1");
  const auto vote = prepare(id);
  if (!vote) throw std::runtime_error(vote.error().message);
  release(id);
  return {id, *vote};
}

// ── DatabaseTest ────────────────────────────────────────────────────────────────────────────────

DatabaseTest::DatabaseTest()
    : server(prepared_server()), name(kDatabase), admin(server.admin(name)) {}

// What a test leaves prepared holds locks and slots that later tests need. Its agents are gone, but
// their backends may still be at work.
DatabaseTest::~DatabaseTest() {
  testing::Admin cleaner = server.admin(name);
  EXPECT_TRUE(loop.run_until([&] { return cleaner.query(kEndAgents).empty(); }));
  for (const auto& row :
       cleaner.query("SELECT gid FROM pg_prepared_xacts WHERE database = current_database()")) {
    cleaner.query("ROLLBACK PREPARED '" + row.at(0).value() + "'");
  }
}

DatabaseOptions DatabaseTest::options() const {
  DatabaseOptions out;
  out.cluster = "test";
  out.participant = "orders";
  out.socket_directory = server.socket_directory();
  out.database = name;
  out.work_connections = 4;
  out.work_wait = Millis(300);
  out.finish_connections = 2;
  return out;
}

std::unique_ptr<Life> DatabaseTest::life() {
  return std::make_unique<Life>(loop, options());
}

std::unique_ptr<Life> DatabaseTest::enrolled() {
  return enrolled(options());
}

std::unique_ptr<Life> DatabaseTest::enrolled(DatabaseOptions with) {
  auto out = std::make_unique<Life>(loop, std::move(with));
  out->enrol();
  return out;
}

std::string DatabaseTest::content() {
  return admin.value("SELECT coalesce(string_agg(id || '=' || n, ' ' ORDER BY id), '') FROM t");
}

int DatabaseTest::prepared_count() {
  return std::stoi(
      admin.value("SELECT count(*) FROM pg_prepared_xacts WHERE database = current_database()"));
}

}  // namespace assent::postgres
