#include "integration/workload/floor.h"

#include <libpq-fe.h>

#include <array>
#include <optional>
#include <utility>

#include "base/check.h"

namespace assent::workload {
namespace {

// A circle of waits through two databases, which neither sees, ends after this.
constexpr const char* kSession = "SET lock_timeout = '5s'; SET client_min_messages = error";
constexpr const char* kUpdate = "UPDATE accounts SET balance = balance + $1 WHERE id = $2";

struct PgClear {
  void operator()(PGresult* result) const { PQclear(result); }
};
struct PgFinish {
  void operator()(PGconn* connection) const { PQfinish(connection); }
};
using PgResult = std::unique_ptr<PGresult, PgClear>;
using PgConnection = std::unique_ptr<PGconn, PgFinish>;

Error error_of(PGconn* connection) {
  return {ErrorCode::kUnavailable, PQerrorMessage(connection)};
}

// One connection, in libpq's pipeline mode: statements are queued, sync() sends them, and receive()
// takes their answers.
class Branch {
 public:
  // `number` tells it from other branches, whose databases may be in the same server.
  static Result<Branch> connect(const std::string& database, std::size_t number) {
    Branch branch;
    branch.suffix_ = ':' + std::to_string(number) + '\'';
    branch.connection_.reset(PQconnectdb(database.c_str()));
    PGconn* const connection = branch.connection_.get();
    if (PQstatus(connection) != CONNECTION_OK) return tl::unexpected(error_of(connection));
    for (const PgResult& done : {PgResult(PQexec(connection, kSession)),
                                 PgResult(PQprepare(connection, "begin", "BEGIN", 0, nullptr)),
                                 PgResult(PQprepare(connection, "update", kUpdate, 0, nullptr))}) {
      if (PQresultStatus(done.get()) != PGRES_COMMAND_OK) {
        return tl::unexpected(error_of(connection));
      }
    }
    if (PQenterPipelineMode(connection) != 1) return tl::unexpected(error_of(connection));
    return branch;
  }

  void begin() { queued(PQsendQueryPrepared(get(), "begin", 0, nullptr, nullptr, nullptr, 0)); }

  void update(const Change& change) {
    const std::string amount = std::to_string(change.amount);
    const std::string account = std::to_string(change.account);
    const std::array<const char*, 2> values{amount.c_str(), account.c_str()};
    queued(PQsendQueryPrepared(get(), "update", 2, values.data(), nullptr, nullptr, 0));
  }

  void prepare(const std::string& transaction) {
    query("PREPARE TRANSACTION '" + transaction + suffix_);
  }
  void commit(const std::string& transaction) {
    query("COMMIT PREPARED '" + transaction + suffix_);
  }

  void sync() { CHECK_EQ(PQpipelineSync(get()), 1, PQerrorMessage(get())); }

  // Takes all answers up to that of sync(). The first error of any statement; a statement whose tag
  // is not the one that means success (a PREPARE that rolled back, an UPDATE of no row) is one.
  Result<void> receive(std::initializer_list<std::string_view> tags) {
    auto tag = tags.begin();
    std::optional<Error> failed;
    while (true) {
      const PgResult result(PQgetResult(get()));
      CHECK_EQ(PQstatus(get()), CONNECTION_OK, PQerrorMessage(get()));
      if (!result) continue;  // between two statements
      const auto status = PQresultStatus(result.get());
      if (status == PGRES_PIPELINE_SYNC) break;
      const bool fine = status == PGRES_COMMAND_OK && PQcmdStatus(result.get()) == *tag;
      if (!fine && !failed) failed = refused(result.get());
      ++tag;
    }
    if (failed) return tl::unexpected(*std::move(failed));
    return {};
  }

  // Whatever became of it, nothing of it is left.
  void roll_back(const std::string& transaction) {
    for (const std::string& sql :
         {std::string("ROLLBACK"), "ROLLBACK PREPARED '" + transaction + suffix_}) {
      query(sql);
      sync();
      (void)receive({"", ""});  // one of the two has nothing to do
    }
  }

