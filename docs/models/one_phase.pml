/* One-phase commit, settling, retries at a second leader: R3, R4, R9, R11, R12, R14, ADR 0005.
   docs/models/README.md says what is modelled and what is left out. One transaction T of a writer and
   two branches that are believed to only read, a leader of office 1 and its successor of office 2.
   ONE_SHOT: the statements travel with the commit. Every mutant is another #ifdef.

   As in classic_commit.pml one process takes all steps, each atomic; what was sent may be taken in at any
   time from then on, many times or never; an answer comes when it is given, or never. */

#define READERS 3                    /* a set of both */
#define BIT(r) (1 << (r))
#define HAS(set, r) ((set) & BIT(r))

/* ── the log ─────────────────────────────────────────────────────────────────────────────────── */

#define NONE 0
#define COMMITTED 1
#define ABORTED 2

byte record = NONE;
bool forgotten = false;
bool below_floor = false;
byte office = 1;
#define GONE (forgotten && below_floor)

/* ── leaders, by the number of their office; it is their ballot, too ─────────────────────────── */

#define IDLE 0
#define PREPARING 1
#define ONE_PHASE 2                  /* the writer alone decides */
#define SETTLING 3                   /* T is to be aborted, and may have committed in one phase */
#define COMMITTING 4                 /* Committed is proposed */
#define ABORTING 5
#define FINISHING 6                  /* as the record says, or, without one, T is expired */
#define COMMITTED_ONE_PHASE 7

byte phase[3] = IDLE;
bool may_be_repeat[3] = false;       /* its driver's request */
byte left[3] = 0;                    /* readers that voted READ_ONLY */
byte yes[3] = 0;                     /* readers that voted YES */
byte todo[3] = 0;                    /* branches that have not confirmed; the writer is WRITER */
bool finished[3] = false;            /* it remembers that it has finished T once */
bool knows[3] = false;               /* has executed the decision */
#define WRITER 4

bool asks_readers[3] = false;        /* messages that it has sent */
bool asks_prepare[3] = false;
bool asks_one_phase[3] = false;

/* ── the writer's agent and database ─────────────────────────────────────────────────────────── */

#define UNKNOWN 0                    /* not in memory */
#define OPEN 1
#define ASKED 2                      /* nothing was sent to PostgreSQL yet */
#define SENT 3
#define VOTED_YES 4
#define VOTED_COMMITTED 5
#define VOTED_NO 6                   /* and rolled back */

#define NOTHING 0
#define RUNNING 1
#define FLYING 2                     /* PREPARE, or outcome row and COMMIT, are with the backend */
#define PREPARED 3
#define B_COMMITTED 4
#define B_ABORTED 5

byte life = 1;
byte ballot = 1;
bool fenced = true;
byte agent = UNKNOWN;
byte asked_by = 0;
bool one_phase = false;              /* how it was asked to vote, and what flies */
bool seen = false;                   /* one-shot: its serial, in this life */
byte database = NOTHING;
byte epoch = 1;                      /* in the branch's name */
byte row = NONE;                     /* in assent.outcome */
bool row_dropped = false;

/* ── readers; how an agent prepares is in classic_commit.pml ─────────────────────────────────── */

#define R_NOTHING 0                  /* one-shot: not begun */
#define R_OPEN 1
#define R_LEFT 2
#define R_PREPARED 3                 /* it had written */
#define R_UNREMEMBERED 4             /* prepared, and its agent is another life */
#define R_ENDED 5                    /* rolled back, or left; nothing is remembered */
#define R_COMMITTED 6

byte reader[2] = R_NOTHING;

/* ── the client, and what outside checkers know ──────────────────────────────────────────────── */

byte promise = 1;                    /* the first copy is on its way, promised to this office */
bool repeated = false;
byte told = NONE;
bool closing = false;

#define WHEN(guard, action) if :: guard -> action :: else fi

#ifdef ONE_SHOT
#define WHOLE true
#else
#define WHOLE false
#endif

inline tell(outcome) {
  assert(told == NONE || told == outcome);      /* one answer, for ever */
  told = outcome
}

/* ── the log ─────────────────────────────────────────────────────────────────────────────────── */

#define IS_PREPARED(r) (reader[r] == R_PREPARED || reader[r] == R_UNREMEMBERED)
#define PROPOSES(l) (phase[l] == COMMITTING || phase[l] == ABORTING)

