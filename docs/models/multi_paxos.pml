/* Multi-slot Paxos with restarts: a model of coordinator/paxos for the model checker Spin.
   docs/models/README.md says what is modelled, what is left out, and why that may be left out;
   docs/paxos.md numbers the invariants that comments here name. Every mutant is an #ifdef.

   Three replicas; all are acceptors and learners, the first two of them also propose. Each
   step of a replica is atomic, as a step of the core is. What is sent stays in the network for ever
   and may be taken in at any time, many times or never: so messages are lost, doubled, late and
   out of order. */

#ifndef BALLOTS
#define BALLOTS 3
#endif
#define REPLICAS 3
#define SLOTS 2

#ifdef MINORITY_QUORUM
#define QUORUM 1
#else
#define QUORUM 2
#endif

/* Ballots are 1 to BALLOTS in their order: (round 1, replica 0), (round 1, replica 1), (round 2,
   replica 0)... The own value of the leader of a ballot is the ballot's number: values of different
   leaders differ, which is all that agreement can see of them. 0 is nothing. */
#define OWNER(ballot) (((ballot) + 1) % 2)
#define NOOP (BALLOTS + 1)

hidden byte s, i, b, told;  /* within a step only: no part of the state */

/* ── state of a replica; indices of slots are from 1 ─────────────────────────────────────────── */

typedef Slots { byte at[SLOTS + 1] };

byte promised[REPLICAS];        /* in memory */
Slots ballot_of[REPLICAS];      /* under which the slot's value was accepted; 0: none was */
Slots value_of[REPLICAS];
byte marked[REPLICAS];          /* the chosen mark */

byte disk_promised[REPLICAS];   /* on its disk; a crash leaves only this */
Slots disk_ballot_of[REPLICAS];
Slots disk_value_of[REPLICAS];
byte disk_marked[REPLICAS];

byte candidate[REPLICAS];       /* of this ballot; 0: it is none */
byte leader[REPLICAS];
byte last[REPLICAS];            /* leader: the last slot proposed in */
typedef Members { byte at[REPLICAS] };
Members accepted_through[REPLICAS]; /* leader: what members told, where that is above its own mark */

/* ── the network ─────────────────────────────────────────────────────────────────────────────── */

bool prepare_sent[BALLOTS + 1];
Slots accept_sent[BALLOTS + 1]; /* the value; 0: none */
byte chosen_sent[BALLOTS + 1];  /* the leader of the ballot said that all slots up to here are chosen */

/* ── what an outside checker knows ───────────────────────────────────────────────────────────── */

byte chosen[SLOTS + 1];         /* the value that was chosen first; 0: none yet */
bool proposed[BALLOTS + 1];     /* the ballot's own value was proposed */

/* Agreement; a marked slot never changes; only what was proposed, or a no-op, is chosen. */
inline check_chosen(slot, value) {
  assert(value == NOOP || (value != 0 && value < NOOP && proposed[value]));
  assert(chosen[slot] == 0 || chosen[slot] == value);
  chosen[slot] = value
}

/* A quorum has durably accepted one value under one ballot: chosen, whoever knows of it. */
inline check_acceptances(slot) {
  if
  :: disk_ballot_of[0].at[slot] != 0 && disk_ballot_of[0].at[slot] == disk_ballot_of[1].at[slot] ->
     assert(disk_value_of[0].at[slot] == disk_value_of[1].at[slot]);
     check_chosen(slot, disk_value_of[0].at[slot])
  :: else
  fi;
  if
  :: disk_ballot_of[2].at[slot] != 0 && disk_ballot_of[2].at[slot] == disk_ballot_of[0].at[slot] ->
     assert(disk_value_of[2].at[slot] == disk_value_of[0].at[slot]);
     check_chosen(slot, disk_value_of[2].at[slot])
  :: else
  fi;
  if
  :: disk_ballot_of[2].at[slot] != 0 && disk_ballot_of[2].at[slot] == disk_ballot_of[1].at[slot] ->
     assert(disk_value_of[2].at[slot] == disk_value_of[1].at[slot]);
     check_chosen(slot, disk_value_of[2].at[slot])
  :: else
  fi
}

/* ── the disk ────────────────────────────────────────────────────────────────────────────────── */

#define WRITTEN(me, slot) (ballot_of[me].at[slot] == disk_ballot_of[me].at[slot] && \
                           value_of[me].at[slot] == disk_value_of[me].at[slot])
#ifdef FORGOTTEN_PROMISE
#define DURABLE(me) (WRITTEN(me, 1) && WRITTEN(me, 2))
#else
#define DURABLE(me) (promised[me] == disk_promised[me] && WRITTEN(me, 1) && WRITTEN(me, 2))
#endif

