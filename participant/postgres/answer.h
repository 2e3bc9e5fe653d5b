// PostgreSQL's answers, and how what is written in them is read.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "base/statement.h"

namespace assent::postgres {

enum class AnswerStatus : std::uint8_t {
  kOk,
  kFailed,
  kSkipped,  // not run, because an earlier command of its batch failed
};

// The answer to one command.
struct Answer {
  AnswerStatus status = AnswerStatus::kOk;
  StatementResult result = {};  // of a success
  SqlError sql = {};            // of a failure
  // Messages of severity WARNING that came with it. A cancelled wait for a synchronous standby is
  // told in no other way (postgres.md, "Durability").
  std::vector<std::string> warnings = {};
  // The command was COPY to or from the client, which fails: it got no data, or its data was
  // dropped.
  bool was_copy = false;

  [[nodiscard]] bool ok() const { return status == AnswerStatus::kOk; }
  [[nodiscard]] bool skipped() const { return status == AnswerStatus::kSkipped; }
  [[nodiscard]] std::string_view tag() const { return result.command_tag; }  // empty when it failed
  [[nodiscard]] std::string_view sqlstate() const { return sql.sqlstate; }
};
using Answers = std::vector<Answer>;

// Precondition: answer.ok().
const StatementResult& to_result(const Answer& answer);
// Leaves the answer without it. Precondition: answer.ok().
StatementResult take_result(Answer& answer);

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