inline decide(l) {
  record = (phase[l] == COMMITTING -> COMMITTED : ABORTED);
  assert(told == NONE || told == record);
  if
  :: record == ABORTED -> assert(database != B_COMMITTED)
  :: else ->
     assert(database == PREPARED);
     assert(HAS(left[l], 0) || IS_PREPARED(0));
     assert(HAS(left[l], 1) || IS_PREPARED(1))
  fi
}

#define ENDED_READERS \
  ((reader[0] == R_LEFT || reader[0] == R_ENDED || reader[0] == R_COMMITTED -> 1 : 0) + \
   (reader[1] == R_LEFT || reader[1] == R_ENDED || reader[1] == R_COMMITTED -> 2 : 0))

inline start_finishing(l, how, branches) {
  phase[l] = how; todo[l] = branches;
  left[l] = 0; yes[l] = 0
}

inline follow(l) {
  knows[l] = true;
  start_finishing(l, FINISHING, (WRITER | READERS) & ~ENDED_READERS)
}

inline take_office() {
  office = 2;
  knows[2] = (record != NONE);
  WHEN(record != NONE && !forgotten, follow(2))
}

/* ── leaders ─────────────────────────────────────────────────────────────────────────────────── */

#define SEES_RECORD(l) (record != NONE && knows[l] && !(l == office && GONE))
#define LEADS(l) (l <= office && !(closing && l == 1))
#define ADMITS(l) (LEADS(l) && !closing && phase[l] == IDLE && !SEES_RECORD(l) && \
                   !(l == office && below_floor))

inline drive(l, first) {
  phase[l] = PREPARING; may_be_repeat[l] = !(first);
  left[l] = 0; yes[l] = 0;
  asks_readers[l] = true;
  WHEN(WHOLE, epoch = life)
#ifdef ONE_PHASE_BEFORE_READERS
  ; phase[l] = ONE_PHASE; asks_one_phase[l] = true
#endif
}

/* May it have committed in one phase, unseen by this driver? Then its writer is asked. */
inline give_up(l) {
#ifndef ABORT_WITHOUT_SETTLE
  if
  :: may_be_repeat[l] -> phase[l] = SETTLING
  :: else -> phase[l] = ABORTING
  fi
#else
  phase[l] = ABORTING
#endif
}

/* A client's abort, or a repeat whose one-shots an earlier office may have run. */
inline abort_settled(l) { may_be_repeat[l] = true; give_up(l) }

inline on_first_copy(l) {
  promise = 0;
#ifdef FINISHES_FORGOTTEN
  drive(l, true)
#else
  if
  :: WHOLE && finished[l] -> abort_settled(l)
  :: else -> drive(l, !finished[l])
  fi
#endif
}

inline on_repeat(l) {
  repeated = true;
#ifdef FIRST_ASSUMED
  drive(l, true)
#else
  if
  :: WHOLE -> abort_settled(l)
  :: else -> drive(l, false)
  fi
#endif
}

#define ALL_READERS_VOTED(l) ((left[l] | yes[l]) == READERS)

inline become_committed_one_phase(l) { start_finishing(l, COMMITTED_ONE_PHASE, 0) }

inline become_expired(l) {
  start_finishing(l, FINISHING,
    (READERS & ~ENDED_READERS) | (may_be_repeat[l] || asks_one_phase[l] -> 0 : WRITER))
}

inline retire(l) {
  finished[l] = true;
  WHEN(phase[l] == FINISHING && SEES_RECORD(l) && l == office, forgotten = true);
  phase[l] = IDLE; may_be_repeat[l] = false
}

#define ANY_PREPARED  (database == PREPARED || IS_PREPARED(0) || IS_PREPARED(1))
#define PREPARED_SET \
  ((database == PREPARED -> WRITER : 0) + (IS_PREPARED(0) -> 1 : 0) + (IS_PREPARED(1) -> 2 : 0))

/* Nobody drives what an inventory shows. A branch that is prepared, and a commit in one phase, never
   are of one transaction: so nothing is settled first. */
inline found() {
  if
  :: SEES_RECORD(2) || below_floor -> start_finishing(2, FINISHING, PREPARED_SET)
  :: else -> phase[2] = ABORTING
  fi
}

