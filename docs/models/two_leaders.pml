/* One transaction of two branches, a leader of ballot 1 and its successor of ballot 2, to which the
   client repeats its commit: R1, R3, R4, R11. docs/models/README.md says what is left out. Commands
   of the log are atomic on the record. PARALLEL: parallel commit instead of the classic path. Every
   mutant is another #ifdef. */

mtype = { NONE, STAGED, COMMITTED, ABORTED };                         /* the record */
mtype = { OPEN, PREPARED, B_COMMITTED, B_ABORTED, READ_ONLY };        /* a branch */

mtype record = NONE;
mtype branch[2] = OPEN;
mtype reader = OPEN;        /* a third branch that only reads; not listed */
byte ballot_of[2] = 0;      /* the highest that each agent has seen */
bool fenced[2];
bool told_commit = false;
bool told_abort = false;
bool floating = false;      /* the first leader proposed Committed; the second may find it chosen */

#define REFUSES(i, ballot) (ballot_of[i] > ballot)
#define SOME(how) (branch[0] == how || branch[1] == how)
#define YES(i) (branch[i] == PREPARED || branch[i] == B_COMMITTED)
#define WELL(i) (YES(i) || branch[i] == READ_ONLY)

inline prepare(i, ballot) {
  atomic {
    if
    :: REFUSES(i, ballot) || fenced[i] -> skip
    :: else ->
       ballot_of[i] = ballot;
       if
       :: branch[i] == OPEN ->
          if
          :: branch[i] = PREPARED
          :: branch[i] = B_ABORTED
#ifdef LISTED_READER
          :: i == 1 -> branch[i] = READ_ONLY
#endif
          fi
       :: else
       fi
    fi
  }
}

inline roll_back(i, ballot) {
  atomic {
    if
    :: REFUSES(i, ballot) -> skip
    :: else ->
       ballot_of[i] = ballot;
       if
       :: branch[i] == PREPARED || branch[i] == OPEN -> branch[i] = B_ABORTED
       :: else
       fi
    fi
  }
}

inline commit_branch(i) {
  if
  :: branch[i] == PREPARED -> branch[i] = B_COMMITTED
  :: else
  fi
}
inline abort_branch(i) {
  if
  :: branch[i] == PREPARED || branch[i] == OPEN -> branch[i] = B_ABORTED
  :: else
  fi
}
inline finish_as_recorded() {
  if
  :: record == COMMITTED ->
     atomic {
       assert(!SOME(B_ABORTED) && reader != B_ABORTED);
       commit_branch(0);
       commit_branch(1)
     }
  :: record == ABORTED ->
     atomic {
       assert(!SOME(B_COMMITTED));
       abort_branch(0);
       abort_branch(1)
     }
  :: else
  fi
}

/* A vote is NO, or the deadline has come. */
inline give_up() {
#ifdef UNLOGGED_ABORT
  told_abort = true;
  if
  :: true -> roll_back(0, 1)
  :: skip
  fi;
  if
  :: true -> roll_back(1, 1)
  :: skip
  fi
#else
  atomic {
    if
    :: record == NONE || record == STAGED -> record = ABORTED
    :: else
    fi
  };
  if
  :: record == ABORTED -> told_abort = true
  :: else
  fi
#endif
}

inline read_branch_votes() {
#ifdef READER_AFTER_STAGING
  /* May say NO when the transaction is staged already. */
  if
  :: reader = READ_ONLY
  :: reader = B_ABORTED
  fi
#else
  reader = READ_ONLY
#endif
}

/* May stop for good at any time. */
proctype first_leader() {
#ifdef PARALLEL
  atomic {
    if
    :: record == NONE -> record = STAGED
    :: else -> goto dead
    fi
  };
#endif
  prepare(0, 1);
  prepare(1, 1);
  read_branch_votes();
  if
  :: WELL(0) && WELL(1) && reader != B_ABORTED ->
#ifdef PARALLEL
#ifdef LISTED_READER
     if
     :: record == STAGED || record == COMMITTED -> told_commit = true
     :: else
     fi;
#else
     if
     :: YES(0) && YES(1) && (record == STAGED || record == COMMITTED) -> told_commit = true
     :: else
     fi;
#endif
     if
     :: goto dead
     :: skip
     fi;
     atomic {
       if
       :: record == STAGED -> record = COMMITTED
       :: else
       fi
     };
#else
     floating = true;
     if
     :: atomic { floating -> floating = false;
                 if
                 :: record == NONE -> record = COMMITTED
                 :: else
                 fi }
#ifdef ROLLBACK_OF_PROPOSED
     /* The deadline comes while the fate of the proposal is unknown. */
     :: true -> roll_back(0, 1); goto dead
#endif
     :: goto dead
     fi;
#endif
     if
     :: record == COMMITTED -> told_commit = true
     :: else
     fi
  :: else -> give_up()
  :: true -> give_up()
  :: goto dead
  fi;
  if
  :: true -> finish_as_recorded()
  :: skip
  fi;
dead:
  skip
}

inline fence(i) {
  atomic {
    ballot_of[i] = 2;
    if
    :: branch[i] != PREPARED ->
       fenced[i] = true;
       if
       :: branch[i] == OPEN -> branch[i] = B_ABORTED
       :: else
       fi
    :: else
    fi
  }
}

inline drive_again() {
  prepare(0, 2);
  prepare(1, 2);
  atomic {
    if
    :: record == NONE ->
       if
       :: WELL(0) && WELL(1) && reader != B_ABORTED -> record = COMMITTED
       :: else -> record = ABORTED
       fi
    :: else
    fi
  }
}

proctype second_leader() {
  bool saw_none = (record == NONE);   /* before it has executed what was chosen */
  atomic {
    /* Proposes again what it finds. */
    if
    :: floating ->
       floating = false;
       if
       :: record == NONE -> record = COMMITTED
       :: else
       fi
    :: else
    fi
  };
  if
  :: record == NONE ->
     if
     :: true -> drive_again()
     :: true -> atomic {               /* an agent asked: presumption, through the log */
          if
          :: record == NONE -> record = ABORTED
          :: else
          fi
        }
     fi
#ifdef BLIND_ABORT
  /* Aborted beats Staged: the command expects only that nobody committed. */
  :: saw_none ->
     atomic {
       if
       :: record != COMMITTED -> record = ABORTED
       :: else
       fi
     }
#endif
  :: record == STAGED ->
     fence(0);
     fence(1);
     atomic {
       if
       :: record == STAGED ->
          if
          :: branch[0] == PREPARED && branch[1] == PREPARED -> record = COMMITTED
          :: else -> record = ABORTED
          fi
       :: else
       fi
     }
  :: else
  fi;
  if
  :: record == COMMITTED -> told_commit = true
  :: record == ABORTED -> told_abort = true
  :: else
  fi;
  finish_as_recorded()
}

init {
  atomic { run first_leader(); run second_leader() }
}

ltl one_outcome {
  [] (!(told_commit && told_abort) && !(told_commit && record == ABORTED) &&
      !(told_abort && record == COMMITTED) &&
      !(SOME(B_COMMITTED) && (SOME(B_ABORTED) || reader == B_ABORTED)) &&
      !(record == COMMITTED && reader == B_ABORTED))
}
