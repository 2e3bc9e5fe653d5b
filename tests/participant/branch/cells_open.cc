// The cells of a branch that is open, or is to be.
#include "tests/participant/branch/cells.h"

namespace assent::branch {

std::vector<StateCase> open_cases() {
  return {
      {"unknown", 0, [](Table&) {},
       R"(
open again: Acquire -> waiting for a connection
open with another nonce: Acquire -> waiting for a connection
next statement: t9=error UNKNOWN_BRANCH -> unknown
duplicate statement: t9=error UNKNOWN_BRANCH -> unknown
statement after a gap: t9=error UNKNOWN_BRANCH -> unknown
prepare: t9=NO UNKNOWN_BRANCH -> ended
prepare with another count: t9=NO UNKNOWN_BRANCH -> ended
prepare in one phase: t9=NO UNKNOWN_BRANCH -> ended
one-shot: Acquire -> unknown
settle: RunSettle b1 -> unknown
cancel: t9=error UNKNOWN_BRANCH -> unknown
cancel by another nonce: t9=error UNKNOWN_BRANCH -> unknown
commit: t9=error INTERNAL -> unknown
roll back: t9=DONE -> ended
connection granted: Release -> unknown
connection refused: nothing -> unknown
statement done: nothing -> unknown
statement miscounts: nothing -> unknown
statement failed: nothing -> unknown
transaction gone: nothing -> unknown
prepared: impossible
left read-only: impossible
committed in one phase: impossible
not prepared: nothing -> unknown
prepare not sent: nothing -> unknown
rolled back: nothing -> unknown
finished: impossible
not finished: impossible
finish not sent: impossible
settled: impossible
not settled: impossible
settle not sent: impossible
connection lost: nothing -> unknown
idle deadline: nothing -> unknown
end of its lifetime: nothing -> unknown
)"},
      {"waiting", 1, [](Table& t) { t.open(1); },
       R"(
open again: nothing -> waiting for a connection
open with another nonce: t9=error ID_REUSED -> waiting for a connection
next statement: nothing -> waiting for a connection
duplicate statement: nothing -> waiting for a connection
statement after a gap: t9=error STATEMENT_NUMBER -> waiting for a connection
prepare: RunRollback; t9=NO UNAVAILABLE -> being rolled back
prepare with another count: RunRollback; t9=NO UNAVAILABLE -> being rolled back
prepare in one phase: RunRollback; t9=NO UNAVAILABLE -> being rolled back
one-shot: t9=NO BRANCH_ENDED -> waiting for a connection
settle: RunRollback -> being rolled back
cancel: RunRollback -> being rolled back
cancel by another nonce: t9=error UNKNOWN_BRANCH -> waiting for a connection
commit: t9=error INTERNAL -> waiting for a connection
roll back: RunRollback -> being rolled back
connection granted: RunStatement 1 -> open
connection refused: t1=error OVERLOADED -> unknown
statement done: impossible
statement miscounts: impossible
statement failed: impossible
transaction gone: impossible
prepared: impossible
left read-only: impossible
committed in one phase: impossible
not prepared: impossible
prepare not sent: impossible
rolled back: impossible
finished: impossible
not finished: impossible
finish not sent: impossible
settled: impossible
not settled: impossible
settle not sent: impossible
connection lost: impossible
idle deadline: nothing -> waiting for a connection
end of its lifetime: RunRollback -> being rolled back
)"},
      {"idle", 1, [](Table& t) { t.be_open(); },
       R"(
open again: t9=ONE -> open
open with another nonce: t9=error ID_REUSED -> open
next statement: RunStatement 2 -> open
duplicate statement: t9=ONE -> open
statement after a gap: t9=error STATEMENT_NUMBER -> open
prepare: RunPrepare b1 -> being prepared
prepare with another count: RunRollback; t9=NO STATEMENT_NUMBER -> being rolled back
prepare in one phase: RunPrepare b1 one-phase -> being prepared
one-shot: t9=NO BRANCH_ENDED -> open
settle: RunRollback -> being rolled back
cancel: RunRollback -> being rolled back
cancel by another nonce: t9=error UNKNOWN_BRANCH -> open
commit: t9=error INTERNAL -> open
roll back: RunRollback -> being rolled back
connection granted: impossible
connection refused: impossible
statement done: impossible
statement miscounts: impossible
statement failed: impossible
transaction gone: impossible
prepared: impossible
left read-only: impossible
committed in one phase: impossible
not prepared: impossible
prepare not sent: impossible
rolled back: impossible
finished: impossible
not finished: impossible
finish not sent: impossible
settled: impossible
not settled: impossible
settle not sent: impossible
connection lost: nothing -> ended
idle deadline: RunRollback -> being rolled back
end of its lifetime: RunRollback -> being rolled back
)"},
      {"executing", 2,
       [](Table& t) {
         t.be_open();
         t.execute(2, 2);
       },
       R"(
open again: t9=ONE -> open
open with another nonce: t9=error ID_REUSED -> open
next statement: RunStatement 3 -> open
duplicate statement: t9=ONE -> open
statement after a gap: t9=error STATEMENT_NUMBER -> open
prepare: RunPrepare b1 -> being prepared
prepare with another count: RunRollback; t9=NO STATEMENT_NUMBER -> being rolled back
prepare in one phase: RunPrepare b1 one-phase -> being prepared
one-shot: t9=NO BRANCH_ENDED -> open
settle: RunRollback -> being rolled back
cancel: RunRollback -> being rolled back
cancel by another nonce: t9=error UNKNOWN_BRANCH -> open
commit: t9=error INTERNAL -> open
roll back: RunRollback -> being rolled back
connection granted: impossible
connection refused: impossible
statement done: t2=DONE -> open
statement miscounts: t2=DONE -> open
statement failed: t2=error SQL -> open
transaction gone: RunRollback; t2=error BRANCH_ENDED -> being rolled back
prepared: impossible
left read-only: impossible
committed in one phase: impossible
not prepared: impossible
prepare not sent: impossible
rolled back: impossible
finished: impossible
not finished: impossible
finish not sent: impossible
settled: impossible
not settled: impossible
settle not sent: impossible
connection lost: t2=error UNAVAILABLE -> ended
idle deadline: nothing -> open
end of its lifetime: RunRollback -> being rolled back
)"},
      {"failed", 2,
       [](Table& t) {
         t.be_open();
         t.execute(2, 2);
         t.failed(2, "23505");
       },
       R"(
open again: t9=ONE -> open
open with another nonce: t9=error ID_REUSED -> open
next statement: RunStatement 3 -> open
duplicate statement: t9=ONE -> open
statement after a gap: t9=error STATEMENT_NUMBER -> open
prepare: RunRollback; t9=NO SQL -> being rolled back
prepare with another count: RunRollback; t9=NO STATEMENT_NUMBER -> being rolled back
prepare in one phase: RunRollback; t9=NO SQL -> being rolled back
one-shot: t9=NO BRANCH_ENDED -> open
settle: RunRollback -> being rolled back
cancel: RunRollback -> being rolled back
cancel by another nonce: t9=error UNKNOWN_BRANCH -> open
commit: t9=error INTERNAL -> open
roll back: RunRollback -> being rolled back
connection granted: impossible
connection refused: impossible
statement done: impossible
statement miscounts: impossible
statement failed: impossible
transaction gone: impossible
prepared: impossible
left read-only: impossible
committed in one phase: impossible
not prepared: impossible
prepare not sent: impossible
rolled back: impossible
finished: impossible
not finished: impossible
finish not sent: impossible
settled: impossible
not settled: impossible
settle not sent: impossible
connection lost: nothing -> ended
idle deadline: RunRollback -> being rolled back
end of its lifetime: RunRollback -> being rolled back
)"},
      {"unknown, being settled", 0, [](Table& t) { t.settle(2); },
       R"(
open again: t9=error BRANCH_ENDED -> unknown
open with another nonce: t9=error BRANCH_ENDED -> unknown
next statement: t9=error UNKNOWN_BRANCH -> unknown
duplicate statement: t9=error UNKNOWN_BRANCH -> unknown
statement after a gap: t9=error UNKNOWN_BRANCH -> unknown
prepare: t9=NO UNKNOWN_BRANCH -> ended
prepare with another count: t9=NO UNKNOWN_BRANCH -> ended
prepare in one phase: t9=NO UNKNOWN_BRANCH -> ended
one-shot: t9=NO BRANCH_ENDED -> unknown
settle: nothing -> unknown
cancel: t9=error UNKNOWN_BRANCH -> unknown
cancel by another nonce: t9=error UNKNOWN_BRANCH -> unknown
commit: t9=error INTERNAL -> unknown
roll back: t9=DONE -> ended
connection granted: Release -> unknown
connection refused: nothing -> unknown
statement done: nothing -> unknown
statement miscounts: nothing -> unknown
statement failed: nothing -> unknown
transaction gone: nothing -> unknown
prepared: impossible
left read-only: impossible
committed in one phase: impossible
not prepared: nothing -> unknown
prepare not sent: nothing -> unknown
rolled back: nothing -> unknown
finished: impossible
not finished: impossible
finish not sent: impossible
settled: t2=SETTLED aborted -> unknown
not settled: t2=error UNAVAILABLE -> unknown
settle not sent: t2=error STALE_BALLOT -> unknown
connection lost: nothing -> unknown
idle deadline: nothing -> unknown
end of its lifetime: nothing -> unknown
)"},
  };
}

}  // namespace assent::branch
