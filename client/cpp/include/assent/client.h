// Assent's C++ client: transactions that span several PostgreSQL databases.
//
//   auto client = assent::Client::connect({.coordinators = {"127.0.0.1:7101"}}).value();
//   auto transfer = client.start();
//   transfer.execute("orders", "UPDATE accounts SET balance = balance - 10 WHERE id = $1", {7});
//   transfer.execute("stock", "UPDATE accounts SET balance = balance + 10 WHERE id = $1", {9});
//   assent::CommitResult result = transfer.commit();
//
// Both updates take effect, or none does. A failed execute() need not be looked at when its rows
// are not: commit() then aborts and gives that error as its reason.
//
// A Client may be shared by any number of threads; a Transaction belongs to one thread at a time.
// Calls block. Nothing here throws, except that value() of a failed Result throws as tl::expected
// does.
//
// In one message, where the statements do not depend on each other's rows:
//
//   assent::OneShot transfer;
//   transfer.add("orders", "UPDATE accounts SET balance = balance - 10 WHERE id = 7", {}, 1);
//   transfer.add("stock", "UPDATE accounts SET balance = balance + 10 WHERE id = 9", {}, 1);
//   assent::CommitResult result = client.commit(transfer);
//
// The 1 is the number of rows that the statement must affect: any other aborts everywhere.
#pragma once

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/error.h"

namespace assent {

// Any integer type but bool and the character types.
template <class T>
concept Integer = std::integral<T> && !std::same_as<T, bool> && !std::same_as<T, char> &&
                  !std::same_as<T, wchar_t> && !std::same_as<T, char8_t> &&
                  !std::same_as<T, char16_t> && !std::same_as<T, char32_t>;

// A parameter: NULL, or a value in PostgreSQL's text form. The conversions are implicit so that a
// list of values reads as one: {10, "seven", nullptr, 0.5}. A value of any other type (a date, an
// array, bytea) is passed as its text; the server infers the type from the statement.
class Parameter {
 public:
  Parameter(std::nullptr_t) {}                               // NOLINT: NULL
  Parameter(std::nullopt_t) {}                               // NOLINT: NULL
  Parameter(std::string value) : text_(std::move(value)) {}  // NOLINT
  Parameter(std::string_view value) : text_(value) {}        // NOLINT
  Parameter(const char* value) : text_(value) {}             // NOLINT: precondition: not null
  Parameter(double value);                                   // NOLINT: reads back as the same value
  Parameter(Integer auto value) : text_(std::to_string(value)) {}         // NOLINT
  Parameter(std::same_as<bool> auto value) : text_(value ? "t" : "f") {}  // NOLINT
  template <class T>
  Parameter(const std::optional<T>& value) {  // NOLINT: empty is NULL
    if (value) *this = Parameter(*value);
  }

  // nullopt is NULL.
  [[nodiscard]] const std::optional<std::string>& text() const { return text_; }

 private:
  std::optional<std::string> text_;
};

// The rows and counts of one statement.
class Rows {
 public:
  struct Column {
    std::string name;
    std::uint32_t type_oid = 0;  // pg_type.oid
  };
  using Value = std::optional<std::string>;  // PostgreSQL's text form; nullopt is NULL

  Rows() = default;
  // Precondition: every row has a value for each column.
  Rows(std::vector<Column> columns, std::vector<std::vector<Value>> values, std::int64_t row_count,
       std::string command_tag);

  [[nodiscard]] const std::vector<Column>& columns() const { return columns_; }
  [[nodiscard]] std::size_t size() const { return values_.size(); }
  [[nodiscard]] bool empty() const { return values_.empty(); }
  // Rows affected or returned, as the command tag says; 0 when it names none.
  [[nodiscard]] std::int64_t row_count() const { return row_count_; }
  // For example "UPDATE 1".
  [[nodiscard]] const std::string& command_tag() const { return command_tag_; }

  // Precondition: row and column exist.
  [[nodiscard]] const Value& text(std::size_t row, std::size_t column) const;

  // A value by its column's name (the first of that name). kInvalidArgument when the row or the
  // column does not exist, the value is NULL, or it is not of this type.
  [[nodiscard]] Result<std::int64_t> integer(std::size_t row, std::string_view column) const;
  [[nodiscard]] Result<double> number(std::size_t row, std::string_view column) const;
  [[nodiscard]] Result<bool> boolean(std::size_t row, std::string_view column) const;
  [[nodiscard]] Result<std::string> string(std::size_t row, std::string_view column) const;
  // True for NULL; kInvalidArgument when the row or the column does not exist.
  [[nodiscard]] Result<bool> is_null(std::size_t row, std::string_view column) const;

