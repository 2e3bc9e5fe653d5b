// SQL statements of a branch and their results, as values.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/time.h"

namespace assent::branch {

// A value in PostgreSQL's text form; nullopt is NULL.
using Value = std::optional<std::string>;

struct Statement {
  std::string sql;
  std::vector<Value> parameters;
  Millis timeout{0};  // 0: the database's own statement_timeout

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

}  // namespace assent::branch