/* One flush makes a prefix of the records durable: all of them, or those of the first slot only. The
   chosen mark is written with them, and may lag. What waited for the disk leaves now (R2). */
inline flush(me, slots) {
#ifdef FORGOTTEN_PROMISE
  for (s : 1 .. slots) {
    if
    :: ballot_of[me].at[s] > disk_promised[me] -> disk_promised[me] = ballot_of[me].at[s]
    :: else
    fi
  }
#else
  disk_promised[me] = promised[me];
#endif
  for (s : 1 .. slots) {
    disk_ballot_of[me].at[s] = ballot_of[me].at[s];
    disk_value_of[me].at[s] = value_of[me].at[s];
    check_acceptances(s)
  }
  if
  :: marked[me] <= slots -> disk_marked[me] = marked[me]
  :: else
  fi;
  if
  :: candidate[me] != 0 -> prepare_sent[candidate[me]] = true
  :: else
  fi;
  tell_acceptances(me);
  forget_late_messages()
}

/* A message of a ballot that both its receivers have durably promised not to take in is as good as
   lost; forgetting it makes states equal that differ in nothing else. */
#ifdef ACCEPT_BELOW_PROMISE
#define IS_LATE(ballot) false
inline forget_late_messages() { skip }
#else
#define DEAF(me, ballot) (OWNER(ballot) == me || disk_promised[me] > (ballot))
#define IS_LATE(ballot) (DEAF(0, ballot) && DEAF(1, ballot) && DEAF(2, ballot))
inline forget_late_messages() {
  for (b : 1 .. BALLOTS) {
    if
    :: IS_LATE(b) ->
       prepare_sent[b] = false;
       accept_sent[b].at[1] = 0;
       accept_sent[b].at[2] = 0;
       chosen_sent[b] = 0
    :: else
    fi
  }
}
#endif

/* ── roles ───────────────────────────────────────────────────────────────────────────────────── */

inline leave_office(me) {
  candidate[me] = 0;
  leader[me] = 0;
  last[me] = 0;
  for (i : 0 .. REPLICAS - 1) { accepted_through[me].at[i] = 0 }
}

inline crash(me) {
  promised[me] = disk_promised[me];
  for (s : 1 .. SLOTS) {
    ballot_of[me].at[s] = disk_ballot_of[me].at[s];
    value_of[me].at[s] = disk_value_of[me].at[s];
    if
    :: s <= disk_marked[me] ->
       check_chosen(s, value_of[me].at[s])
    :: else
    fi
  }
  marked[me] = disk_marked[me];
  leave_office(me)
}

inline raise_promise(me, ballot) {
  promised[me] = ballot;
  leave_office(me)
}

/* ── the acceptor ────────────────────────────────────────────────────────────────────────────── */

/* Whether a slot counts as accepted under a ballot: it must be exactly that one, and on the disk. */
#if defined(ANSWER_BEFORE_FLUSH)
#define HOLDS(me, slot, ballot) (ballot_of[me].at[slot] == ballot)
#elif defined(OTHER_BALLOT_COUNTS)
#define HOLDS(me, slot, ballot) (disk_ballot_of[me].at[slot] != 0)
#elif defined(OWN_COUNTS_UNPERSISTED)
#define HOLDS(me, slot, ballot) \
  (disk_ballot_of[me].at[slot] == ballot || (OWNER(ballot) == me && ballot_of[me].at[slot] == ballot))
#else
#define HOLDS(me, slot, ballot) (disk_ballot_of[me].at[slot] == ballot)
#endif
/* AcceptedThrough: every slot up to it is known chosen here or accepted under the ballot. */
#define THROUGH(me, ballot)                                                     \
  (marked[me] == 2 -> 2 : (marked[me] == 1 -> (HOLDS(me, 2, ballot) -> 2 : 1) : \
   (!HOLDS(me, 1, ballot) -> 0 : (HOLDS(me, 2, ballot) -> 2 : 1))))

/* What is at or below the leader's own mark tells it nothing. */
#define TELLS(me, who)                                 \
  (leader[who] != 0 && leader[who] == promised[me] &&  \
   THROUGH(me, leader[who]) > marked[who] &&           \
   THROUGH(me, leader[who]) > accepted_through[who].at[me])
inline tell(me, who) {
  if
  :: TELLS(me, who) -> accepted_through[who].at[me] = THROUGH(me, leader[who])
  :: else
  fi
}
inline tell_acceptances(me) {
  tell(me, 0);
  tell(me, 1)
}

inline on_accept(me, ballot, slot) {
  if
  :: promised[me] < ballot -> raise_promise(me, ballot)
  :: else
  fi;
  if
  :: marked[me] < slot ->
     ballot_of[me].at[slot] = ballot;
     value_of[me].at[slot] = accept_sent[ballot].at[slot]
  :: else
  fi;
#ifdef ANSWER_BEFORE_FLUSH
  tell_acceptances(me)
#endif
}