/* ── the writer's agent ──────────────────────────────────────────────────────────────────────── */

#ifdef BALLOT_IGNORED
#define TAKES(l) true
#define STALE false
#else
#define TAKES(l) (ballot <= l)
#define STALE (asked_by < ballot)
#endif
#define OWN (epoch == life)
#define OPENS (WHOLE && agent == UNKNOWN && OWN && fenced && !seen)
/* Before it is fenced an agent answers no one-shot. */
#define HAS_ENDED (agent == UNKNOWN && (!WHOLE || (fenced && (seen || !OWN))))
#define TAKES_IN(l) \
  (TAKES(l) && (OPENS || agent == OPEN || ((agent == ASKED || agent == SENT) && asked_by < l)))

inline hear(l) {
  WHEN(ballot < l, ballot = l)
}

inline on_prepare(l, in_one_phase) {
  hear(l);
  WHEN(agent == UNKNOWN || agent == OPEN, agent = ASKED; seen = WHOLE);
  WHEN(agent == ASKED, asked_by = l; one_phase = in_one_phase)
}

inline send_last() {
  if
  :: STALE -> agent = (WHOLE -> VOTED_NO : OPEN)
  :: else ->
     assert(!WHOLE || database == NOTHING);     /* a statement runs once */
     agent = SENT;
     database = FLYING
  fi;
  asked_by = 0
}

/* Outcome row and COMMIT: the row is unique. */
inline land() {
  if
  :: one_phase && row == NONE ->
     assert(told != ABORTED && record != ABORTED);
     assert(!IS_PREPARED(0) && !IS_PREPARED(1));
     row = COMMITTED; database = B_COMMITTED
  :: one_phase && row != NONE -> database = B_ABORTED
  :: !one_phase -> database = PREPARED
  fi
}

inline on_answer() {
  agent = (database == PREPARED -> VOTED_YES : (database == B_COMMITTED -> VOTED_COMMITTED : VOTED_NO))
}

/* The abort row is written unless a row stands. */
inline write_row() {
#ifndef SETTLE_ONLY_READS
  WHEN(row == NONE, row = ABORTED)
#else
  skip
#endif
}

/* The live branch is ended first. */
inline settle(l) {
  hear(l);
  if
  :: OWN && (agent == OPEN || agent == ASKED) ->
     agent = VOTED_NO; asked_by = 0;
     WHEN(database == RUNNING, database = B_ABORTED)
  :: else
  fi;
  write_row();
  if
  :: row == COMMITTED -> become_committed_one_phase(l)
  :: else -> phase[l] = ABORTING
  fi
}

/* In OnePhase, of a branch that is not in memory: its row tells. */
inline vote_by_row(l) {
  hear(l);
#ifdef ROW_NOT_READ
  give_up(l)
#else
  write_row();
  if
  :: row == COMMITTED -> become_committed_one_phase(l)
  :: else -> give_up(l)
  fi
#endif
}

inline commit_writer() {
  if
  :: database == PREPARED ->
     assert(record == COMMITTED);
     database = B_COMMITTED; agent = UNKNOWN
  :: else -> assert(database == B_COMMITTED)
  fi
}

inline abort_writer() {
  assert(database != B_COMMITTED);
  if
  :: database == PREPARED -> assert(record != COMMITTED); database = B_ABORTED
  :: database == RUNNING -> database = B_ABORTED
  :: else
  fi;
  agent = UNKNOWN; asked_by = 0;
  seen = (seen || (WHOLE && OWN))                /* buried */
}

inline finish_writer(l) {
  hear(l); todo[l] = todo[l] & ~WRITER;
  if
  :: phase[l] == FINISHING && record == COMMITTED -> commit_writer()
  :: else -> abort_writer()
  fi
}
#define MAY_FINISH_WRITER (agent != SENT && (database != FLYING || fenced))

/* What office 1 enrolled is the life that leader 2 knows from the log, and speaks to: the earlier one has
   heard nothing of leader 2. */
#ifdef EARLIER_LIFE_IS_HEARD
#define ENROLS_IN_OFFICE_1 true
#else
#define ENROLS_IN_OFFICE_1 (ballot == 1)
#endif

inline restart(learnt) {
  life = 2; ballot = learnt; fenced = false;
  agent = UNKNOWN; asked_by = 0; seen = false;
  WHEN(database == RUNNING, database = B_ABORTED)
}

