/* The classic path with the fence: R1, R3 to R9, R14. docs/models/README.md says what is modelled and
   what is left out. One transaction T with a branch at each of three participants, agents that may
   restart, a leader of office 1 and its successor of office 2. ONE_SHOT: the statements travel with
   the commit, instead of having opened the branches before. Every mutant is another #ifdef.

   One process takes all steps, each atomic as a step of a core is. A message that was sent may be taken
   in at any time from then on, many times or never: so it is lost, doubled, late. An answer comes
   when it is given, or never: for its receiver that it comes late is that the next step is late.
   An inventory's answer is the exception, for what counts is when it was asked for. */

#ifndef RESTARTS
#define RESTARTS 1                   /* of agents, all together */
#endif
#define ALL 7                        /* a set of participants, by bits */
#define BIT(p) (1 << (p))
#define HAS(set, p) ((set) & BIT(p))

/* ── the log: T's record, and the floor ──────────────────────────────────────────────────────── */

#define NONE 0
#define COMMITTED 1
#define ABORTED 2

byte record = NONE;                  /* of the decision that was chosen first */
byte listed = 0;                     /* branches in the record */
bool forgotten = false;
bool below_floor = false;            /* T's time is not above F */
byte office = 1;                     /* whose proposals are chosen */
#define GONE (forgotten && below_floor)

/* ── leaders, by the number of their office; it is their ballot, too ─────────────────────────── */

#define IDLE 0                       /* no driver of T */
#define PREPARING 1
#define COMMITTING 2                 /* Committed is proposed */
#define ABORTING 3
#define FINISHING 4

byte phase[3] = IDLE;
byte yes[3] = 0;                     /* votes of its driver */
byte todo[3] = 0;                    /* branches of its driver that have not confirmed */
bool prepares[3] = false;            /* messages that it has sent */
byte commits[3] = 0;
byte aborts[3] = 0;
bool knows[3] = false;               /* has executed the decision */
byte inventory = 0;                  /* shown prepared by inventories on their way to leader 2 */

/* ── agents and their databases ──────────────────────────────────────────────────────────────── */

#define UNKNOWN 0                    /* not in the agent's memory, or remembered as rolled back */
#define OPEN 1
#define ASKED 2                      /* to prepare; nothing was sent to PostgreSQL yet */
#define SENT 3                       /* PREPARE was sent, its answer is awaited */
#define VOTED_YES 4
#define ENDED 5                      /* after a YES, which it still remembers */

#define NOTHING 0
#define RUNNING 1                    /* its transaction is open */
#define FLYING 2                     /* PREPARE is with the backend, which may outlive its agent */
#define PREPARED 3
#define B_COMMITTED 4
#define B_ABORTED 5

byte life[3] = 1;                    /* the agent's epoch */
byte ballot[3] = 1;                  /* the highest that this life has seen */
bool fenced[3] = true;               /* no backend of an earlier life is left */
byte agent[3] = UNKNOWN;
byte asked_by[3] = 0;
byte seen[3] = 0;                    /* one-shot: office of the highest serial seen in this life */
byte database[3] = NOTHING;
byte epoch[3] = 1;                   /* in the branch's name */
byte named_by = 0;                   /* one-shot: the office whose attempts T's branches are */
byte restarts = 0;

/* ── the client, and what outside checkers know ──────────────────────────────────────────────── */

byte promise = 1;                    /* one-shot: the first copy is on its way, promised to this office */
bool repeated = false;               /* a copy without a promise was sent meanwhile */
byte told = NONE;
bool over[3] = false;                /* the agent has confirmed that the branch rolled back */
bool closing = false;                /* no faults and no late messages any more */

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

#ifdef BLIND_DECISION
#define DECIDES(l) (record != NONE || !below_floor)
#elif defined(DECISION_BELOW_FLOOR)
#define DECIDES(l) (record == NONE || GONE)
#else
#define DECIDES(l) (record == NONE && !below_floor)
#endif

inline decide(l) {
  record = (phase[l] == COMMITTING -> COMMITTED : ABORTED);
  listed = todo[l];
  forgotten = false;
  assert(told == NONE || told == record);
  /* Every listed branch is prepared. */
  assert(record == ABORTED ||
         (database[0] == PREPARED && database[1] == PREPARED && database[2] == PREPARED));
  knows[1] = false; knows[2] = false
}