 private:
  [[nodiscard]] Result<const Value*> find(std::size_t row, std::string_view column) const;
  [[nodiscard]] Result<std::string_view> present(std::size_t row, std::string_view column) const;

  std::vector<Column> columns_;
  std::vector<std::vector<Value>> values_;
  std::int64_t row_count_ = 0;
  std::string command_tag_;
};

// How a transaction ended, as far as it is known here.
enum class CommitState {
  kCommitted,  // on every participant, for ever
  kAborted,    // on every participant, for ever; `reason` says why
  kUnknown,    // no answer in time: committed, aborted or not decided yet. Ask Client::outcome
               // later, or call commit() or abort() again
};
std::string_view name(CommitState state);  // "committed", "aborted" or "unknown"

struct CommitResult {
  CommitState state = CommitState::kUnknown;
  std::string transaction = {};             // its id, to ask with later
  std::vector<std::string> pending = {};    // committed, but not yet readable on these participants
  std::vector<std::string> heuristic = {};  // participants whose branch someone else ended by hand
  std::vector<std::string> read_only = {};  // participants whose branch had only read
  bool one_phase = false;       // the one branch that wrote committed without being prepared
  std::vector<Rows> rows = {};  // of a OneShot that committed: one for each statement, as added
  bool results_unavailable = false;  // it committed, but `rows` was lost with an answer (R9)
  std::size_t attempts = 1;          // how many transactions run() and commit(OneShot) tried
  // Present unless it committed. Of kAborted: why; retryable(*reason) says whether the same work
  // may succeed in a new transaction. Of kUnknown: what was in the way.
  std::optional<Error> reason = {};

  [[nodiscard]] bool committed() const { return state == CommitState::kCommitted; }
};

enum class Acknowledge {
  kApplied,  // when every participant can be read
  kDecided,  // as soon as the outcome is durable; participants follow
};

struct CommitOptions {
  Acknowledge acknowledge = Acknowledge::kApplied;
  std::int32_t timeout_ms = 10'000;  // for the votes; then the transaction aborts. 1 to 600,000
};

// How a branch's transaction begins; what is absent is the database's default.
enum class Isolation { kReadCommitted, kRepeatableRead, kSerializable };
struct BranchOptions {
  std::optional<Isolation> isolation = {};
  std::optional<bool> read_only = {};  // PostgreSQL then refuses every statement that writes
};

// A whole transaction, to be sent in one message by Client::commit. Statements of one participant
// run in the order in which they were added, those of different participants at the same time. So
// two that change the same rows of two participants may each hold what the other waits for, where
// no database sees the deadlock: the first deadline ends it (timeout_ms, or a lock_timeout, kSql
// 55P03).
class OneShot {
 public:
  // `expected_rows`: how many rows the statement must affect or return; any other number aborts the
  // transaction with kRowCount.
  OneShot& add(const std::string& participant, const std::string& sql,
               std::vector<Parameter> parameters = {},
               std::optional<std::int64_t> expected_rows = {});
  // How the participant's branch begins. Of no effect where no statement is added.
  OneShot& branch(const std::string& participant, BranchOptions options);

 private:
  friend class Client;
  class Request;
  struct Added {
    std::string participant;
    std::string sql;
    std::vector<Parameter> parameters;
    std::optional<std::int64_t> expected_rows;
  };
  std::vector<Added> statements_;
  std::map<std::string, BranchOptions> branches_;
};

// Running a transaction again, under a new id, after PostgreSQL gave it up for the sake of others:
// SQLSTATE 40001 (serialization failure) and 40P01 (deadlock). Nothing of the first is left then.
// No attempt begins later than unknown_after_ms after the first one.
struct RetryOptions {
  std::int32_t attempts_max = 5;  // 1: never again. 1 to 1,000
};

class ClientCore;

// One distributed transaction. Dropping it before commit() rolls its branches back in the
// background, as far as a coordinator can still be reached; else their idle deadline does.
// A Transaction may outlive its Client.
class Transaction {
 public:
  Transaction(Transaction&&) noexcept;
  Transaction& operator=(Transaction&&) noexcept;
  ~Transaction();

  [[nodiscard]] const std::string& id() const;

