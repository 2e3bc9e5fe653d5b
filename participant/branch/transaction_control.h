// Tells client SQL that would end, begin or prepare a transaction from all other SQL.
#pragma once

#include <string_view>

namespace assent::branch {

// True for BEGIN, START TRANSACTION, COMMIT, END, ROLLBACK, ABORT, PREPARE TRANSACTION, COMMIT
// PREPARED and ROLLBACK PREPARED, however cased, commented and spaced; false for savepoints
// (SAVEPOINT, RELEASE, ROLLBACK TO), SET TRANSACTION and PREPARE name AS. Looks at the first
// statement only: PostgreSQL refuses a second one in an extended-protocol message.
[[nodiscard]] bool is_transaction_control(std::string_view sql);

}  // namespace assent::branch
