// SQL statements and their results, as values. Clients send them, the coordinator passes them on
// with a one-shot commit, agents run them.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/time.h"

namespace assent {

// A value in PostgreSQL's text form; nullopt is NULL.
using Value = std::optional<std::string>;

struct Statement {
  std::string sql;
  std::vector<Value> parameters = {};
  Millis timeout{0};  // 0: the database's own statement_timeout
  // Rows that it must affect or return; another number fails it with kRowCount.
  std::optional<std::int64_t> expected_rows = std::nullopt;

  bool operator==(const Statement&) const = default;
};

struct Column {
  std::string name;
  std::uint32_t type_oid = 0;

  bool operator==(const Column&) const = default;
};

struct StatementResult {
  std::vector<Column> columns;
  std::vector<std::vector<Value>> rows;
  std::int64_t row_count = 0;  // affected or returned; 0 when the tag names none
  std::string command_tag;

  bool operator==(const StatementResult&) const = default;
};

enum class IsolationLevel : std::uint8_t {
  kReadCommitted = 1,
  kRepeatableRead = 2,
  kSerializable = 3
};

// How a branch's transaction begins; what is absent is the work role's default.
struct BranchMode {
  std::optional<IsolationLevel> isolation = std::nullopt;
  std::optional<bool> read_only = std::nullopt;

  bool operator==(const BranchMode&) const = default;
};

// A whole branch: its statements, which run between BEGIN and the vote.
struct OneShotBranch {
  std::vector<Statement> statements;
  BranchMode mode;

  bool operator==(const OneShotBranch&) const = default;
};
inline constexpr std::size_t kOneShotStatementsMax = 1'000;

// Shared, because statements and results are large and travel through many hands unchanged.
using OneShotWork = std::shared_ptr<const OneShotBranch>;
using StatementResults = std::shared_ptr<const std::vector<StatementResult>>;

}  // namespace assent
