// Assent's C++ client: transactions that span several PostgreSQL databases.
//
//   assent::Client client = assent::Client::connect({.coordinators = {"127.0.0.1:7101"}}).value();
//   assent::Transaction transfer = client.start();
//   transfer.execute("orders", "UPDATE accounts SET balance = balance - $1 WHERE id = $2", {10,
//   7}); transfer.execute("stock", "UPDATE accounts SET balance = balance + $1 WHERE id = $2", {10,
//   9}); assent::CommitResult result = transfer.commit();
//
// A Client may be shared by any number of threads; a Transaction belongs to one thread at a time.
// Calls block. Nothing here throws, except that value() of a failed Result throws as tl::expected
// does.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"

namespace assent {

// A parameter: NULL, or a value in PostgreSQL's text form.
class Parameter {
 public:
  Parameter(std::nullptr_t) {}                                     // NOLINT: implicit on purpose
  Parameter(std::string value) : text_(std::move(value)) {}        // NOLINT
  Parameter(const char* value) : text_(value) {}                   // NOLINT
  Parameter(bool value) : text_(value ? "t" : "f") {}              // NOLINT
  Parameter(int value) : text_(std::to_string(value)) {}           // NOLINT
  Parameter(std::int64_t value) : text_(std::to_string(value)) {}  // NOLINT
  Parameter(double value);  // NOLINT: shortest form that reads back equal

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

  [[nodiscard]] const std::vector<Column>& columns() const { return columns_; }
  [[nodiscard]] std::size_t size() const { return values_.size(); }
  [[nodiscard]] bool empty() const { return values_.empty(); }
  // Rows affected or returned, as the command tag says.
  [[nodiscard]] std::int64_t row_count() const { return row_count_; }
  // For example "UPDATE 1".
  [[nodiscard]] const std::string& command_tag() const { return command_tag_; }

  // A value in PostgreSQL's text form; nullopt is NULL. Precondition: row and column exist.
  [[nodiscard]] const std::optional<std::string>& text(std::size_t row, std::size_t column) const;
  // The same by column name; kInvalidArgument names a column that does not exist, NULL, or a value
  // that is not a number of this type.
  [[nodiscard]] Result<std::int64_t> integer(std::size_t row, std::string_view column) const;
  [[nodiscard]] Result<double> number(std::size_t row, std::string_view column) const;
  [[nodiscard]] Result<bool> boolean(std::size_t row, std::string_view column) const;
  [[nodiscard]] Result<std::string> string(std::size_t row, std::string_view column) const;

 private:
  friend class Transaction;
  std::vector<Column> columns_;
  std::vector<std::vector<std::optional<std::string>>> values_;
  std::int64_t row_count_ = 0;
  std::string command_tag_;
};

// How a commit ended, as far as it is known here.
enum class CommitState {
  kCommitted,  // on every participant, for ever
  kAborted,    // on every participant, for ever; `reason` says why
  kUnknown,    // no answer in time: it is one of the two. Ask Client::outcome, or commit() again
};

struct CommitResult {
  CommitState state = CommitState::kUnknown;
  std::string transaction;             // its id, to ask with later
  std::vector<std::string> pending;    // committed, but not yet readable on these participants
  std::vector<std::string> heuristic;  // participants whose branch someone else ended by hand
  std::optional<Error> reason;         // of kAborted; of kUnknown: what was in the way

  [[nodiscard]] bool committed() const { return state == CommitState::kCommitted; }
};

enum class Acknowledge {
  kApplied,  // when every participant can be read
  kDecided,  // as soon as the outcome is durable; participants follow
};

struct CommitOptions {
  Acknowledge acknowledge = Acknowledge::kApplied;
  std::int32_t timeout_ms = 10'000;  // for the votes; then the transaction aborts
};

class ClientCore;

// One distributed transaction. Dropping it unfinished leaves its branches to their idle deadline;
// call abort() to free them at once.
class Transaction {
 public:
  Transaction(Transaction&&) noexcept;
  Transaction& operator=(Transaction&&) noexcept;
  ~Transaction();

  [[nodiscard]] const std::string& id() const;

  // Runs one statement on a participant; the first one opens its branch. A kSql error leaves the
  // transaction good only for abort() (or ROLLBACK TO SAVEPOINT).
  Result<Rows> execute(const std::string& participant, const std::string& sql,
                       std::vector<Parameter> parameters = {});

  // Commits everywhere or aborts everywhere. May be repeated after kUnknown; never gives two
  // answers.
  CommitResult commit(const CommitOptions& options = {});

  // Aborts, unless the commit came first. Answers what the outcome is: kAborted normally.
  CommitResult abort();

 private:
  friend class Client;
  struct State;
  explicit Transaction(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

struct ClientOptions {
  std::vector<std::string> coordinators;  // "host:port" of the client ports, in any order
  std::string cluster;                    // empty: whichever answers
  std::string name = "anonymous";         // creator of the transactions, for people to recognise
  std::int32_t connect_timeout_ms = 5'000;
  std::int32_t statement_timeout_ms = 30'000;  // of each execute
  std::int32_t idle_timeout_ms = 60'000;       // the agent rolls an idle branch back after this
  std::int32_t unknown_after_ms = 30'000;      // how long commit() asks on before it says kUnknown
};

class Client {
 public:
  // Reaches a coordinator and learns participants and time.
  static Result<Client> connect(ClientOptions options);
  Client(Client&&) noexcept;
  Client& operator=(Client&&) noexcept;
  ~Client();

  // Begins a transaction; costs no message.
  Transaction start();

  // Names of the registered participants.
  Result<std::vector<std::string>> participants();

  // What became of a transaction. kUnknown means undecided, or that nobody could be asked; `reason`
  // then says which.
  CommitResult outcome(const std::string& transaction);

 private:
  explicit Client(std::shared_ptr<ClientCore> core);
  std::shared_ptr<ClientCore> core_;
};

}  // namespace assent
