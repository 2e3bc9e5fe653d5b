// All branches of one life of an agent: opening, executing, voting, finishing. PURE: the shell
// carries the effects out against PostgreSQL and brings their results back as inputs.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "base/error.h"
#include "base/ids.h"
#include "base/statement.h"
#include "base/time.h"

namespace assent::branch {

// Names a caller that waits for an answer. Issued by the shell, never reused.
using Token = Strong<struct BranchTokenTag>;

// ── inputs from callers ─────────────────────────────────────────────────────────────────────────

// The first statement's wish to open the branch (R13). The same nonce again gets the same answer.
struct Opening {
  std::string nonce;  // 1 to 64 bytes
  Millis idle_timeout{60'000};
  Millis lifetime{3'600'000};  // then it is rolled back, unless it was asked to prepare before
  BranchMode mode = {};
};
// How every other statement names its branch.
struct BranchRef {
  Epoch epoch;
  Attempt attempt;
};

// Answered with ExecuteAnswer or an Error. A number is used up exactly when the statement was sent:
// by ExecuteAnswer, by kSql, and by whatever ended the branch under it; never by a refusal.
struct ExecuteAsked {
  Token token;
  TransactionId transaction;
  std::variant<Opening, BranchRef> branch;
  std::uint32_t number = 0;  // of the statement, from 1
  Statement statement;
};
// Answered with Yes, ReadOnly, Committed, No, or an Error, which is no vote. Repeating it gives the
// same vote.
struct PrepareAsked {
  Token token;
  Ballot ballot;
  BranchId branch;
  std::uint32_t statements = 0;  // 0 of a one-shot
  // Of a one-shot: the attempt is the leader's, and opens the branch. A serial that was seen before
  // or is below `low_water` never runs again (R5, R9).
  OneShotWork one_shot = nullptr;
  std::uint64_t low_water = 0;
  bool one_phase = false;  // commit instead of preparing, with an outcome row (R12)
};
// Answered with Settled or an Error. Afterwards the transaction has committed here in one phase, or
// never will: its branch, whatever its attempt, is ended first unless it is prepared (R12).
struct SettleAsked {
  Token token;
  Ballot ballot;
  TransactionId transaction;
};
// A client ends a branch that was not asked to prepare. Answered with Cancelled once it is rolled
// back, or an Error.
struct CancelAsked {
  Token token;
  TransactionId transaction;
  std::variant<std::string, BranchRef> branch;  // a string is the nonce that opened it
};
// Answered with FinishResult or an Error. Repeating it gives the same result. The outcome has been
// logged for exactly this branch (R3, R5).
struct FinishAsked {
  Token token;
  Ballot ballot;
  BranchId branch;
  Outcome outcome = Outcome::kAborted;
  std::optional<Evidence> evidence;
  bool maybe_lost = false;  // with its database's history, as the log knows it
  // The log proves that its PREPARE is in the history that the life of this epoch has found. 0:
  // not.
  Epoch kept_in = {};
};

// ── inputs from PostgreSQL, through the shell ───────────────────────────────────────────────────

// A connection is the branch's own until Release or ConnectionLost.
struct ConnectionGranted {
  BranchId branch;
};
struct ConnectionRefused {
  BranchId branch;
  Error why;
};
// Of one branch in the order of its RunStatements.
struct StatementDone {
  BranchId branch;
  std::uint32_t number = 0;
  tl::expected<std::shared_ptr<const StatementResult>, Error> result;
  // False: the transaction is gone although nobody was asked to end it.
  bool transaction_open = true;
};
// It had assigned no xid, and has committed.
struct LeftReadOnly {};
// It has committed in one phase, and its outcome row with it.
struct CommittedOnePhase {};
// A one-shot whose rows are known to be as expected only with PREPARE, or not at all when its
// answer was lost: it is prepared, votes NO, and waits for its rollback.
struct PreparedInVain {
  Evidence evidence;
  Error why;
};
using PrepareResult = std::variant<Evidence, PreparedInVain, LeftReadOnly, CommittedOnePhase>;
// Prepared (or committed, or left) for certain, or not and never to be. When the connection was
// lost during PREPARE or COMMIT the shell first proves which (postgres.md, "The fence", 4), however
// long that takes. kStaleBallot says that may_send was false and nothing was sent: an interactive
// branch is open still, a one-shot has not begun.
struct PrepareDone {
  BranchId branch;
  tl::expected<PrepareResult, Error> result;
  StatementResults results = nullptr;  // of a one-shot that succeeded
};
// An Error means that nothing is known yet. kStaleBallot says that may_send was false.
struct SettleDone {
  TransactionId transaction;
  tl::expected<bool, Error> committed;
};
struct RollbackDone {
  BranchId branch;
};
using assent::FinishResult;
// An Error means that nothing is known yet; the caller is told and asks again. kStaleBallot says
// that may_send was false.
struct FinishDone {
  BranchId branch;
  tl::expected<FinishResult, Error> result;
};
// The branch's connection was lost while no PREPARE was in flight: PostgreSQL rolls the branch
// back. It answers every statement and rollback in flight.
struct ConnectionLost {
  BranchId branch;
  Error why;
};
// Whether a leader lets new branches begin: what a lower ballot says is older than what a higher
// one has said. Branches that are there, and one-shots, which the leader itself begins, go on.
struct AdmissionTold {
  Ballot ballot;
  std::optional<Error> refuses;  // what a client is answered that wants a new one; none: go on
};
struct Tick {};

using Input = std::variant<ExecuteAsked, PrepareAsked, FinishAsked, SettleAsked, CancelAsked,
                           AdmissionTold, ConnectionGranted, ConnectionRefused, StatementDone,
                           PrepareDone, RollbackDone, FinishDone, SettleDone, ConnectionLost, Tick>;

// ── effects ─────────────────────────────────────────────────────────────────────────────────────

// Get a connection for the branch; answer ConnectionGranted or ConnectionRefused.
struct Acquire {
  BranchId branch;
};
// Run a statement on the branch's connection, after BEGIN in this mode when it is the first.
// Statements of one branch are sent in the order of these effects and may be pipelined. The table
// compares expected_rows, the shell does not.
struct RunStatement {
  BranchId branch;
  std::uint32_t number = 0;
  Statement statement;
  BranchMode mode = {};
};
// Of a one-shot: BEGIN and its statements, on the branch's connection, with a failure (kRowCount
// for a wrong expected_rows) ending it; but PREPARE may be behind them by then, and what has the
// wrong rows is prepared in vain. Then, in any case: COMMIT when no xid is assigned; else, with
// one_phase, an outcome row and COMMIT; else PREPARE TRANSACTION, and evidence. Check
// may_send(ballot) immediately before sending anything (R4).
struct RunPrepare {
  BranchId branch;
  Ballot ballot;
  bool one_phase = false;
  OneShotWork one_shot = nullptr;
};
// The branch's RunPrepare is under way and its transaction is aborted: cancel what it runs, so that
// PrepareDone comes soon. It may still succeed.
struct RunCancel {
  BranchId branch;
};
// Write the transaction's abort row, unless an outcome row stands; answer which one stands, once it
// is durable (R12). Check may_send(ballot) immediately before sending (R4).
struct RunSettle {
  TransactionId transaction;
  Ballot ballot;
};
// ROLLBACK on the branch's connection (cancelling a running statement first), or, when the branch
// still waits for one, an end of that wait; answer RollbackDone or ConnectionLost. Statements in
// flight are answered before that or not at all.
struct RunRollback {
  BranchId branch;
};
// COMMIT PREPARED or ROLLBACK PREPARED of the branch's gid, on any connection; settle a missing gid
// by `evidence` (R7). Check may_send(ballot) immediately before each send (R4). The branch may be
// of an older life: then its absence proves nothing before that life's backends are gone.
struct RunFinish {
  BranchId branch;
  Ballot ballot;
  Outcome outcome = Outcome::kAborted;
  std::optional<Evidence> evidence;
  bool maybe_lost = false;
  Epoch kept_in = {};
};
// The branch no longer needs its connection; the shell resets it and puts it back into the pool.
// Comes exactly once for every ConnectionGranted that no ConnectionLost has taken back.
struct Release {
  BranchId branch;
};

struct ExecuteAnswer {
  BranchRef branch;
  std::shared_ptr<const StatementResult> result;
};
// `results` are of a one-shot, and are kept until its branch has ended: a repeat that comes later
// gets none.
struct Yes {
  Evidence evidence;
  StatementResults results = nullptr;
};
struct ReadOnly {
  StatementResults results = nullptr;
};
struct Committed {
  StatementResults results = nullptr;
};
struct No {
  Error reason;
  std::optional<Evidence> evidence = std::nullopt;  // it is prepared all the same
};
struct Settled {
  bool committed = false;
};
struct Cancelled {};
struct Reply {
  Token token;
  std::variant<ExecuteAnswer, Yes, ReadOnly, Committed, No, FinishResult, Settled, Cancelled, Error>
      answer;
};

using Operation = std::variant<Acquire, RunStatement, RunPrepare, RunCancel, RunRollback, RunFinish,
                               RunSettle, Release>;

// Operations are carried out in order, then the replies are sent.
struct Effects {
  std::vector<Operation> operations;
  std::vector<Reply> replies;
};

struct BranchTableOptions {
  std::string participant;
  Epoch epoch;                        // of this life
  std::size_t branches_max = 10'000;  // live at once; one more is refused as OVERLOADED
  std::size_t answers_kept = 16;      // stored answers and statements in flight of one branch
  Millis remember_ended{600'000};     // how long an ended branch is remembered
};

struct BranchCounters {
  std::uint64_t opened = 0;
  std::uint64_t statements = 0;
  std::uint64_t voted_yes = 0;
  std::uint64_t voted_no = 0;
  std::uint64_t voted_read_only = 0;
  std::uint64_t committed_one_phase = 0;
  std::uint64_t one_shots = 0;  // of `opened`
  std::uint64_t settled = 0;
  std::uint64_t cancelled = 0;  // of `rolled_back`: by their clients
  std::uint64_t committed = 0;  // those in one phase included, readers not
  std::uint64_t rolled_back = 0;
  std::uint64_t idle_rolled_back = 0;  // of `rolled_back`: at their idle deadline
  std::uint64_t expired = 0;           // of `rolled_back`: at the end of their lifetime
  std::uint64_t heuristic = 0;
};

// A prepared branch, and what proves its fate.
struct PreparedBranch {
  BranchId branch;
  Evidence evidence;

