// The cells of a branch that has voted.
#include "tests/participant/branch/cells.h"

namespace assent::branch {

std::vector<StateCase> voted_cases() {
  return {
      {"prepared", 1, [](Table& t) { t.be_prepared(); },
       R"(
open again: t9=ONE -> prepared
open with another nonce: t9=error ID_REUSED -> prepared
next statement: t9=error BRANCH_ENDED -> prepared
duplicate statement: t9=ONE -> prepared
statement after a gap: t9=error STATEMENT_NUMBER -> prepared
prepare: t9=YES -> prepared
prepare with another count: t9=error STATEMENT_NUMBER -> prepared
prepare in one phase: t9=YES -> prepared
one-shot: t9=NO BRANCH_ENDED -> prepared
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
)"},
      {"committing", 1,
       [](Table& t) {
         t.be_prepared();
         t.commit(3);
       },
       R"(
open again: t9=ONE -> being finished
open with another nonce: t9=error ID_REUSED -> being finished
next statement: t9=error BRANCH_ENDED -> being finished
duplicate statement: t9=ONE -> being finished
statement after a gap: t9=error STATEMENT_NUMBER -> being finished
prepare: t9=YES -> being finished
prepare with another count: t9=error STATEMENT_NUMBER -> being finished
prepare in one phase: t9=YES -> being finished
one-shot: t9=NO BRANCH_ENDED -> being finished
settle: RunSettle b1 -> being finished
cancel: t9=error BRANCH_ENDED -> being finished
cancel by another nonce: t9=error UNKNOWN_BRANCH -> being finished
commit: nothing -> being finished
roll back: t9=error INTERNAL -> being finished
connection granted: impossible
connection refused: impossible
statement done: nothing -> being finished
statement miscounts: nothing -> being finished
statement failed: nothing -> being finished
transaction gone: nothing -> being finished
prepared: impossible
left read-only: impossible
committed in one phase: impossible
not prepared: impossible
prepare not sent: impossible
rolled back: impossible
finished: t3=DONE -> ended
not finished: t3=error UNAVAILABLE -> prepared
finish not sent: t3=error STALE_BALLOT -> prepared
settled: impossible
not settled: impossible
settle not sent: impossible
connection lost: nothing -> being finished
idle deadline: nothing -> being finished
end of its lifetime: nothing -> being finished
)"},
      {"aborting", 1,
       [](Table& t) {
         t.be_prepared();
         t.roll_back(3);
       },
       R"(
open again: t9=ONE -> being finished
open with another nonce: t9=error ID_REUSED -> being finished
next statement: t9=error BRANCH_ENDED -> being finished
duplicate statement: t9=ONE -> being finished
statement after a gap: t9=error STATEMENT_NUMBER -> being finished
prepare: t9=YES -> being finished
prepare with another count: t9=error STATEMENT_NUMBER -> being finished
prepare in one phase: t9=YES -> being finished
one-shot: t9=NO BRANCH_ENDED -> being finished
settle: RunSettle b1 -> being finished
cancel: t9=error BRANCH_ENDED -> being finished
cancel by another nonce: t9=error UNKNOWN_BRANCH -> being finished
commit: t9=error INTERNAL -> being finished
roll back: nothing -> being finished
connection granted: impossible
connection refused: impossible
statement done: nothing -> being finished
statement miscounts: nothing -> being finished
statement failed: nothing -> being finished
transaction gone: nothing -> being finished
prepared: impossible
left read-only: impossible
committed in one phase: impossible
not prepared: impossible
prepare not sent: impossible
rolled back: impossible
finished: t3=DONE -> ended
not finished: t3=error UNAVAILABLE -> prepared
finish not sent: t3=error STALE_BALLOT -> prepared
settled: impossible
not settled: impossible
settle not sent: impossible
connection lost: nothing -> being finished
idle deadline: nothing -> being finished
end of its lifetime: nothing -> being finished
)"},
      {"committed", 1,
       [](Table& t) {
         t.be_prepared();
         t.commit(3);
         t.finished(FinishResult::kDone);
       },
       R"(
open again: t9=error BRANCH_ENDED -> ended
open with another nonce: t9=error BRANCH_ENDED -> ended
next statement: t9=error BRANCH_ENDED -> ended
duplicate statement: t9=error BRANCH_ENDED -> ended
statement after a gap: t9=error BRANCH_ENDED -> ended
prepare: t9=YES -> ended
prepare with another count: t9=error STATEMENT_NUMBER -> ended
prepare in one phase: t9=YES -> ended
one-shot: t9=NO BRANCH_ENDED -> ended
settle: RunSettle b1 -> ended
cancel: t9=error BRANCH_ENDED -> ended
cancel by another nonce: t9=error UNKNOWN_BRANCH -> ended
commit: t9=DONE -> ended
roll back: t9=HEURISTIC_COMMIT -> ended
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
      {"prepared, being settled", 1,
       [](Table& t) {
         t.be_prepared();
         t.settle(3);
       },
       R"(
open again: t9=ONE -> prepared
open with another nonce: t9=error ID_REUSED -> prepared
next statement: t9=error BRANCH_ENDED -> prepared
duplicate statement: t9=ONE -> prepared
statement after a gap: t9=error STATEMENT_NUMBER -> prepared
prepare: t9=YES -> prepared
prepare with another count: t9=error STATEMENT_NUMBER -> prepared
prepare in one phase: t9=YES -> prepared
one-shot: t9=NO BRANCH_ENDED -> prepared
settle: nothing -> prepared
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
settled: t3=SETTLED aborted -> prepared
not settled: t3=error UNAVAILABLE -> prepared
settle not sent: t3=error STALE_BALLOT -> prepared
connection lost: nothing -> prepared
idle deadline: nothing -> prepared
end of its lifetime: nothing -> prepared
)"},
      {"left", 1,
       [](Table& t) {
         t.be_preparing();
         t.left();
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
one-shot: t9=NO BRANCH_ENDED -> ended
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
)"},
      {"committed in one phase", 1,
       [](Table& t) {
         t.be_preparing_one_phase();
         t.committed_one_phase();
       },
       R"(
open again: t9=error BRANCH_ENDED -> ended
open with another nonce: t9=error BRANCH_ENDED -> ended
next statement: t9=error BRANCH_ENDED -> ended
duplicate statement: t9=error BRANCH_ENDED -> ended
statement after a gap: t9=error BRANCH_ENDED -> ended
prepare: t9=COMMITTED -> ended
prepare with another count: t9=error STATEMENT_NUMBER -> ended
prepare in one phase: t9=COMMITTED -> ended
one-shot: t9=NO BRANCH_ENDED -> ended
settle: t9=SETTLED committed -> ended
cancel: t9=error BRANCH_ENDED -> ended
cancel by another nonce: t9=error UNKNOWN_BRANCH -> ended
commit: t9=DONE -> ended
roll back: t9=HEURISTIC_COMMIT -> ended
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
  };
}

}  // namespace assent::branch