 private:
  void query(const std::string& sql) {
    queued(PQsendQueryParams(get(), sql.c_str(), 0, nullptr, nullptr, nullptr, nullptr, 0));
  }
  PGconn* get() { return connection_.get(); }
  void queued(int ok) { CHECK_EQ(ok, 1, PQerrorMessage(get())); }

  static Error refused(PGresult* result) {
    const char* const state = PQresultErrorField(result, PG_DIAG_SQLSTATE);
    Error error{ErrorCode::kSql, PQresultErrorMessage(result)};
    if (error.message.empty()) error.message = PQcmdStatus(result);
    if (state != nullptr) error.sql.emplace().sqlstate = state;
    return error;
  }

  PgConnection connection_;
  std::string suffix_;  // of each gid, with the quote that ends it
};

class Floor : public Mover {
 public:
  Floor(std::vector<Branch> branches, const FloorOptions& options, std::string name)
      : branches_(std::move(branches)),
        stepwise_(options.stepwise),
        log_(options.log),
        name_(std::move(name)) {}

  CommitResult move(const Changes& changes) override {
    CHECK_EQ(changes.size(), branches_.size(), "a change for each database");
    CommitResult result{.transaction = "floor:" + name_ + ':' + std::to_string(++last_)};
    const auto prepared = stepwise_ ? prepare_in_steps(changes, result.transaction)
                                    : prepare_at_once(changes, result.transaction);
    if (!prepared) {
      for (Branch& branch : branches_) branch.roll_back(result.transaction);
      result.state = CommitState::kAborted;
      result.reason = prepared.error();
      return result;
    }
    if (log_ != nullptr) log_->append();
    const auto committed = step(
        {"COMMIT PREPARED"},
        [&](Branch& branch, const Change&) { branch.commit(result.transaction); }, changes);
    CHECK(committed.has_value(), "a prepared transaction commits");
    result.state = CommitState::kCommitted;
    return result;
  }

 private:
  // Sends what `queue` queues to all databases, and takes the answers of all.
  template <class Queue>
  Result<void> step(std::initializer_list<std::string_view> tags, const Queue& queue,
                    const Changes& changes) {
    for (std::size_t i = 0; i < branches_.size(); ++i) {
      queue(branches_[i], changes[i]);
      branches_[i].sync();
    }
    Result<void> all;
    for (Branch& branch : branches_) {
      if (auto one = branch.receive(tags); !one && all) all = std::move(one);
    }
    return all;
  }

  Result<void> prepare_at_once(const Changes& changes, const std::string& transaction) {
    return step(
        {"BEGIN", "UPDATE 1", "PREPARE TRANSACTION"},
        [&](Branch& branch, const Change& change) {
          branch.begin();
          branch.update(change);
          branch.prepare(transaction);
        },
        changes);
  }

  Result<void> prepare_in_steps(const Changes& changes, const std::string& transaction) {
    const auto began = step(
        {"BEGIN"}, [](Branch& branch, const Change&) { branch.begin(); }, changes);
    if (!began) return began;
    const auto updated = step(
        {"UPDATE 1"}, [](Branch& branch, const Change& change) { branch.update(change); }, changes);
    if (!updated) return updated;
    return step(
        {"PREPARE TRANSACTION"},
        [&](Branch& branch, const Change&) { branch.prepare(transaction); }, changes);
  }

  std::vector<Branch> branches_;
  const bool stepwise_;
  DecisionLog* const log_;
  const std::string name_;
  std::uint64_t last_ = 0;
};

}  // namespace

Result<std::unique_ptr<Mover>> make_floor(const FloorOptions& options, const std::string& name) {
  std::vector<Branch> branches;
  for (const std::string& database : options.databases) {
    auto branch = Branch::connect(database, branches.size());
    if (!branch) return tl::unexpected(std::move(branch.error()));
    branches.push_back(*std::move(branch));
  }
  return std::make_unique<Floor>(std::move(branches), options, name);
}

}  // namespace assent::workload