/* ── the proposer ────────────────────────────────────────────────────────────────────────────── */

/* Phase 1a leaves when the own promise is durable (flush): so ballots never repeat. */
inline stand(me, ballot) {
  raise_promise(me, ballot);
  candidate[me] = ballot;
#ifdef BALLOT_REUSE
  prepare_sent[ballot] = true
#endif
}

inline send_accept(ballot, slot, value) {
  if
  :: !IS_LATE(ballot) -> accept_sent[ballot].at[slot] = value
  :: else
  fi
}
inline send_chosen(me) {
  if
  :: !IS_LATE(leader[me]) -> chosen_sent[leader[me]] = marked[me]
  :: else
  fi
}

/* The leader accepts at once and asks the others at the same time. */
inline propose(me, slot, value) {
  ballot_of[me].at[slot] = leader[me];
  value_of[me].at[slot] = value;
  send_accept(leader[me], slot, value)
}
inline propose_own(me, slot) {
  proposed[leader[me]] = true;
  propose(me, slot, leader[me])
}

/* Phase 1b: all that was accepted from the first slot of phase 1 on, what is chosen included. */
#if defined(PROMISE_WITHOUT_ACCEPTED)
#define REPORTED(who, slot) 0
#elif defined(CHOSEN_NOT_REPORTED)
#define REPORTED(who, slot) (slot > marked[who] -> ballot_of[who].at[slot] : 0)
#else
#define REPORTED(who, slot) ballot_of[who].at[slot]
#endif
/* Whether the other's report of a slot counts, and not the candidate's own. */
#ifdef LOWEST_BALLOT
#define PREFERS_OTHER(me, other, slot)                                     \
  (REPORTED(other, slot) != 0 &&                                           \
   (ballot_of[me].at[slot] == 0 || REPORTED(other, slot) < ballot_of[me].at[slot]))
#else
#define PREFERS_OTHER(me, other, slot) (REPORTED(other, slot) > ballot_of[me].at[slot])
#endif

/* P2c: the value that a quorum reported with the highest ballot, or a no-op in a hole. */
inline propose_again(me, other, slot) {
#ifdef OWN_VALUE_OVER_ACCEPTED
  propose_own(me, slot);
#else
  if
  :: PREFERS_OTHER(me, other, slot) -> propose(me, slot, value_of[other].at[slot])
  :: else ->
     if
     :: ballot_of[me].at[slot] != 0 -> propose(me, slot, value_of[me].at[slot])
#ifdef SKIPPED_HOLE
     :: else -> ballot_of[me].at[slot] = leader[me]; value_of[me].at[slot] = NOOP
#else
     :: else -> propose(me, slot, NOOP)
#endif
     fi
  fi;
#endif
  skip
}

/* The candidate's own promise and that of another make a quorum; the last of them ends phase 1.
   What is chosen here is sent too, for whoever is behind (invariant 6). */
inline become_leader(me, other) {
  leader[me] = candidate[me];
  candidate[me] = 0;
  last[me] = marked[me];
  for (s : marked[me] + 1 .. SLOTS) {
    if
    :: ballot_of[me].at[s] != 0 || REPORTED(other, s) != 0 -> last[me] = s
    :: else
    fi
  }
  for (s : 1 .. last[me]) {
    if
    :: s <= marked[me] -> send_accept(leader[me], s, value_of[me].at[s])
    :: else -> propose_again(me, other, s)
    fi
  }
  if
  :: marked[other] > marked[me] -> accepted_through[me].at[other] = marked[other]
  :: else
  fi;
  send_chosen(me)
}

#define ACCEPTED(me, slot)                                                           \
  ((accepted_through[me].at[0] >= slot -> 1 : 0) + (accepted_through[me].at[1] >= slot -> 1 : 0) + \
   (accepted_through[me].at[2] >= slot -> 1 : 0))
#ifdef SKIPPED_HOLE
/* A hole that phase 1 found is taken for a no-op without asking anybody. */
#define IS_HOLE(me, slot) (value_of[me].at[slot] == NOOP && ballot_of[me].at[slot] == leader[me])
#else
#define IS_HOLE(me, slot) false
#endif

inline mark_next(me) {
  marked[me] = marked[me] + 1;
  check_chosen(marked[me], value_of[me].at[marked[me]])
}

#define IS_CHOSEN(me, slot) (ACCEPTED(me, slot) >= QUORUM || IS_HOLE(me, slot))

inline propose_next(me) {
  last[me] = last[me] + 1;
  propose_own(me, last[me])
}

