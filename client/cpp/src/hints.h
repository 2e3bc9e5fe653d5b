// Which branches only read, as far as can be told without asking PostgreSQL. The coordinator takes
// it as a hint: a wrong one costs time, never correctness.
#pragma once

#include <string_view>

namespace assent::client {

// Whether a statement that was answered with this command tag has changed nothing.
bool tag_reads(std::string_view command_tag);

// Whether a statement reads by its first word: SELECT, VALUES, TABLE or SHOW. Only white space is
// skipped before it.
bool statement_reads(std::string_view sql);

}  // namespace assent::client
