// PostgreSQL's answers, and their conversion into our values.
#pragma once

#include <libpq-fe.h>

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "base/statement.h"

namespace assent::postgres {

struct FreeResult {
  void operator()(PGresult* result) const { PQclear(result); }
};
using ResultHandle = std::unique_ptr<PGresult, FreeResult>;

// The answer to one command.
struct Answer {
  ResultHandle result;
  // Messages of severity WARNING that came with it. A cancelled wait for a synchronous standby is
  // told in no other way (postgres.md, "Durability").
  std::vector<std::string> warnings;
  // The command was COPY to or from the client. It got no data, or its data was dropped.
  bool was_copy = false;

  [[nodiscard]] bool ok() const;
  // The command was not run, because an earlier one of its batch failed.
  [[nodiscard]] bool skipped() const;
  [[nodiscard]] std::string_view tag() const;  // empty when it failed
  [[nodiscard]] std::string_view sqlstate() const;
};
using Answers = std::vector<Answer>;

// Precondition: answer.ok().
StatementResult to_result(const Answer& answer);

// Precondition: !answer.ok(). The number is the statement's within its branch; 0: no statement.
Error to_error(const Answer& answer, int statement_number = 0);

// The first answer that failed, or null.
const Answer* first_failed(const Answers& answers);

// Numbers in PostgreSQL's text form. Precondition: the text is one; NULL is none.
std::uint64_t to_u64(const Value& text);
// As above for a signed bigint that stands for 64 unsigned bits.
std::uint64_t to_bits(const Value& text);

// "16/B374D848" as bytes.
std::uint64_t parse_lsn(std::string_view text);

// The timeline in the name of a WAL file: its first eight hexadecimal digits.
std::uint32_t timeline_of_wal_file(std::string_view name);

// The 64-bit form of a live transaction's 32-bit xid, given another one of about now: PostgreSQL
// keeps live ones within 2^31 of each other. The result may be above or below `near`.
std::uint64_t extend_xid(std::uint32_t xid, std::uint64_t near);

}  // namespace assent::postgres