inline learn_next(me) {
  mark_next(me);
  for (i : 0 .. REPLICAS - 1) {
    if
    :: accepted_through[me].at[i] <= marked[me] -> accepted_through[me].at[i] = 0
    :: else
    fi
  }
  send_chosen(me)
}

/* ── one replica ─────────────────────────────────────────────────────────────────────────────── */

#ifdef ACCEPT_BELOW_PROMISE
#define TAKES(me, ballot) true
#else
#define TAKES(me, ballot) (promised[me] <= ballot)
#endif
#ifdef MARK_OVER_OTHER_BALLOT
#define MAY_MARK(me, ballot) (ballot_of[me].at[marked[me] + 1] != 0)
#else
#define MAY_MARK(me, ballot) (ballot_of[me].at[marked[me] + 1] == ballot)
#endif

/* One step of a replica; the skip keeps a step that ends in a choice or a loop in one piece. */
#define STEP(guard, action) :: d_step { (guard) -> action; skip }
/* One that writes: its flush follows, or a crash before that. Nothing else comes between, for nobody
   could see it. Only a leader, whose proposals leave at once, goes on with a flush outstanding. */
#define WRITING_STEP(guard, action)                                                              \
  :: atomic {                                                                                    \
       d_step { (guard) -> action; skip };                                                       \
       if                                                                                        \
       :: d_step { true -> flush(me, SLOTS); skip }                                              \
       :: d_step { true -> crash(me); skip }                                                     \
       fi                                                                                        \
     }

/* What the messages of a ballot do to a replica; nobody writes to itself. */
#define HEARS(ballot) (DURABLE(me) && OWNER(ballot) != me && TAKES(me, ballot))
#define ON_ACCEPT(ballot, slot)                                                                  \
  WRITING_STEP(accept_sent[ballot].at[slot] != 0 && HEARS(ballot) &&                                     \
       (promised[me] < ballot || (marked[me] < slot && ballot_of[me].at[slot] != ballot)),       \
       on_accept(me, ballot, slot))
#define ON_MESSAGES(ballot)                                                                      \
  WRITING_STEP(prepare_sent[ballot] && promised[me] < ballot && HEARS(ballot),                   \
               raise_promise(me, ballot))                                                        \
  STEP(marked[me] < chosen_sent[ballot] && HEARS(ballot) && MAY_MARK(me, ballot), mark_next(me)) \
  ON_ACCEPT(ballot, 1)                                                                           \
  ON_ACCEPT(ballot, 2)
/* A candidacy may begin at any time: pre-vote and deadlines only choose when. */
#ifdef BALLOT_REUSE
#define STANDING_STEP STEP
#else
#define STANDING_STEP WRITING_STEP
#endif
#define STANDS(ballot)                                                                           \
  STANDING_STEP(OWNER(ballot) == me && promised[me] < ballot && DURABLE(me), stand(me, ballot))
#define IS_PROMISED_BY(other)                                                                    \
  (candidate[me] != 0 && prepare_sent[candidate[me]] && other != me &&                           \
   promised[other] == candidate[me] && DURABLE(other))

proctype replica(byte me) {
end:
  do
  /* its disk */
  STEP(!DURABLE(me), flush(me, 2))
  STEP(!WRITTEN(me, 1) && !WRITTEN(me, 2), flush(me, 1))
  STEP(!DURABLE(me) || disk_marked[me] < marked[me] || candidate[me] != 0 || leader[me] != 0,
       crash(me))

  /* acceptor and learner */
  ON_MESSAGES(1)
  ON_MESSAGES(2)
  ON_MESSAGES(3)
#if BALLOTS > 3
  ON_MESSAGES(4)
#endif
  STEP(DURABLE(me) && (TELLS(me, 0) || TELLS(me, 1)), tell_acceptances(me))

  /* proposer */
  STANDS(1)
  STANDS(2)
  STANDS(3)
#if BALLOTS > 3
  STANDS(4)
#endif
  STEP(IS_PROMISED_BY(0), become_leader(me, 0))
  STEP(IS_PROMISED_BY(1), become_leader(me, 1))
  STEP(IS_PROMISED_BY(2), become_leader(me, 2))
#ifdef MINORITY_QUORUM
  STEP(me == 0 && candidate[0] != 0 && prepare_sent[candidate[0]], become_leader(me, 0))
  STEP(me == 1 && candidate[1] != 0 && prepare_sent[candidate[1]], become_leader(me, 1))
#endif
  STEP(leader[me] != 0 && last[me] < SLOTS, propose_next(me))
  STEP(leader[me] != 0 && marked[me] < last[me] && IS_CHOSEN(me, marked[me] + 1), learn_next(me))
  od
}

init {
  atomic { run replica(0); run replica(1); run replica(2) }
}