inline fence() {
  fenced = true;
  WHEN(database == FLYING, database = B_ABORTED)
}

/* ── readers ─────────────────────────────────────────────────────────────────────────────────── */

inline finish_reader(l, r) {
  todo[l] = todo[l] & ~BIT(r);
  if
  :: IS_PREPARED(r) && record == COMMITTED ->
     reader[r] = R_COMMITTED
  :: IS_PREPARED(r) && record != COMMITTED ->
     assert(row != COMMITTED && database != B_COMMITTED);
     reader[r] = R_ENDED
  :: reader[r] == R_OPEN || reader[r] == R_NOTHING -> assert(record != COMMITTED); reader[r] = R_ENDED
  :: else
  fi
}

/* ── the end ─────────────────────────────────────────────────────────────────────────────────── */

inline close() {
  closing = true;
  phase[1] = IDLE; left[1] = 0; yes[1] = 0; todo[1] = 0; may_be_repeat[1] = false;
  finished[1] = false; knows[1] = false;
  asks_readers[1] = false; asks_prepare[1] = false; asks_one_phase[1] = false;
  promise = 0; repeated = false
}

#define ENDS_WELL                                                                                 \
  (!ANY_PREPARED && database != FLYING &&                                                         \
   (told == COMMITTED || record == COMMITTED -> database == B_COMMITTED : true) &&                \
   (told == ABORTED || record == ABORTED -> database != B_COMMITTED : true) &&                    \
   ((reader[0] == R_COMMITTED || reader[1] == R_COMMITTED) -> database == B_COMMITTED : true))

/* ── steps ───────────────────────────────────────────────────────────────────────────────────── */

/* The skip keeps a step that ends in a choice in one piece. */
#define STEP(guard, action) :: d_step { (guard) -> action; skip }
#define FAULT(guard, action) STEP(!closing && (guard), action)

#ifdef DEADLINE_ABORTS_ONE_PHASE
#define UNSENT(l) true
#else
#define UNSENT(l) (!asks_one_phase[l])
#endif
#ifdef ROW_DROPPED_EARLY
#define MAY_DROP_ROW (row != NONE && fenced)
#else
/* Eleven minutes below the floor: what was asked for above it has ended. */
#define MAY_DROP_ROW                                                                              \
  (row != NONE && fenced && below_floor && (phase[office] == IDLE || phase[office] >= FINISHING))
#endif

#define ASKS_ONE_PHASE(l) (asks_one_phase[l] && LEADS(l) && TAKES(l))
#define IS_UNDECIDED(l) (phase[l] == PREPARING || phase[l] == ONE_PHASE || phase[l] == SETTLING)
#define NOBODY_WAITS(l) \
  (l == office && (phase[l] == ONE_PHASE || phase[l] == SETTLING) && below_floor)
