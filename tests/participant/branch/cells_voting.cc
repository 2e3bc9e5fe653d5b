// The cells of a branch that was asked for its vote.
#include "tests/participant/branch/cells.h"

namespace assent::branch {

std::vector<StateCase> voting_cases() {
  return {
      {"draining", 2,
       [](Table& t) {
         t.be_open();
         t.execute(2, 2, expecting(0));
         t.prepare(3, 2);
       },
       R"(
open again: t9=ONE -> finishing its statements before its vote
open with another nonce: t9=error ID_REUSED -> finishing its statements before its vote
next statement: t9=error BRANCH_ENDED -> finishing its statements before its vote
duplicate statement: t9=ONE -> finishing its statements before its vote
statement after a gap: t9=error STATEMENT_NUMBER -> finishing its statements before its vote
prepare: nothing -> finishing its statements before its vote
prepare with another count: t9=error STATEMENT_NUMBER -> finishing its statements before its vote
prepare in one phase: nothing -> finishing its statements before its vote
one-shot: t9=NO BRANCH_ENDED -> finishing its statements before its vote
settle: RunRollback; t3=NO BRANCH_ENDED -> being rolled back
cancel: t9=error BRANCH_ENDED -> finishing its statements before its vote
cancel by another nonce: t9=error UNKNOWN_BRANCH -> finishing its statements before its vote
commit: t9=error INTERNAL -> finishing its statements before its vote
roll back: RunRollback; t3=NO BRANCH_ENDED -> being rolled back
connection granted: impossible
connection refused: impossible
statement done: RunPrepare b1; t2=DONE -> being prepared
statement miscounts: RunRollback; t2=error ROW_COUNT; t3=NO ROW_COUNT -> being rolled back
statement failed: RunRollback; t2=error SQL; t3=NO SQL -> being rolled back
transaction gone: RunRollback; t2=error BRANCH_ENDED; t3=NO BRANCH_ENDED -> being rolled back
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
connection lost: t2=error UNAVAILABLE; t3=NO UNAVAILABLE -> ended
idle deadline: nothing -> finishing its statements before its vote
end of its lifetime: nothing -> finishing its statements before its vote
)"},
      {"preparing", 1, [](Table& t) { t.be_preparing(); },
       R"(
open again: t9=ONE -> being prepared
open with another nonce: t9=error ID_REUSED -> being prepared
next statement: t9=error BRANCH_ENDED -> being prepared
duplicate statement: t9=ONE -> being prepared
statement after a gap: t9=error STATEMENT_NUMBER -> being prepared
prepare: nothing -> being prepared
prepare with another count: t9=error STATEMENT_NUMBER -> being prepared
prepare in one phase: nothing -> being prepared
one-shot: t9=NO BRANCH_ENDED -> being prepared
settle: RunCancel -> being prepared
cancel: t9=error BRANCH_ENDED -> being prepared
cancel by another nonce: t9=error UNKNOWN_BRANCH -> being prepared
commit: t9=error INTERNAL -> being prepared
roll back: RunCancel -> being prepared
connection granted: impossible
connection refused: impossible
statement done: impossible
statement miscounts: impossible
statement failed: impossible
transaction gone: impossible
prepared: Release; t2=YES -> prepared
left read-only: Release; t2=READ_ONLY -> ended
committed in one phase: impossible
not prepared: Release; t2=NO SQL -> ended
prepare not sent: t2=error STALE_BALLOT -> open
rolled back: impossible
finished: impossible
not finished: impossible
finish not sent: impossible
settled: impossible
not settled: impossible
settle not sent: impossible
connection lost: t2=NO UNAVAILABLE -> ended
idle deadline: nothing -> being prepared
end of its lifetime: nothing -> being prepared
)"},
      {"preparing behind a statement", 2,
       [](Table& t) {
         t.be_open();
         t.execute(2, 2);
         t.prepare(3, 2);
       },
       R"(
open again: t9=ONE -> being prepared
open with another nonce: t9=error ID_REUSED -> being prepared
next statement: t9=error BRANCH_ENDED -> being prepared
duplicate statement: t9=ONE -> being prepared
statement after a gap: t9=error STATEMENT_NUMBER -> being prepared
prepare: nothing -> being prepared
prepare with another count: t9=error STATEMENT_NUMBER -> being prepared
prepare in one phase: nothing -> being prepared
one-shot: t9=NO BRANCH_ENDED -> being prepared
settle: RunCancel -> being prepared
cancel: t9=error BRANCH_ENDED -> being prepared
cancel by another nonce: t9=error UNKNOWN_BRANCH -> being prepared
commit: t9=error INTERNAL -> being prepared
roll back: RunCancel -> being prepared
connection granted: impossible
connection refused: impossible
statement done: t2=DONE -> being prepared
statement miscounts: t2=DONE -> being prepared
statement failed: t2=error SQL -> being prepared
transaction gone: t2=error BRANCH_ENDED -> being prepared
prepared: Release; t2=error UNAVAILABLE; t3=YES -> prepared
left read-only: Release; t2=error UNAVAILABLE; t3=READ_ONLY -> ended
committed in one phase: impossible
not prepared: Release; t2=error SQL; t3=NO SQL -> ended
prepare not sent: t3=error STALE_BALLOT -> open
rolled back: impossible
finished: impossible
not finished: impossible
finish not sent: impossible
settled: impossible
not settled: impossible
settle not sent: impossible
connection lost: t2=error UNAVAILABLE; t3=NO UNAVAILABLE -> ended
idle deadline: nothing -> being prepared
end of its lifetime: nothing -> being prepared
)"},
      {"preparing, to be rolled back", 1,
       [](Table& t) {
         t.be_preparing();
         t.roll_back(3);
       },
       R"(
open again: t9=ONE -> being prepared
open with another nonce: t9=error ID_REUSED -> being prepared
next statement: t9=error BRANCH_ENDED -> being prepared
duplicate statement: t9=ONE -> being prepared
statement after a gap: t9=error STATEMENT_NUMBER -> being prepared
prepare: nothing -> being prepared
prepare with another count: t9=error STATEMENT_NUMBER -> being prepared
prepare in one phase: nothing -> being prepared
one-shot: t9=NO BRANCH_ENDED -> being prepared
settle: nothing -> being prepared
cancel: t9=error BRANCH_ENDED -> being prepared
cancel by another nonce: t9=error UNKNOWN_BRANCH -> being prepared
commit: t9=error INTERNAL -> being prepared
roll back: nothing -> being prepared
connection granted: impossible
connection refused: impossible
statement done: impossible
statement miscounts: impossible
statement failed: impossible
transaction gone: impossible
prepared: Release; RunFinish b1 ABORTED; t2=YES -> being finished
left read-only: Release; t2=READ_ONLY; t3=DONE -> ended
committed in one phase: impossible
not prepared: Release; t2=NO SQL; t3=DONE -> ended
prepare not sent: RunRollback; t2=error STALE_BALLOT -> being rolled back
rolled back: impossible
finished: impossible
not finished: impossible
finish not sent: impossible
settled: impossible
not settled: impossible
settle not sent: impossible
connection lost: t2=NO UNAVAILABLE; t3=DONE -> ended
idle deadline: nothing -> being prepared
end of its lifetime: nothing -> being prepared
)"},
      {"preparing in one phase", 1, [](Table& t) { t.be_preparing_one_phase(); },
       R"(
open again: t9=ONE -> being prepared
open with another nonce: t9=error ID_REUSED -> being prepared
next statement: t9=error BRANCH_ENDED -> being prepared
duplicate statement: t9=ONE -> being prepared
statement after a gap: t9=error STATEMENT_NUMBER -> being prepared
prepare: nothing -> being prepared
prepare with another count: t9=error STATEMENT_NUMBER -> being prepared
prepare in one phase: nothing -> being prepared
one-shot: t9=NO BRANCH_ENDED -> being prepared
settle: RunCancel -> being prepared
cancel: t9=error BRANCH_ENDED -> being prepared
cancel by another nonce: t9=error UNKNOWN_BRANCH -> being prepared
commit: t9=error INTERNAL -> being prepared
roll back: RunCancel -> being prepared
connection granted: impossible
connection refused: impossible
statement done: impossible
statement miscounts: impossible
statement failed: impossible
transaction gone: impossible
prepared: impossible
left read-only: Release; t2=READ_ONLY -> ended
committed in one phase: Release; t2=COMMITTED -> ended
not prepared: Release; t2=NO SQL -> ended
prepare not sent: t2=error STALE_BALLOT -> open
rolled back: impossible
finished: impossible
not finished: impossible
finish not sent: impossible
settled: impossible
not settled: impossible
settle not sent: impossible
connection lost: t2=NO UNAVAILABLE -> ended
idle deadline: nothing -> being prepared
end of its lifetime: nothing -> being prepared
)"},
      {"preparing, to be settled", 1,
       [](Table& t) {
         t.be_preparing_one_phase();
         t.settle(3);
       },
       R"(
open again: t9=ONE -> being prepared
open with another nonce: t9=error ID_REUSED -> being prepared
next statement: t9=error BRANCH_ENDED -> being prepared
duplicate statement: t9=ONE -> being prepared
statement after a gap: t9=error STATEMENT_NUMBER -> being prepared
prepare: nothing -> being prepared
prepare with another count: t9=error STATEMENT_NUMBER -> being prepared
prepare in one phase: nothing -> being prepared
one-shot: t9=NO BRANCH_ENDED -> being prepared
settle: nothing -> being prepared
cancel: t9=error BRANCH_ENDED -> being prepared
cancel by another nonce: t9=error UNKNOWN_BRANCH -> being prepared
commit: t9=error INTERNAL -> being prepared
roll back: nothing -> being prepared
connection granted: impossible
connection refused: impossible
statement done: impossible
statement miscounts: impossible
statement failed: impossible
transaction gone: impossible
prepared: impossible
left read-only: Release; RunSettle b1; t2=READ_ONLY -> ended
committed in one phase: Release; t2=COMMITTED; t3=SETTLED committed -> ended
not prepared: Release; RunSettle b1; t2=NO SQL -> ended
prepare not sent: RunRollback; t2=error STALE_BALLOT -> being rolled back
rolled back: impossible
finished: impossible
not finished: impossible
finish not sent: impossible
settled: impossible
not settled: impossible
settle not sent: impossible
connection lost: RunSettle b1; t2=NO UNAVAILABLE -> ended
idle deadline: nothing -> being prepared
end of its lifetime: nothing -> being prepared
)"},
      {"preparing, to be settled and rolled back", 1,
       [](Table& t) {
         t.be_preparing();
         t.settle(3);
         t.roll_back(4);
       },
       R"(
open again: t9=ONE -> being prepared
open with another nonce: t9=error ID_REUSED -> being prepared
next statement: t9=error BRANCH_ENDED -> being prepared
duplicate statement: t9=ONE -> being prepared
statement after a gap: t9=error STATEMENT_NUMBER -> being prepared
prepare: nothing -> being prepared
prepare with another count: t9=error STATEMENT_NUMBER -> being prepared
prepare in one phase: nothing -> being prepared
one-shot: t9=NO BRANCH_ENDED -> being prepared
settle: nothing -> being prepared
cancel: t9=error BRANCH_ENDED -> being prepared
cancel by another nonce: t9=error UNKNOWN_BRANCH -> being prepared
commit: t9=error INTERNAL -> being prepared
roll back: nothing -> being prepared
connection granted: impossible
connection refused: impossible
statement done: impossible
statement miscounts: impossible
statement failed: impossible
transaction gone: impossible
prepared: Release; RunSettle b1; RunFinish b1 ABORTED; t2=YES -> being finished
left read-only: Release; RunSettle b1; t2=READ_ONLY; t4=DONE -> ended
committed in one phase: impossible
not prepared: Release; RunSettle b1; t2=NO SQL; t4=DONE -> ended
prepare not sent: RunRollback; t2=error STALE_BALLOT -> being rolled back
rolled back: impossible
finished: impossible
not finished: impossible
finish not sent: impossible
settled: impossible
not settled: impossible
settle not sent: impossible
connection lost: RunSettle b1; t2=NO UNAVAILABLE; t4=DONE -> ended
idle deadline: nothing -> being prepared
end of its lifetime: nothing -> being prepared
)"},
  };
}

}  // namespace assent::branch