  // Runs one statement on a participant; the first one opens its branch. The message of an error
  // says the statement's number, `participant` where it was to run.
  //
  // Lost connections and restarts are ridden out until statement_timeout_ms, without running the
  // statement twice. After an error the transaction cannot commit any more: each further execute()
  // gives the same error, and commit() aborts. Only a kSql error after a SAVEPOINT of this branch
  // can be mended, by ROLLBACK TO SAVEPOINT.
  //   kSql                 PostgreSQL refused it; `sql` has its words
  //   kUnknownParticipant  nobody of that name is registered
  //   kUnavailable         its agent or database could not be reached in time
  //   kOverloaded          its agent had no free connection in time
  //   kOutcomeUnknown      sent, but not answered in time
  //   kTransactionControl  the statement is COMMIT, ROLLBACK or the like
  //   kBranchEnded         the transaction has ended, or the branch passed its idle deadline
  //   kUnknownBranch       the agent restarted and with it the branch ended
  //   kClock, kExpired     the transaction was started too long ago, or the clocks disagree
  //   kRowCount            it affected or returned another number of rows than expected_rows
  Result<Rows> execute(const std::string& participant, const std::string& sql,
                       std::vector<Parameter> parameters = {},
                       std::optional<std::int64_t> expected_rows = {});

  // How the participant's branch begins. Precondition: no statement was executed there.
  void branch(const std::string& participant, BranchOptions options);

  // Cancels what the branches run and rolls them back, so that a running execute() returns:
  // kBranchEnded, as every later one. The transaction can only abort. The one method that another
  // thread may call meanwhile; it waits for the agents for 2 seconds at most. No effect after
  // commit() or abort() was called.
  void cancel();

  // Commits everywhere or aborts everywhere. The request is repeated, to every coordinator, until
  // one gives the outcome or unknown_after_ms is over; then the result is kUnknown, and commit()
  // may be called again (it repeats the first call's options). It never gives two answers.
  //
  // kAborted has for `reason` what made it so: the first failed statement, a participant's refusal
  // (kSql with statement number 0 is one of PREPARE itself, such as a deferred constraint),
  // kDeadline when the votes came too late, or a refusal of the request as a whole (kClock,
  // kExpired, kInvalidArgument, …). Such a refusal of a request that was repeated after a lost
  // connection proves nothing, and is kUnknown.
  //
  // A transaction without any statement commits without a message, and leaves no record: outcome()
  // does not know it.
  CommitResult commit(const CommitOptions& options = {});

  // Aborts and frees what the branches hold. kAborted, unless a commit() that ended kUnknown came
  // first: then it is the outcome that was decided, or again kUnknown. When commit() was never
  // called the result is kAborted even if no coordinator could be reached: then `reason` says so,
  // and the branches end at their idle deadline. Otherwise `reason` has only the code kBranchEnded.
  CommitResult abort();

 private:
  friend class Client;
  struct State;
  explicit Transaction(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

struct ClientOptions {
  std::vector<std::string> coordinators = {};  // "host:port" of the client ports, in any order
  std::string cluster = {};                    // empty: the cluster of the first that answers
  std::string name = "anonymous";  // creator of the transactions, for people to recognise
  std::int32_t connect_timeout_ms = 5'000;
  // Of each statement: PostgreSQL cancels it then, and 2 seconds later execute() waits no longer.
  // Those of a OneShot have CommitOptions::timeout_ms at most.
  std::int32_t statement_timeout_ms = 30'000;
  std::int32_t idle_timeout_ms = 60'000;   // the agent rolls an idle branch back. 1 to 3,600,000
  std::int32_t unknown_after_ms = 30'000;  // how long commit() asks on before it says kUnknown
};

class Client {
 public:
  // Reaches a coordinator and learns participants and time.
  //   kInvalidArgument  an option is out of range; the message names it
  //   kUnavailable      no coordinator answered in connect_timeout_ms
  //   kWrongCluster     it is not the cluster that was asked for
  static Result<Client> connect(ClientOptions options);
  Client(Client&&) noexcept;
  Client& operator=(Client&&) noexcept;
  ~Client();

  // Begins a transaction; costs no message.
  Transaction start();

  // Runs a whole transaction in one message, and again under `retry`. Its id is that of the last
  // attempt; kUnknown is never tried again, ask outcome(). Without statements it commits without a
  // message.
  CommitResult commit(const OneShot& transaction, const CommitOptions& options = {},
                      const RetryOptions& retry = {});

  // Begins a transaction, lets `work` execute its statements, and commits it; again under `retry`,
  // so `work` must be fit to be repeated. Aborts when `work` returns an error, which is the reason.
  // A conflict that an execute() met counts, whatever `work` made of it.
  CommitResult run(const std::function<Result<void>(Transaction&)>& work,
                   const CommitOptions& options = {}, const RetryOptions& retry = {});

  // Names of the registered participants, freshly asked.
  Result<std::vector<std::string>> participants();

  // What became of a transaction. kUnknown means not decided yet (`reason` is kOutcomeUnknown), no
  // longer remembered (kExpired), or that nobody could be asked.
  CommitResult outcome(const std::string& transaction);

 private:
  explicit Client(std::shared_ptr<ClientCore> core);
  std::shared_ptr<ClientCore> core_;
};

}  // namespace assent
