// The cells of a branch that rolls back, or has.
#include "tests/participant/branch/cells.h"

namespace assent::branch {

std::vector<StateCase> ending_cases() {
  return {
      {"rolling back, a statement in flight", 2,
       [](Table& t) {
         t.be_open();
         t.execute(2, 2);
         t.roll_back(3);
       },
       R"(
open again: t9=ONE -> being rolled back
open with another nonce: t9=error ID_REUSED -> being rolled back
next statement: t9=error BRANCH_ENDED -> being rolled back
duplicate statement: t9=ONE -> being rolled back
statement after a gap: t9=error STATEMENT_NUMBER -> being rolled back
prepare: t9=NO BRANCH_ENDED -> being rolled back
prepare with another count: t9=NO BRANCH_ENDED -> being rolled back
prepare in one phase: t9=NO BRANCH_ENDED -> being rolled back
one-shot: t9=NO BRANCH_ENDED -> being rolled back
settle: nothing -> being rolled back
cancel: nothing -> being rolled back
cancel by another nonce: t9=error UNKNOWN_BRANCH -> being rolled back
commit: t9=error INTERNAL -> being rolled back
roll back: nothing -> being rolled back
connection granted: impossible
connection refused: impossible
statement done: t2=DONE -> being rolled back
statement miscounts: t2=DONE -> being rolled back
statement failed: t2=error SQL -> being rolled back
transaction gone: t2=error BRANCH_ENDED -> being rolled back
prepared: impossible
left read-only: impossible
committed in one phase: impossible
not prepared: impossible
prepare not sent: impossible
rolled back: Release; t2=error BRANCH_ENDED; t3=DONE -> ended
finished: impossible
not finished: impossible
finish not sent: impossible
settled: impossible
not settled: impossible
settle not sent: impossible
connection lost: t2=error BRANCH_ENDED; t3=DONE -> ended
idle deadline: nothing -> being rolled back
end of its lifetime: nothing -> being rolled back
)"},
      {"rolling back while it waits", 1,
       [](Table& t) {
         t.open(1);
         t.roll_back(2);
       },
       R"(
open again: nothing -> being rolled back
open with another nonce: t9=error ID_REUSED -> being rolled back
next statement: t9=error BRANCH_ENDED -> being rolled back
duplicate statement: nothing -> being rolled back
statement after a gap: t9=error STATEMENT_NUMBER -> being rolled back
prepare: t9=NO BRANCH_ENDED -> being rolled back
prepare with another count: t9=NO BRANCH_ENDED -> being rolled back
prepare in one phase: t9=NO BRANCH_ENDED -> being rolled back
one-shot: t9=NO BRANCH_ENDED -> being rolled back
settle: nothing -> being rolled back
cancel: nothing -> being rolled back
cancel by another nonce: t9=error UNKNOWN_BRANCH -> being rolled back
commit: t9=error INTERNAL -> being rolled back
roll back: nothing -> being rolled back
connection granted: nothing -> being rolled back
connection refused: t1=error BRANCH_ENDED; t2=DONE -> ended
statement done: impossible
statement miscounts: impossible
statement failed: impossible
transaction gone: impossible
prepared: impossible
left read-only: impossible
committed in one phase: impossible
not prepared: impossible
prepare not sent: impossible
rolled back: t1=error BRANCH_ENDED; t2=DONE -> ended
finished: impossible
not finished: impossible
finish not sent: impossible
settled: impossible
not settled: impossible
settle not sent: impossible
connection lost: t1=error BRANCH_ENDED; t2=DONE -> ended
idle deadline: nothing -> being rolled back
end of its lifetime: nothing -> being rolled back
)"},
      {"rolling back, cancelled", 1,
       [](Table& t) {
         t.be_open();
         t.cancel(2);
       },
       R"(
open again: t9=ONE -> being rolled back
open with another nonce: t9=error ID_REUSED -> being rolled back
next statement: t9=error BRANCH_ENDED -> being rolled back
duplicate statement: t9=ONE -> being rolled back
statement after a gap: t9=error STATEMENT_NUMBER -> being rolled back
prepare: t9=NO BRANCH_ENDED -> being rolled back
prepare with another count: t9=NO BRANCH_ENDED -> being rolled back
prepare in one phase: t9=NO BRANCH_ENDED -> being rolled back
one-shot: t9=NO BRANCH_ENDED -> being rolled back
settle: nothing -> being rolled back
cancel: nothing -> being rolled back
cancel by another nonce: t9=error UNKNOWN_BRANCH -> being rolled back
commit: t9=error INTERNAL -> being rolled back
roll back: nothing -> being rolled back
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
rolled back: Release; t2=CANCELLED -> ended
finished: impossible
not finished: impossible
finish not sent: impossible
settled: impossible
not settled: impossible
settle not sent: impossible
connection lost: t2=CANCELLED -> ended
idle deadline: nothing -> being rolled back
end of its lifetime: nothing -> being rolled back
)"},
      {"rolling back, to be settled", 1,
       [](Table& t) {
         t.be_open();
         t.settle(2);
       },
       R"(
open again: t9=ONE -> being rolled back
open with another nonce: t9=error ID_REUSED -> being rolled back
next statement: t9=error BRANCH_ENDED -> being rolled back
duplicate statement: t9=ONE -> being rolled back
statement after a gap: t9=error STATEMENT_NUMBER -> being rolled back
prepare: t9=NO BRANCH_ENDED -> being rolled back
prepare with another count: t9=NO BRANCH_ENDED -> being rolled back
prepare in one phase: t9=NO BRANCH_ENDED -> being rolled back
one-shot: t9=NO BRANCH_ENDED -> being rolled back
settle: nothing -> being rolled back
cancel: nothing -> being rolled back
cancel by another nonce: t9=error UNKNOWN_BRANCH -> being rolled back
commit: t9=error INTERNAL -> being rolled back
roll back: nothing -> being rolled back
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
rolled back: Release; RunSettle b1 -> ended
finished: impossible
not finished: impossible
finish not sent: impossible
settled: impossible
not settled: impossible
settle not sent: impossible
connection lost: RunSettle b1 -> ended
idle deadline: nothing -> being rolled back
end of its lifetime: nothing -> being rolled back
)"},
      {"rolled back", 1,
       [](Table& t) {
         t.be_open();
         t.roll_back(2);
         t.rolled_back();
       },
       R"(
open again: t9=error BRANCH_ENDED -> ended
open with another nonce: t9=error BRANCH_ENDED -> ended
next statement: t9=error BRANCH_ENDED -> ended
duplicate statement: t9=error BRANCH_ENDED -> ended
statement after a gap: t9=error BRANCH_ENDED -> ended
prepare: t9=NO BRANCH_ENDED -> ended
prepare with another count: t9=NO BRANCH_ENDED -> ended
prepare in one phase: t9=NO BRANCH_ENDED -> ended
one-shot: t9=NO BRANCH_ENDED -> ended
settle: RunSettle b1 -> ended
cancel: t9=CANCELLED -> ended
cancel by another nonce: t9=error UNKNOWN_BRANCH -> ended
commit: t9=HEURISTIC_ROLLBACK -> ended
roll back: t9=DONE -> ended
connection granted: Release -> ended
connection refused: nothing -> ended
statement done: nothing -> ended
statement miscounts: nothing -> ended
statement failed: nothing -> ended
transaction gone: nothing -> ended
prepared: impossible
left read-only: impossible
committed in one phase: impossible
not prepared: nothing -> ended
prepare not sent: nothing -> ended
rolled back: nothing -> ended
finished: impossible
not finished: impossible
finish not sent: impossible
settled: impossible
not settled: impossible
settle not sent: impossible
connection lost: nothing -> ended
idle deadline: nothing -> ended
end of its lifetime: nothing -> unknown
)"},
      {"ended, nothing tells how", 2,
       [](Table& t) {
         t.be_open();
         t.execute(2, 2);
         t.step(StatementDone{t.id, 2, tagged("COMMIT"), false});
         t.rolled_back();
       },
       R"(
open again: t9=error BRANCH_ENDED -> ended
open with another nonce: t9=error BRANCH_ENDED -> ended
next statement: t9=error BRANCH_ENDED -> ended
duplicate statement: t9=error BRANCH_ENDED -> ended
statement after a gap: t9=error BRANCH_ENDED -> ended
prepare: t9=NO BRANCH_ENDED -> ended
prepare with another count: t9=NO BRANCH_ENDED -> ended
prepare in one phase: t9=NO BRANCH_ENDED -> ended
one-shot: t9=NO BRANCH_ENDED -> ended
settle: RunSettle b1 -> ended
cancel: t9=error BRANCH_ENDED -> ended
cancel by another nonce: t9=error UNKNOWN_BRANCH -> ended
commit: t9=HAZARD -> ended
roll back: t9=HAZARD -> ended
connection granted: Release -> ended
connection refused: nothing -> ended
statement done: nothing -> ended
statement miscounts: nothing -> ended
statement failed: nothing -> ended
transaction gone: nothing -> ended
prepared: impossible
left read-only: impossible
committed in one phase: impossible
not prepared: nothing -> ended
prepare not sent: nothing -> ended
rolled back: nothing -> ended
finished: impossible
not finished: impossible
finish not sent: impossible
settled: impossible
not settled: impossible
settle not sent: impossible
connection lost: nothing -> ended
idle deadline: nothing -> ended
end of its lifetime: nothing -> unknown
)"},
      {"rolled back, being settled", 1,
       [](Table& t) {
         t.be_open();
         t.settle(2);
         t.rolled_back();
       },
       R"(
open again: t9=error BRANCH_ENDED -> ended
open with another nonce: t9=error BRANCH_ENDED -> ended
next statement: t9=error BRANCH_ENDED -> ended
duplicate statement: t9=error BRANCH_ENDED -> ended
statement after a gap: t9=error BRANCH_ENDED -> ended
prepare: t9=NO BRANCH_ENDED -> ended
prepare with another count: t9=NO BRANCH_ENDED -> ended
prepare in one phase: t9=NO BRANCH_ENDED -> ended
one-shot: t9=NO BRANCH_ENDED -> ended
settle: nothing -> ended
cancel: t9=CANCELLED -> ended
cancel by another nonce: t9=error UNKNOWN_BRANCH -> ended
commit: t9=HEURISTIC_ROLLBACK -> ended
roll back: t9=DONE -> ended
connection granted: Release -> ended
connection refused: nothing -> ended
statement done: nothing -> ended
statement miscounts: nothing -> ended
statement failed: nothing -> ended
transaction gone: nothing -> ended
prepared: impossible
left read-only: impossible
committed in one phase: impossible
not prepared: nothing -> ended
prepare not sent: nothing -> ended
rolled back: nothing -> ended
finished: impossible
not finished: impossible
finish not sent: impossible
settled: t2=SETTLED aborted -> ended
not settled: t2=error UNAVAILABLE -> ended
settle not sent: t2=error STALE_BALLOT -> ended
connection lost: nothing -> ended
idle deadline: nothing -> ended
end of its lifetime: nothing -> unknown
)"},
  };
}

}  // namespace assent::branch