#define NEEDS_PREPARE(l) (phase[l] == PREPARING && ALL_READERS_VOTED(l) && yes[l] != 0)
#define LEADER(l)                                                                                 \
  FAULT(promise == l && ADMITS(l), on_first_copy(l))                                              \
  FAULT(ADMITS(l), on_repeat(l))                                                                  \
  FAULT(ADMITS(l), repeated = true; abort_settled(l))                                             \
  STEP(LEADS(l) && phase[l] == PREPARING, give_up(l))                                             \
  STEP(LEADS(l) && phase[l] == PREPARING && left[l] == READERS, phase[l] = ONE_PHASE)             \
  STEP(LEADS(l) && phase[l] == ONE_PHASE && !asks_one_phase[l], asks_one_phase[l] = true)         \
  STEP(LEADS(l) && phase[l] == ONE_PHASE && UNSENT(l), give_up(l))                                \
  STEP(LEADS(l) && NEEDS_PREPARE(l) && !asks_prepare[l], asks_prepare[l] = true)                  \
  STEP(LEADS(l) && NOBODY_WAITS(l), phase[l] = IDLE; finished[l] = true)                          \
  STEP(office == l && PROPOSES(l) && record == NONE && !below_floor, decide(l))                   \
  STEP(office == l && PROPOSES(l) && record == NONE && below_floor, become_expired(l))            \
  STEP(LEADS(l) && PROPOSES(l) && record != NONE, follow(l))                                      \
  STEP(LEADS(l) && SEES_RECORD(l) && told != record, tell(record))                                \
  STEP(LEADS(l) && phase[l] == COMMITTED_ONE_PHASE && told != COMMITTED, tell(COMMITTED))         \
  STEP(LEADS(l) && phase[l] >= FINISHING && todo[l] == 0, retire(l))                              \
  READER(l, 0)                                                                                    \
  READER(l, 1)                                                                                    \
  STEP(asks_one_phase[l] && TAKES_IN(l), on_prepare(l, true))                                     \
  STEP(asks_prepare[l] && TAKES_IN(l), on_prepare(l, false))                                      \
  STEP(asks_prepare[l] && NEEDS_PREPARE(l) && TAKES(l) && agent == VOTED_YES,                     \
       hear(l); phase[l] = COMMITTING)                                                            \
  STEP(ASKS_ONE_PHASE(l) && IS_UNDECIDED(l) && agent == VOTED_COMMITTED,                          \
       hear(l); become_committed_one_phase(l))                                                    \
  STEP(ASKS_ONE_PHASE(l) && phase[l] == ONE_PHASE && agent == VOTED_NO, hear(l); give_up(l))      \
  STEP(ASKS_ONE_PHASE(l) && phase[l] == ONE_PHASE && HAS_ENDED, vote_by_row(l))                   \
  STEP(LEADS(l) && phase[l] == SETTLING && TAKES(l) && agent != SENT, settle(l))                  \
  STEP(LEADS(l) && phase[l] == FINISHING && HAS(todo[l], 2) && TAKES(l) && MAY_FINISH_WRITER,     \
       finish_writer(l))

#define BEGINS(l, r) \
  (asks_readers[l] && (reader[r] == R_OPEN || (reader[r] == R_NOTHING && phase[l] == PREPARING)))
#define READER(l, r)                                                                              \
  STEP(BEGINS(l, r), reader[r] = R_LEFT)                                                          \
  STEP(BEGINS(l, r), reader[r] = R_PREPARED)                                                      \
  STEP(LEADS(l) && phase[l] == PREPARING && reader[r] == R_LEFT && !HAS(left[l], r),              \
       left[l] = left[l] | BIT(r))                                                                \
  STEP(LEADS(l) && phase[l] == PREPARING && reader[r] == R_PREPARED && !HAS(yes[l], r),           \
       yes[l] = yes[l] | BIT(r))                                                                  \
  STEP(LEADS(l) && phase[l] == FINISHING && HAS(todo[l], r), finish_reader(l, r))

#define READER_FAULTS(r)                                                                          \
  FAULT(reader[r] == R_OPEN || reader[r] == R_LEFT, reader[r] = R_ENDED)                          \
  FAULT(reader[r] == R_PREPARED, reader[r] = R_UNREMEMBERED)

init {
  d_step { WHEN(!WHOLE, agent = OPEN; database = RUNNING; reader[0] = R_OPEN; reader[1] = R_OPEN) };
  do
  LEADER(1)
  LEADER(2)
  READER_FAULTS(0)
  READER_FAULTS(1)
  STEP(agent == ASKED, send_last())
  STEP(database == FLYING, land())
  STEP(database == FLYING, database = B_ABORTED)
  STEP(agent == SENT && database != FLYING, on_answer())
  STEP(!fenced, fence())
  FAULT(agent == OPEN, agent = VOTED_NO; database = B_ABORTED)
  FAULT(agent == VOTED_COMMITTED || agent == VOTED_NO, agent = UNKNOWN)
  FAULT(life == 1 && ENROLS_IN_OFFICE_1, restart(1))
  FAULT(life == 1 && office == 2, restart(2))
  FAULT(office == 2, hear(2))
  STEP(office == 2 && phase[2] == IDLE && ANY_PREPARED, found())
  FAULT(office == 1, take_office())
  FAULT(!below_floor, below_floor = true)
  FAULT(MAY_DROP_ROW, row = NONE; row_dropped = true)
  FAULT(promise == 1 && office == 2 && !repeated, promise = (WHOLE -> 2 : 0); repeated = !WHOLE)
  FAULT(office == 2, close())
  :: else ->
     assert(phase[2] == IDLE);
     assert(ENDS_WELL);
     break
  od
}
