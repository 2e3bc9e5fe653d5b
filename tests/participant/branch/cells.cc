#include "tests/participant/branch/cells.h"

namespace assent::branch {

const std::vector<StateCase>& state_cases() {
  static const std::vector<StateCase> kStates = {
      {"unknown", 0, [](Table&) {}, R"(
open again: Acquire -> waiting for a connection
open with another nonce: Acquire -> waiting for a connection
next statement: t9=error UNKNOWN_BRANCH -> unknown
duplicate statement: t9=error UNKNOWN_BRANCH -> unknown
statement after a gap: t9=error UNKNOWN_BRANCH -> unknown
prepare: t9=NO UNKNOWN_BRANCH -> ended
prepare with another count: t9=NO UNKNOWN_BRANCH -> ended
commit: t9=error INTERNAL -> unknown
roll back: t9=DONE -> ended
connection granted: Release -> unknown
connection refused: nothing -> unknown
statement done: nothing -> unknown
statement failed: nothing -> unknown
transaction gone: nothing -> unknown
prepared: impossible
not prepared: nothing -> unknown
prepare not sent: nothing -> unknown
rolled back: nothing -> unknown
finished: impossible
not finished: impossible
finish not sent: impossible
connection lost: nothing -> unknown
idle deadline: nothing -> unknown
)"},
      {"waiting", 1, [](Table& t) { t.open(1); }, R"(
open again: nothing -> waiting for a connection
open with another nonce: t9=error ID_REUSED -> waiting for a connection
next statement: nothing -> waiting for a connection
duplicate statement: nothing -> waiting for a connection
statement after a gap: t9=error STATEMENT_NUMBER -> waiting for a connection
prepare: RunRollback; t9=NO UNAVAILABLE -> being rolled back
prepare with another count: RunRollback; t9=NO UNAVAILABLE -> being rolled back
commit: t9=error INTERNAL -> waiting for a connection
roll back: RunRollback -> being rolled back
connection granted: RunStatement 1 -> open
connection refused: t1=error OVERLOADED -> unknown
statement done: impossible
statement failed: impossible
transaction gone: impossible
prepared: impossible
not prepared: impossible
prepare not sent: impossible
rolled back: impossible
finished: impossible
not finished: impossible
finish not sent: impossible
connection lost: impossible
idle deadline: nothing -> waiting for a connection
)"},
      {"idle", 1, [](Table& t) { t.be_open(); }, R"(
open again: t9=ONE -> open
open with another nonce: t9=error ID_REUSED -> open
next statement: RunStatement 2 -> open
duplicate statement: t9=ONE -> open
statement after a gap: t9=error STATEMENT_NUMBER -> open
prepare: RunPrepare b1 -> being prepared
prepare with another count: RunRollback; t9=NO STATEMENT_NUMBER -> being rolled back
commit: t9=error INTERNAL -> open
roll back: RunRollback -> being rolled back
connection granted: impossible
connection refused: impossible
statement done: impossible
statement failed: impossible
transaction gone: impossible
prepared: impossible
not prepared: impossible
prepare not sent: impossible
rolled back: impossible
finished: impossible
not finished: impossible
finish not sent: impossible
connection lost: nothing -> ended
idle deadline: RunRollback -> being rolled back
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
commit: t9=error INTERNAL -> open
roll back: RunRollback -> being rolled back
connection granted: impossible
connection refused: impossible
statement done: t2=DONE -> open
statement failed: t2=error SQL -> open
transaction gone: RunRollback; t2=error BRANCH_ENDED -> being rolled back
prepared: impossible
not prepared: impossible
prepare not sent: impossible
rolled back: impossible
finished: impossible
not finished: impossible
finish not sent: impossible
connection lost: t2=error UNAVAILABLE -> ended
idle deadline: nothing -> open
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
commit: t9=error INTERNAL -> open
roll back: RunRollback -> being rolled back
connection granted: impossible
connection refused: impossible
statement done: impossible
statement failed: impossible
transaction gone: impossible
prepared: impossible
not prepared: impossible
prepare not sent: impossible
rolled back: impossible
finished: impossible
not finished: impossible
finish not sent: impossible
connection lost: nothing -> ended
idle deadline: RunRollback -> being rolled back
)"},
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
commit: t9=error INTERNAL -> being rolled back
roll back: nothing -> being rolled back
connection granted: impossible
connection refused: impossible
statement done: t2=DONE -> being rolled back
statement failed: t2=error SQL -> being rolled back
transaction gone: t2=error BRANCH_ENDED -> being rolled back
prepared: impossible
not prepared: impossible
prepare not sent: impossible
rolled back: Release; t2=error BRANCH_ENDED; t3=DONE -> ended
finished: impossible
not finished: impossible
finish not sent: impossible
connection lost: t2=error BRANCH_ENDED; t3=DONE -> ended
idle deadline: nothing -> being rolled back
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
commit: t9=error INTERNAL -> being rolled back
roll back: nothing -> being rolled back
connection granted: nothing -> being rolled back
connection refused: t1=error BRANCH_ENDED; t2=DONE -> ended
statement done: impossible
statement failed: impossible
transaction gone: impossible
prepared: impossible
not prepared: impossible
prepare not sent: impossible
rolled back: t1=error BRANCH_ENDED; t2=DONE -> ended
finished: impossible
not finished: impossible
finish not sent: impossible
connection lost: t1=error BRANCH_ENDED; t2=DONE -> ended
idle deadline: nothing -> being rolled back
)"},
      {"preparing", 1, [](Table& t) { t.be_preparing(); }, R"(
open again: t9=ONE -> being prepared
open with another nonce: t9=error ID_REUSED -> being prepared
next statement: t9=error BRANCH_ENDED -> being prepared
duplicate statement: t9=ONE -> being prepared
statement after a gap: t9=error STATEMENT_NUMBER -> being prepared
prepare: nothing -> being prepared
prepare with another count: t9=error STATEMENT_NUMBER -> being prepared
commit: t9=error INTERNAL -> being prepared
roll back: nothing -> being prepared
connection granted: impossible
connection refused: impossible
statement done: impossible
statement failed: impossible
transaction gone: impossible
prepared: Release; t2=YES -> prepared
not prepared: Release; t2=NO SQL -> ended
prepare not sent: t2=error STALE_BALLOT -> open
rolled back: impossible
finished: impossible
not finished: impossible
finish not sent: impossible
connection lost: t2=NO UNAVAILABLE -> ended
idle deadline: nothing -> being prepared
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
commit: t9=error INTERNAL -> being prepared
roll back: nothing -> being prepared
connection granted: impossible
connection refused: impossible
statement done: t2=DONE -> being prepared
statement failed: t2=error SQL -> being prepared
transaction gone: t2=error BRANCH_ENDED -> being prepared
prepared: Release; t2=error UNAVAILABLE; t3=YES -> prepared
not prepared: Release; t2=error SQL; t3=NO SQL -> ended
prepare not sent: t3=error STALE_BALLOT -> open
rolled back: impossible
finished: impossible
not finished: impossible
finish not sent: impossible
connection lost: t2=error UNAVAILABLE; t3=NO UNAVAILABLE -> ended
idle deadline: nothing -> being prepared
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
commit: t9=error INTERNAL -> being prepared
roll back: nothing -> being prepared
connection granted: impossible
connection refused: impossible
statement done: impossible
statement failed: impossible
transaction gone: impossible
prepared: Release; RunFinish b1 ABORTED; t2=YES -> being finished
not prepared: Release; t2=NO SQL; t3=DONE -> ended
prepare not sent: RunRollback; t2=error STALE_BALLOT -> being rolled back
rolled back: impossible
finished: impossible
not finished: impossible
finish not sent: impossible
connection lost: t2=NO UNAVAILABLE; t3=DONE -> ended
idle deadline: nothing -> being prepared
)"},
      {"prepared", 1, [](Table& t) { t.be_prepared(); }, R"(
open again: t9=ONE -> prepared
open with another nonce: t9=error ID_REUSED -> prepared
next statement: t9=error BRANCH_ENDED -> prepared
duplicate statement: t9=ONE -> prepared
statement after a gap: t9=error STATEMENT_NUMBER -> prepared
prepare: t9=YES -> prepared
prepare with another count: t9=error STATEMENT_NUMBER -> prepared
commit: RunFinish b1 COMMITTED -> being finished
roll back: RunFinish b1 ABORTED -> being finished
connection granted: impossible
connection refused: impossible
statement done: nothing -> prepared
statement failed: nothing -> prepared
transaction gone: nothing -> prepared
prepared: impossible
not prepared: impossible
prepare not sent: impossible
rolled back: impossible
finished: impossible
not finished: impossible
finish not sent: impossible
connection lost: nothing -> prepared
idle deadline: nothing -> prepared
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
commit: nothing -> being finished
roll back: t9=error INTERNAL -> being finished
connection granted: impossible
connection refused: impossible
statement done: nothing -> being finished
statement failed: nothing -> being finished
transaction gone: nothing -> being finished
prepared: impossible
not prepared: impossible
prepare not sent: impossible
rolled back: impossible
finished: t3=DONE -> ended
not finished: t3=error UNAVAILABLE -> prepared
finish not sent: t3=error STALE_BALLOT -> prepared
connection lost: nothing -> being finished
idle deadline: nothing -> being finished
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
commit: t9=error INTERNAL -> being finished
roll back: nothing -> being finished
connection granted: impossible
connection refused: impossible
statement done: nothing -> being finished
statement failed: nothing -> being finished
transaction gone: nothing -> being finished
prepared: impossible
not prepared: impossible
prepare not sent: impossible
rolled back: impossible
finished: t3=DONE -> ended
not finished: t3=error UNAVAILABLE -> prepared
finish not sent: t3=error STALE_BALLOT -> prepared
connection lost: nothing -> being finished
idle deadline: nothing -> being finished
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
commit: t9=DONE -> ended
roll back: t9=HEURISTIC_COMMIT -> ended
connection granted: Release -> ended
connection refused: nothing -> ended
statement done: nothing -> ended
statement failed: nothing -> ended
transaction gone: nothing -> ended
prepared: impossible
not prepared: nothing -> ended
prepare not sent: nothing -> ended
rolled back: nothing -> ended
finished: impossible
not finished: impossible
finish not sent: impossible
connection lost: nothing -> ended
idle deadline: nothing -> ended
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
commit: t9=HEURISTIC_ROLLBACK -> ended
roll back: t9=DONE -> ended
connection granted: Release -> ended
connection refused: nothing -> ended
statement done: nothing -> ended
statement failed: nothing -> ended
transaction gone: nothing -> ended
prepared: impossible
not prepared: nothing -> ended
prepare not sent: nothing -> ended
rolled back: nothing -> ended
finished: impossible
not finished: impossible
finish not sent: impossible
connection lost: nothing -> ended
idle deadline: nothing -> ended
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
commit: t9=HAZARD -> ended
roll back: t9=HAZARD -> ended
connection granted: Release -> ended
connection refused: nothing -> ended
statement done: nothing -> ended
statement failed: nothing -> ended
transaction gone: nothing -> ended
prepared: impossible
not prepared: nothing -> ended
prepare not sent: nothing -> ended
rolled back: nothing -> ended
finished: impossible
not finished: impossible
finish not sent: impossible
connection lost: nothing -> ended
idle deadline: nothing -> ended
)"},
  };
  return kStates;
}

}  // namespace assent::branch
