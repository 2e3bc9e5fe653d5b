// The cells of a branch that is a one-shot.
#include "tests/participant/branch/cells.h"

namespace assent::branch {

std::vector<StateCase> one_shot_cases() {
  return {
      {"one-shot that was never seen", 0, [](Table&) {},
       R"(
open again: Acquire -> unknown
open with another nonce: Acquire -> unknown
next statement: t9=error UNKNOWN_BRANCH -> unknown
duplicate statement: t9=error UNKNOWN_BRANCH -> unknown
statement after a gap: t9=error UNKNOWN_BRANCH -> unknown
prepare: t9=NO UNKNOWN_BRANCH -> ended
prepare with another count: t9=NO UNKNOWN_BRANCH -> ended
prepare in one phase: t9=NO UNKNOWN_BRANCH -> ended
one-shot: Acquire -> waiting for a connection
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
)",
       one_shot_id()},
      {"one-shot that waits", 0, [](Table& t) { t.one_shot(1); },
       R"(
open again: t9=error ID_REUSED -> waiting for a connection
open with another nonce: t9=error ID_REUSED -> waiting for a connection
next statement: t9=error BRANCH_ENDED -> waiting for a connection
duplicate statement: t9=error BRANCH_ENDED -> waiting for a connection
statement after a gap: t9=error STATEMENT_NUMBER -> waiting for a connection
prepare: nothing -> waiting for a connection
prepare with another count: t9=error STATEMENT_NUMBER -> waiting for a connection
prepare in one phase: nothing -> waiting for a connection
one-shot: nothing -> waiting for a connection
settle: RunRollback; t1=NO BRANCH_ENDED -> being rolled back
cancel: t9=error BRANCH_ENDED -> waiting for a connection
cancel by another nonce: t9=error UNKNOWN_BRANCH -> waiting for a connection
commit: t9=error INTERNAL -> waiting for a connection
roll back: RunRollback; t1=NO BRANCH_ENDED -> being rolled back
connection granted: RunPrepare b1 one-shot -> being prepared
connection refused: t1=NO OVERLOADED -> ended
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
end of its lifetime: nothing -> waiting for a connection
)",
       one_shot_id()},
      {"one-shot that rolls back while it waits", 0,
       [](Table& t) {
         t.one_shot(1);
         t.roll_back(2);
       },
       R"(
open again: t9=error ID_REUSED -> being rolled back
open with another nonce: t9=error ID_REUSED -> being rolled back
next statement: t9=error BRANCH_ENDED -> being rolled back
duplicate statement: t9=error BRANCH_ENDED -> being rolled back
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
connection refused: t2=DONE -> ended
statement done: impossible
statement miscounts: impossible
statement failed: impossible
transaction gone: impossible
prepared: impossible
left read-only: impossible
committed in one phase: impossible
not prepared: impossible
prepare not sent: impossible
rolled back: t2=DONE -> ended
finished: impossible
not finished: impossible
finish not sent: impossible
settled: impossible
not settled: impossible
settle not sent: impossible
connection lost: t2=DONE -> ended
idle deadline: nothing -> being rolled back
end of its lifetime: nothing -> being rolled back
)",
       one_shot_id()},
      {"one-shot that got no connection", 0,
       [](Table& t) {
         t.one_shot(1);
         t.refused();
       },
       R"(
open again: t9=error BRANCH_ENDED -> ended
open with another nonce: t9=error BRANCH_ENDED -> ended
next statement: t9=error BRANCH_ENDED -> ended
duplicate statement: t9=error BRANCH_ENDED -> ended
statement after a gap: t9=error BRANCH_ENDED -> ended
prepare: t9=NO OVERLOADED -> ended
prepare with another count: t9=NO OVERLOADED -> ended
prepare in one phase: t9=NO OVERLOADED -> ended
one-shot: t9=NO OVERLOADED -> ended
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
)",
       one_shot_id()},
      {"one-shot under way", 0,
       [](Table& t) {
         t.one_shot(1);
         t.granted();
       },
       R"(
open again: t9=error ID_REUSED -> being prepared
open with another nonce: t9=error ID_REUSED -> being prepared
next statement: t9=error BRANCH_ENDED -> being prepared
duplicate statement: t9=error BRANCH_ENDED -> being prepared
statement after a gap: t9=error STATEMENT_NUMBER -> being prepared
prepare: nothing -> being prepared
prepare with another count: t9=error STATEMENT_NUMBER -> being prepared
prepare in one phase: nothing -> being prepared
one-shot: nothing -> being prepared
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
prepared: Release; t1=YES -> prepared
left read-only: Release; t1=READ_ONLY -> ended
committed in one phase: impossible
not prepared: Release; t1=NO SQL -> ended
prepare not sent: Release; t1=error STALE_BALLOT -> ended
rolled back: impossible
finished: impossible
not finished: impossible
finish not sent: impossible
settled: impossible
not settled: impossible
settle not sent: impossible
connection lost: t1=NO UNAVAILABLE -> ended
idle deadline: nothing -> being prepared
end of its lifetime: nothing -> being prepared
)",
       one_shot_id()},
      {"one-shot that is prepared", 0,
       [](Table& t) {
         t.one_shot(1);
         t.granted();
         t.step(PrepareDone{t.id, kEvidence, results_of(2)});
       },
       R"(
open again: t9=error ID_REUSED -> prepared
open with another nonce: t9=error ID_REUSED -> prepared
next statement: t9=error BRANCH_ENDED -> prepared
duplicate statement: t9=error BRANCH_ENDED -> prepared
statement after a gap: t9=error STATEMENT_NUMBER -> prepared
prepare: t9=YES+2 -> prepared
prepare with another count: t9=error STATEMENT_NUMBER -> prepared
prepare in one phase: t9=YES+2 -> prepared
one-shot: t9=YES+2 -> prepared
settle: RunSettle b1 -> prepared
cancel: t9=error BRANCH_ENDED -> prepared
cancel by another nonce: t9=error UNKNOWN_BRANCH -> prepared
commit: RunFinish b1 COMMITTED -> being finished
roll back: RunFinish b1 ABORTED -> being finished
connection granted: impossible
connection refused: impossible
statement done: nothing -> prepared
statement miscounts: nothing -> prepared
statement failed: nothing -> prepared
transaction gone: nothing -> prepared
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
connection lost: nothing -> prepared
idle deadline: nothing -> prepared
end of its lifetime: nothing -> prepared
)",
       one_shot_id()},
      {"one-shot that is prepared in vain", 0,
       [](Table& t) {
         t.one_shot(1);
         t.granted();
         t.step(PrepareDone{t.id, PreparedInVain{kEvidence, coded(ErrorCode::kRowCount)}});
       },
       R"(
open again: t9=error ID_REUSED -> prepared
open with another nonce: t9=error ID_REUSED -> prepared
next statement: t9=error BRANCH_ENDED -> prepared
duplicate statement: t9=error BRANCH_ENDED -> prepared
statement after a gap: t9=error STATEMENT_NUMBER -> prepared
prepare: t9=NO ROW_COUNT -> prepared
prepare with another count: t9=NO ROW_COUNT -> prepared
prepare in one phase: t9=NO ROW_COUNT -> prepared
one-shot: t9=NO ROW_COUNT -> prepared
settle: RunSettle b1 -> prepared
cancel: t9=error BRANCH_ENDED -> prepared
cancel by another nonce: t9=error UNKNOWN_BRANCH -> prepared
commit: t9=error INTERNAL -> prepared
roll back: RunFinish b1 ABORTED -> being finished
connection granted: impossible
connection refused: impossible
statement done: nothing -> prepared
statement miscounts: nothing -> prepared
statement failed: nothing -> prepared
transaction gone: nothing -> prepared
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
connection lost: nothing -> prepared
idle deadline: nothing -> prepared
end of its lifetime: nothing -> prepared
)",
       one_shot_id()},
      {"one-shot that left", 0,
       [](Table& t) {
         t.one_shot(1);
         t.granted();
         t.step(PrepareDone{t.id, LeftReadOnly{}, results_of(2)});
       },
       R"(
open again: t9=error BRANCH_ENDED -> ended
open with another nonce: t9=error BRANCH_ENDED -> ended
next statement: t9=error BRANCH_ENDED -> ended
duplicate statement: t9=error BRANCH_ENDED -> ended
statement after a gap: t9=error BRANCH_ENDED -> ended
prepare: t9=READ_ONLY -> ended
prepare with another count: t9=error STATEMENT_NUMBER -> ended
prepare in one phase: t9=READ_ONLY -> ended
one-shot: t9=READ_ONLY -> ended
settle: RunSettle b1 -> ended
cancel: t9=error BRANCH_ENDED -> ended
cancel by another nonce: t9=error UNKNOWN_BRANCH -> ended
commit: t9=DONE -> ended
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
)",
       one_shot_id()},
      {"one-shot that was forgotten", 0,
       [](Table& t) {
         t.one_shot(1);
         t.granted();
         t.left();
         t.pass(Millis(600'000));
         t.tick();
       },
       R"(
open again: Acquire -> unknown
open with another nonce: Acquire -> unknown
next statement: t9=error UNKNOWN_BRANCH -> unknown
duplicate statement: t9=error UNKNOWN_BRANCH -> unknown
statement after a gap: t9=error UNKNOWN_BRANCH -> unknown
prepare: t9=NO UNKNOWN_BRANCH -> unknown
prepare with another count: t9=NO UNKNOWN_BRANCH -> unknown
prepare in one phase: RunSettle b1 -> unknown
one-shot: t9=NO UNKNOWN_BRANCH -> unknown
settle: RunSettle b1 -> unknown
cancel: t9=error UNKNOWN_BRANCH -> unknown
cancel by another nonce: t9=error UNKNOWN_BRANCH -> unknown
commit: RunFinish b1 COMMITTED -> unknown
roll back: RunFinish b1 ABORTED -> unknown
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
)",
       one_shot_id()},
  };
}

}  // namespace assent::branch