/* Driver::follow_record: whatever was proposed, what counts is the record. */
inline follow(l) {
  knows[l] = true;
  if
  :: phase[l] == IDLE -> maybe_take_over(l)
  :: phase[l] != IDLE && l == office && GONE -> todo[l] = 0; phase[l] = FINISHING; yes[l] = 0
  :: else -> todo[l] = todo[l] | listed; finish_as(l, record)
  fi
}

inline finish_as(l, outcome) {
  phase[l] = FINISHING; yes[l] = 0;
  if
  :: outcome == COMMITTED -> commits[l] = commits[l] | todo[l]
  :: else -> aborts[l] = aborts[l] | todo[l]
  fi
}

inline maybe_take_over(l) {
  if
#ifndef NOT_TAKEN_OVER
  :: l == 2 && !forgotten -> todo[l] = listed; finish_as(l, record)
#endif
  :: else
  fi
}

/* Nothing of a deposed leader is chosen any more, so it is all one what it goes on to propose. */
inline forget_votes() {
  yes[1] = 0;
  WHEN(phase[1] == COMMITTING, phase[1] = ABORTING)
}

/* It serves when it has executed its own no-op, and so all that was decided before it. */
inline take_office(up_to_date) {
  office = 2;
  forget_votes();
  WHEN(up_to_date && record != NONE, knows[2] = true; maybe_take_over(2))
}

/* ── leaders ─────────────────────────────────────────────────────────────────────────────────── */

#define SEES_RECORD(l) (record != NONE && knows[l] && !(l == office && GONE))
#define SEES_FLOOR(l) (below_floor && l == office && (record == NONE || knows[l]))
#define LEADS(l) (l <= office && !(closing && l == 1))
#define ADMITS(l) (LEADS(l) && !closing && phase[l] == IDLE && !SEES_RECORD(l) &&                 \
                   !SEES_FLOOR(l))

inline drive(l) {
  phase[l] = PREPARING; todo[l] = ALL; prepares[l] = true;
  if
  :: WHOLE -> named_by = l; epoch[0] = life[0]; epoch[1] = life[1]; epoch[2] = life[2];
     over[0] = false; over[1] = false; over[2] = false
  :: else
  fi
}

/* Office: a repeat whose one-shots nobody drives may have been run by an earlier office. */
inline on_repeat(l) {
  repeated = (promise == 1);
#ifdef RETRY_RUNS_TWICE
  drive(l)
#else
  if
  :: WHOLE -> phase[l] = ABORTING; todo[l] = 0
  :: else -> drive(l)
  fi
#endif
}

/* A NO, the deadline, or a client's abort. */
inline give_up(l) {
#ifdef UNLOGGED_ABORT
  tell(ABORTED); finish_as(l, ABORTED)
#else
  phase[l] = ABORTING; yes[l] = 0
#endif
}

inline propose_commit(l) {
#ifdef COMMIT_BEFORE_CHOSEN
  finish_as(l, COMMITTED)
#else
  phase[l] = COMMITTING; yes[l] = 0
#endif
}

inline become_expired(l) { finish_as(l, ABORTED) }

/* A late copy of what was carried out finds the branch as it was left, which nobody changes any more:
   it is not kept. What an inventory was asked for before is no news afterwards. */
inline confirm(l, p) {
  todo[l] = todo[l] & ~BIT(p);
  WHEN(database[p] == B_COMMITTED, commits[l] = commits[l] & ~BIT(p));
  WHEN(database[p] == B_ABORTED, aborts[l] = aborts[l] & ~BIT(p));
#ifndef STALE_INVENTORY
  WHEN(l == 2, inventory = inventory & ~BIT(p))
#endif
}

#ifdef FORGET_TOO_EARLY
#define MAY_FORGET(l) (l == office && phase[l] == FINISHING)
#else
#define MAY_FORGET(l) (l == office && phase[l] == FINISHING && todo[l] == 0)
#endif

inline retire(l) {
  phase[l] = IDLE; todo[l] = 0;
#ifndef STALE_INVENTORY
  inventory = 0;
#endif
  WHEN(SEES_RECORD(l), forgotten = true)
}

