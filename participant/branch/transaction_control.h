// What the first words of client SQL say: whether it would end, begin or prepare a transaction.
#pragma once

#include <string>
#include <string_view>

namespace assent::branch {

// True for BEGIN, START TRANSACTION, COMMIT, END, ROLLBACK, ABORT, PREPARE TRANSACTION, COMMIT
// PREPARED and ROLLBACK PREPARED, however cased, commented and spaced; false for savepoints
// (SAVEPOINT, RELEASE, ROLLBACK TO), SET TRANSACTION and PREPARE name AS. Looks at the first
// statement only: PostgreSQL refuses a second one in an extended-protocol message.
[[nodiscard]] bool is_transaction_control(std::string_view sql);

// The statement's first word in lower case, behind spaces, comments and empty statements; empty
// when it does not begin with a word.
[[nodiscard]] std::string first_word(std::string_view sql);

// True for SELECT, VALUES, TABLE, SHOW, EXPLAIN and FETCH. A guess: functions may write, and so may
// EXPLAIN ANALYZE; what a branch did is told by its xid alone.
[[nodiscard]] bool reads_by_its_word(std::string_view sql);

}  // namespace assent::branch
