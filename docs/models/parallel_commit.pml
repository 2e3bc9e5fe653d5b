/* Parallel commit of two branches, and recovery that fences: R1, R3, R6. docs/models/README.md says
   what is left out. The replicated log is one register for each transaction whose commands name the
   state that they expect: that is what Multi-Paxos gives. Every mutant is an #ifdef. */

mtype = { NONE, STAGED, COMMITTED, ABORTED };          /* the record */
mtype = { ACTIVE, PREPARED, B_COMMITTED, B_ABORTED };  /* a branch in PostgreSQL */

mtype record = NONE;
mtype branch[2] = ACTIVE;
bool in_flight[2];     /* a PREPARE is on its way to the backend, which may outlive its agent */
bool fenced[2];
bool told_commit = false;
bool told_abort = false;

/* COMMIT or ROLLBACK PREPARED; may be repeated. */
inline finish(i, outcome) {
  atomic {
    if
    :: outcome == COMMITTED ->
       assert(branch[i] == PREPARED || branch[i] == B_COMMITTED);
       branch[i] = B_COMMITTED
    :: outcome == ABORTED ->
       if
       :: branch[i] == PREPARED -> branch[i] = B_ABORTED
       :: branch[i] == B_COMMITTED -> assert(false)
       :: else -> skip
       fi
    fi
  }
}

inline finish_as_recorded() {
  if
  :: record == COMMITTED || record == ABORTED -> finish(0, record); finish(1, record)
  :: else
  fi
}

proctype backend(byte i) {
  do
  :: atomic { in_flight[i] && branch[i] == ACTIVE && !fenced[i] ->
              branch[i] = PREPARED; in_flight[i] = false }
  :: atomic { in_flight[i] && branch[i] == ACTIVE && !fenced[i] ->   /* a deferred constraint fails */
              branch[i] = B_ABORTED; in_flight[i] = false }
  :: atomic { in_flight[i] && (fenced[i] || branch[i] != ACTIVE) ->
              in_flight[i] = false;
              if
              :: branch[i] == ACTIVE -> branch[i] = B_ABORTED
              :: else
              fi }
  od
}

/* Sends the prepares and stages in any order; may die between any two steps. */
proctype coordinator() {
  bool sent[2];
  bool staged = false;
  do
  :: !sent[0] -> atomic { in_flight[0] = true; sent[0] = true }
  :: !sent[1] -> atomic { in_flight[1] = true; sent[1] = true }
  :: !staged ->
     atomic {
       if
       :: record == NONE -> record = STAGED
       :: else -> goto dead
       fi;
       staged = true
     }
  :: sent[0] && sent[1] && staged -> break
  :: goto dead
  od;
  do
  :: branch[0] == PREPARED && branch[1] == PREPARED -> break
  :: atomic { (branch[0] == B_ABORTED || branch[1] == B_ABORTED) ->
              if
              :: record == STAGED -> record = ABORTED
              :: else
              fi };
     atomic {
       if
       :: record == ABORTED -> told_abort = true
       :: else
       fi
     };
     goto outcome_known
  :: branch[0] == B_COMMITTED || branch[1] == B_COMMITTED -> goto dead   /* a recovery was faster */
  :: goto dead
  od;
  told_commit = true;   /* staged, and every branch is prepared: implicitly committed */
  if
  :: goto dead
  :: skip
  fi;
#ifdef EARLY_COMMIT
  /* Phase two begins before Committed has taken effect. */
  if
  :: true -> finish(0, COMMITTED)
  :: skip
  fi;
#endif
  atomic {
    if
    :: record == STAGED -> record = COMMITTED
    :: else
    fi
  };
outcome_known:
  finish_as_recorded();
dead:
  skip
}

/* Whether the branch was prepared; what was not never will be (R6). */
inline fence(i, was_prepared) {
  atomic {
    was_prepared = (branch[i] == PREPARED);
#ifndef NO_FENCE
    if
    :: branch[i] == ACTIVE -> fenced[i] = true
    :: else
    fi
#endif
  }
}

/* Begins at any time: the suspicion may be wrong. */
proctype recovery() {
  bool prepared[2];
  mtype outcome;
  atomic {
    if
    :: record == NONE -> record = ABORTED
    :: else
    fi
  };
  if
  :: record == STAGED ->
     fence(0, prepared[0]);
     fence(1, prepared[1]);
     if
     :: prepared[0] && prepared[1] -> outcome = COMMITTED
     :: else -> outcome = ABORTED
     fi;
#ifdef BLIND_RECOVERY
     /* The command does not name the state that it expects. */
     record = outcome
#else
     atomic {
       if
       :: record == STAGED -> record = outcome
       :: else
       fi
     }
#endif
  :: else
  fi;
  finish_as_recorded()
}

init {
  atomic { run backend(0); run backend(1); run coordinator(); run recovery(); run recovery() }
}

#define SOME(how) (branch[0] == how || branch[1] == how)
ltl atomicity { [] !(SOME(B_COMMITTED) && SOME(B_ABORTED)) }
ltl commit_is_kept { [] (told_commit -> [] (record != ABORTED)) }
ltl abort_is_kept { [] (told_abort -> [] (record != COMMITTED)) }
ltl record_is_final {
  [] ((record == COMMITTED -> [] (record == COMMITTED)) && (record == ABORTED -> [] (record == ABORTED)))
}