/* Office::found */
inline found(p) {
  inventory = inventory & ~BIT(p);
  if
  :: phase[2] == PREPARING                      /* live work */
  :: phase[2] == COMMITTING || phase[2] == ABORTING -> todo[2] = todo[2] | BIT(p)
  :: phase[2] == FINISHING || phase[2] == IDLE ->
     if
     :: SEES_RECORD(2) -> todo[2] = todo[2] | BIT(p); finish_as(2, record)
     :: !SEES_RECORD(2) && SEES_FLOOR(2) -> todo[2] = todo[2] | BIT(p); become_expired(2)
     :: else -> todo[2] = BIT(p); phase[2] = ABORTING
     fi
  fi
}

/* ── agents ──────────────────────────────────────────────────────────────────────────────────── */

#define TAKES(p, l) (ballot[p] <= l)
#ifdef EPOCH_IGNORED
#define OWN(p) true
#else
#define OWN(p) (epoch[p] == life[p])
#endif
#ifdef SERIAL_FORGOTTEN
#define RUNS(p, l) true
#else
#define RUNS(p, l) (seen[p] < l)
#endif

inline hear(p, l) {
  WHEN(ballot[p] < l, ballot[p] = l)
}

#define OPENS(p, l) (WHOLE && agent[p] == UNKNOWN && OWN(p) && fenced[p] && RUNS(p, l))
#define ASKS(p, l) \
  (prepares[l] && TAKES(p, l) && \
   (OPENS(p, l) || agent[p] == OPEN || ((agent[p] == ASKED || agent[p] == SENT) && asked_by[p] < l)))

inline on_prepare(p, l) {
  hear(p, l);
  WHEN(agent[p] == UNKNOWN || agent[p] == OPEN, agent[p] = ASKED);
  WHEN(agent[p] == ASKED, asked_by[p] = l);
  WHEN(WHOLE && seen[p] < l, seen[p] = l)
}

#define VOTES(p, l) \
  (prepares[l] && TAKES(p, l) && (agent[p] == VOTED_YES || agent[p] == ENDED) &&                  \
   phase[l] == PREPARING && l == office && !HAS(yes[l], p))

inline vote(p, l) {
  hear(p, l); yes[l] = yes[l] | BIT(p)
}

/* BranchWork: checked again right before it is sent. */
inline send_prepare(p) {
  if
#ifndef BALLOT_NOT_CHECKED_AGAIN
  :: asked_by[p] < ballot[p] -> agent[p] = (WHOLE -> UNKNOWN : OPEN)
#endif
  :: else ->
     assert(ballot[p] <= asked_by[p]);          /* nothing is sent for a leader that is known to be over */
     assert(!WHOLE || database[p] == NOTHING);  /* a statement runs once */
     agent[p] = SENT; database[p] = FLYING
  fi;
  asked_by[p] = 0
}

/* PREPARE takes effect: never after its end was confirmed, never after the fence. */
inline land(p) {
  assert(!over[p] && (epoch[p] == life[p] || !fenced[p]));
  database[p] = PREPARED
}

inline on_answer(p) { agent[p] = (database[p] == PREPARED -> VOTED_YES : UNKNOWN) }

inline commit_branch(p) {
  if
  :: database[p] == PREPARED ->
     assert(record == COMMITTED && HAS(listed, p));
     database[p] = B_COMMITTED;
     WHEN(agent[p] == VOTED_YES, agent[p] = ENDED)
  :: else -> assert(database[p] == B_COMMITTED)  /* what is missing was committed before */
  fi
}

#ifdef NO_FENCE
#define CERTAIN(p) true
#else
#define CERTAIN(p) (epoch[p] == life[p] || database[p] == PREPARED || fenced[p])
#endif
#define MAY_ROLL_BACK(p) (agent[p] != SENT && CERTAIN(p))

inline abort_branch(p) {
  assert(database[p] != B_COMMITTED);
  if
  :: database[p] == PREPARED && (agent[p] == VOTED_YES || !OWN(p)) ->
     assert(record != COMMITTED);
     database[p] = B_ABORTED
  :: database[p] == RUNNING -> database[p] = B_ABORTED
  :: else
  fi;
  agent[p] = (agent[p] == VOTED_YES || agent[p] == ENDED -> ENDED : UNKNOWN);
  asked_by[p] = 0;
  WHEN(WHOLE && OWN(p) && seen[p] < named_by, seen[p] = named_by);   /* buried */
  over[p] = (database[p] != B_ABORTED)          /* which says the same */
}