  bool operator==(const PreparedBranch&) const = default;
};

enum class VoteKind : std::uint8_t { kYes = 1, kNo, kReadOnly, kCommitted };

// What the table remembers of a branch, for operators.
struct BranchView {
  BranchId branch;
  std::string_view state;  // "open", "prepared", …
  std::optional<VoteKind> vote;
  std::string because;               // of one that has ended: why
  std::optional<Millis> opened_ago;  // none: it came with its commit
  // When it is rolled back by itself; none: not so.
  std::optional<Millis> idle_ends_in;
  std::optional<Millis> life_ends_in;
};

class BranchTable {
 public:
  // `ballot` is the one that this life was enrolled under (R4).
  BranchTable(BranchTableOptions options, Ballot ballot);
  ~BranchTable();

  // Inputs that contradict the effects asked for end the process: the shell is ours.
  Effects step(MonoTime now, const Input& input);

  // When the next Tick is due; none when nothing waits.
  [[nodiscard]] std::optional<MonoTime> next_deadline() const;

  // The highest ballot seen; lower ones are refused (R4).
  [[nodiscard]] Ballot ballot() const;
  // False when a request under `ballot` must not reach PostgreSQL any more.
  [[nodiscard]] bool may_send(Ballot ballot) const;
  // Remembers a ballot learnt elsewhere (an inventory request).
  void observe(Ballot ballot);

  // Why new branches are refused, as the leader has told; none: they are not.
  [[nodiscard]] const std::optional<Error>& refuses() const;

  // The branch's state in words, for operators: "open", "prepared", …; "unknown" when it is not in
  // memory.
  [[nodiscard]] std::string_view state_of(const BranchId& branch) const;
  // The transaction's one branch here, live or remembered; none: it is not in memory.
  [[nodiscard]] std::optional<BranchView> view(const TransactionId& transaction,
                                               MonoTime now) const;
  // Those that are prepared and not being finished.
  [[nodiscard]] std::vector<PreparedBranch> prepared() const;
  [[nodiscard]] bool is_prepared(const BranchId& branch) const;
  // Branches that hold or wait for a connection, or are prepared.
  [[nodiscard]] std::size_t live_count() const;
  // Entries that it keeps of single branches beside those that live or are being finished, and
  // those that have ended, which leave with time. They are few, however many have ended.
  [[nodiscard]] std::size_t remembered() const;
  [[nodiscard]] const BranchCounters& counters() const;

  // Aborts the process when an invariant is broken. Cost: linear.
  void check_invariants() const;

 private:
  class Core;
  std::unique_ptr<Core> core_;
};

}  // namespace assent::branch