/* A new life enrols, claims its epoch, and learns the ballot that was in office when it enrolled. With
   ballot 1 that was before leader 2, who then speaks to this life only (see one_phase.pml). */
inline restart(p, learnt) {
  restarts++;
  life[p] = 2; ballot[p] = learnt; fenced[p] = false;
  agent[p] = UNKNOWN; asked_by[p] = 0; seen[p] = 0;
  WHEN(database[p] == RUNNING, database[p] = B_ABORTED)
}

/* The backends of the earlier life are ended, and gone. */
inline fence(p) {
  fenced[p] = true;
#ifndef NO_FENCE
  WHEN(database[p] == FLYING, database[p] = B_ABORTED)
#endif
}

/* ── the end ─────────────────────────────────────────────────────────────────────────────────── */

inline close() {
  closing = true;
  phase[1] = IDLE; yes[1] = 0; todo[1] = 0; prepares[1] = false; commits[1] = 0; aborts[1] = 0;
  knows[1] = false;
  prepares[2] = (phase[2] == PREPARING);
  commits[2] = commits[2] & todo[2];
  aborts[2] = aborts[2] & todo[2];
  inventory = 0;
  promise = 0; repeated = false; restarts = 0
}

#define ENDS_WELL(p) \
  (database[p] != PREPARED && database[p] != FLYING && \
   (database[p] == B_COMMITTED) == (record == COMMITTED))

/* ── participants are alike: of states that differ in their order one is enough ──────────────── */

hidden int key[3], other;

#define IN(set, p) (((set) >> (p)) & 1)
#define KEY(p) \
  (database[p] + (agent[p] << 3) + (life[p] << 6) + (ballot[p] << 8) + (fenced[p] << 10) +        \
   (asked_by[p] << 11) + (seen[p] << 13) + (epoch[p] << 15) + (over[p] << 17) +                   \
   (IN(yes[1], p) << 18) + (IN(yes[2], p) << 19) + (IN(todo[1], p) << 20) +                       \
   (IN(todo[2], p) << 21) + (IN(commits[1], p) << 22) + (IN(commits[2], p) << 23) +               \
   (IN(aborts[1], p) << 24) + (IN(aborts[2], p) << 25) + (IN(inventory, p) << 26) +               \
   (IN(listed, p) << 27))

#define EXCHANGE(field, p, q) other = field[p]; field[p] = field[q]; field[q] = other
inline exchange_bits(set, p, q) {
  WHEN(IN(set, p) != IN(set, q), set = set ^ (BIT(p) | BIT(q)))
}

inline order(p, q) {
  if
  :: key[p] > key[q] ->
     EXCHANGE(database, p, q); EXCHANGE(agent, p, q); EXCHANGE(life, p, q);
     EXCHANGE(ballot, p, q); EXCHANGE(fenced, p, q); EXCHANGE(asked_by, p, q);
     EXCHANGE(seen, p, q); EXCHANGE(epoch, p, q); EXCHANGE(over, p, q);
     exchange_bits(yes[1], p, q); exchange_bits(yes[2], p, q);
     exchange_bits(todo[1], p, q); exchange_bits(todo[2], p, q);
     exchange_bits(commits[1], p, q); exchange_bits(commits[2], p, q);
     exchange_bits(aborts[1], p, q); exchange_bits(aborts[2], p, q);
     exchange_bits(inventory, p, q); exchange_bits(listed, p, q);
     key[p] = KEY(p); key[q] = KEY(q)
  :: else
  fi
}

inline sort() {
  key[0] = KEY(0); key[1] = KEY(1); key[2] = KEY(2);
  order(0, 1);
  order(1, 2);
  order(0, 1)
}

/* ── steps ───────────────────────────────────────────────────────────────────────────────────── */

/* The skip keeps a step that ends in a choice in one piece. */
#define STEP(guard, action) :: d_step { (guard) -> action; skip }
#define FAULT(guard, action) STEP(!closing && (guard), action)

#define PROPOSES(l) (phase[l] == COMMITTING || phase[l] == ABORTING)
#define CHOOSES(l) (office == l && PROPOSES(l))
#define EXECUTES(l) (LEADS(l) && record != NONE && !knows[l] && (phase[l] == IDLE || PROPOSES(l)))
#define LEADER(l)                                                                                 \
  FAULT(WHOLE && promise == l && ADMITS(l), drive(l); promise = 0; repeated = false)              \
  FAULT(ADMITS(l), on_repeat(l))                                                                  \
  STEP(LEADS(l) && phase[l] == PREPARING && yes[l] == ALL, propose_commit(l))                     \
  STEP(LEADS(l) && phase[l] == PREPARING, give_up(l))                                             \
  STEP(CHOOSES(l) && DECIDES(l), decide(l))                                                       \
  STEP(CHOOSES(l) && record == NONE && below_floor, become_expired(l))                            \
  STEP(EXECUTES(l), follow(l))                                                                    \
  STEP(LEADS(l) && SEES_RECORD(l) && told != record, tell(record))                                \
  STEP(MAY_FORGET(l), retire(l))

/* A finish is confirmed, or its confirmation is lost. */
#define COMMIT_COMES(p, l) (HAS(commits[l], p) && TAKES(p, l))
#define ABORT_COMES(p, l) (HAS(aborts[l], p) && TAKES(p, l) && MAY_ROLL_BACK(p))
#define MESSAGES(p, l)                                                                            \
  STEP(LEADS(l) && ASKS(p, l), on_prepare(p, l))                                                  \
  STEP(LEADS(l) && VOTES(p, l), vote(p, l))                                                       \
  STEP(COMMIT_COMES(p, l) && HAS(todo[l], p), hear(p, l); commit_branch(p); confirm(l, p))        \
  FAULT(COMMIT_COMES(p, l), hear(p, l); commit_branch(p))                                         \
  STEP(ABORT_COMES(p, l) && HAS(todo[l], p), hear(p, l); abort_branch(p); confirm(l, p))          \
  FAULT(ABORT_COMES(p, l), hear(p, l); abort_branch(p))

#ifdef YES_UNPROVEN
#define LOST_PREPARE(p) FAULT(agent[p] == SENT && database[p] == FLYING, agent[p] = VOTED_YES)
#elif defined(NO_UNPROVEN)
#define LOST_PREPARE(p) FAULT(agent[p] == SENT && database[p] == FLYING, agent[p] = UNKNOWN)
#else
#define LOST_PREPARE(p)
#endif

#define AGENT(p)                                                                                  \
  MESSAGES(p, 1)                                                                                  \
  MESSAGES(p, 2)                                                                                  \
  STEP(agent[p] == ASKED, send_prepare(p))                                                        \
  STEP(database[p] == FLYING, land(p))                                                            \
  STEP(database[p] == FLYING, database[p] = B_ABORTED)                                            \
  STEP(agent[p] == SENT && database[p] != FLYING, on_answer(p))                                   \
  LOST_PREPARE(p)                                                                                 \
  STEP(!fenced[p], fence(p))                                                                      \
  STEP(office == 2 && database[p] == PREPARED && !HAS(inventory, p) && !HAS(todo[2], p),          \
       inventory = inventory | BIT(p))                                                            \
  STEP(HAS(inventory, p), found(p))                                                               \
  FAULT(office == 2 && ballot[p] < 2, hear(p, 2))                                                 \
  FAULT(agent[p] == OPEN, agent[p] = UNKNOWN; database[p] = B_ABORTED)                            \
  FAULT(agent[p] == ENDED, agent[p] = UNKNOWN)                                                    \
  FAULT(life[p] == 1 && restarts < RESTARTS && ballot[p] == 1, restart(p, 1))                                       \
  FAULT(life[p] == 1 && restarts < RESTARTS && office == 2, restart(p, 2))

init {
  d_step {
    WHEN(!WHOLE, agent[0] = OPEN; agent[1] = OPEN; agent[2] = OPEN; database[0] = RUNNING;
                 database[1] = RUNNING; database[2] = RUNNING; promise = 0)
  };
  do
  :: atomic {
       if
       LEADER(1)
       LEADER(2)
       AGENT(0)
       AGENT(1)
       AGENT(2)
       FAULT(office == 1, take_office(true))
#ifdef SERVES_EARLY
       FAULT(office == 1 && record != NONE, take_office(false))
#endif
       FAULT(!below_floor, below_floor = true)
       FAULT(WHOLE && promise == 1 && office == 2 && !repeated, promise = 2)
       FAULT(office == 2, close())
       :: else ->
          assert(phase[2] == IDLE);
          assert(ENDS_WELL(0) && ENDS_WELL(1) && ENDS_WELL(2));
          break
       fi;
       d_step { sort() }
     }
  od
}
