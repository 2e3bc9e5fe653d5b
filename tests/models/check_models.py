"""Verifies the models of the protocols with Spin: each holds, and each mutant of it fails.

usage: check_models.py DIRECTORY_OF_MODELS

The models are Promela; docs/models/README.md says what each stands for. A mutant breaks one rule, by
one preprocessor symbol; a mutant that is verified proves that the model can see nothing, so it fails
this check as a model does that is not. Exit codes: 0 all as it should be, 1 not, 77 Spin is not
installed.
"""

import concurrent.futures
import dataclasses
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile
import time

SKIPPED = 77
TOOLS = ("spin", "cc")
PATIENCE_S = 600  # for one run of a verifier, on a machine that does other things too
MEMORY_MIB = 2000
AT_ONCE_MAX = 2  # for the memory's sake

ERRORS = re.compile(r"errors: (\d+)")
STATES = re.compile(r"([\d.e+]+) states, stored")
CUT_SHORT = ("max search depth too small", "out of memory", "reached -DMEMLIM bound")
SYMBOL = re.compile(r"(?:#ifn?def |defined\()(\w+)")


@dataclasses.dataclass(frozen=True)
class Case:
    """One verification: a model, the symbols given to it, and the property that is looked at."""

    model: str
    symbols: tuple = ()   # "NAME" or "NAME=value"
    claim: str = ""       # a formula of the model; empty: its assertions
    mutant: str = ""      # the rule that is broken; empty: none

    def __str__(self):
        words = [self.model, *self.symbols, self.claim, f"mutant {self.mutant}" if self.mutant else ""]
        return " ".join(word for word in words if word)


PAXOS = "multi_paxos.pml"
PARALLEL_COMMIT = "parallel_commit.pml"
TWO_LEADERS = "two_leaders.pml"
CLASSIC = "classic_commit.pml"
ONE_PHASE = "one_phase.pml"

# Models whose search takes longer than compiling them well; of a mutant only the first error is
# looked for.
LARGE = {PAXOS, CLASSIC, ONE_PHASE}
BOUNDS = {"BALLOTS", "RESTARTS"}  # symbols that have a value of their own where no case sets them
SMALL = "RESTARTS=0"

# The largest first, so that none is left when the others are done.
CASES = (
    Case(CLASSIC, ("ONE_SHOT",)),
    Case(PAXOS),
    Case(CLASSIC),
    Case(ONE_PHASE),
    Case(ONE_PHASE, ("ONE_SHOT",)),
    Case(CLASSIC, ("SERVES_EARLY", SMALL)),
    *(Case(PAXOS, mutant=mutant) for mutant in (
        "ANSWER_BEFORE_FLUSH", "OWN_COUNTS_UNPERSISTED", "FORGOTTEN_PROMISE", "BALLOT_REUSE",
        "ACCEPT_BELOW_PROMISE", "MINORITY_QUORUM", "OWN_VALUE_OVER_ACCEPTED", "LOWEST_BALLOT",
        "PROMISE_WITHOUT_ACCEPTED", "CHOSEN_NOT_REPORTED", "SKIPPED_HOLE", "OTHER_BALLOT_COUNTS",
        "MARK_OVER_OTHER_BALLOT")),
    *(Case(PARALLEL_COMMIT, claim=claim) for claim in (
        "atomicity", "commit_is_kept", "abort_is_kept", "record_is_final")),
    Case(PARALLEL_COMMIT, claim="commit_is_kept", mutant="NO_FENCE"),
    Case(PARALLEL_COMMIT, claim="commit_is_kept", mutant="EARLY_COMMIT"),
    Case(PARALLEL_COMMIT, claim="record_is_final", mutant="BLIND_RECOVERY"),
    Case(TWO_LEADERS, claim="one_outcome"),
    Case(TWO_LEADERS, ("PARALLEL",), "one_outcome"),
    Case(TWO_LEADERS, claim="one_outcome", mutant="ROLLBACK_OF_PROPOSED"),
    *(Case(TWO_LEADERS, ("PARALLEL",), "one_outcome", mutant) for mutant in (
        "UNLOGGED_ABORT", "BLIND_ABORT", "LISTED_READER", "READER_AFTER_STAGING")),
    *(Case(CLASSIC, (SMALL,), mutant=mutant) for mutant in (
        "COMMIT_BEFORE_CHOSEN", "UNLOGGED_ABORT", "NOT_TAKEN_OVER", "FORGET_TOO_EARLY",
        "STALE_INVENTORY", "BALLOT_NOT_CHECKED_AGAIN", "YES_UNPROVEN", "NO_UNPROVEN")),
    *(Case(CLASSIC, ("SERVES_EARLY", SMALL), mutant=mutant) for mutant in (
        "BLIND_DECISION", "DECISION_BELOW_FLOOR")),
    Case(CLASSIC, mutant="NO_FENCE"),
    *(Case(CLASSIC, ("ONE_SHOT",), mutant=mutant) for mutant in (
        "EPOCH_IGNORED", "SERIAL_FORGOTTEN", "RETRY_RUNS_TWICE")),
    *(Case(ONE_PHASE, mutant=mutant) for mutant in (
        "ABORT_WITHOUT_SETTLE", "FIRST_ASSUMED", "FINISHES_FORGOTTEN", "SETTLE_ONLY_READS",
        "ROW_NOT_READ", "ROW_DROPPED_EARLY", "DEADLINE_ABORTS_ONE_PHASE",
        "ONE_PHASE_BEFORE_READERS")),
    *(Case(ONE_PHASE, ("ONE_SHOT",), mutant=mutant) for mutant in (
        "BALLOT_IGNORED", "EARLIER_LIFE_IS_HEARD")),
)


class NotVerified(Exception):
    """The verifier did not come to an end; says why."""


def run(command, directory):
    """The output of a command that must succeed."""
    done = subprocess.run(command, cwd=directory, text=True, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, timeout=PATIENCE_S, check=False)
    if done.returncode != 0:
        raise NotVerified(f"{command[0]} failed:\n{done.stdout}")
    return done.stdout


def verify(models, case):
    """(errors found, states seen) by an exhaustive search, which ends at the first error."""
    symbols = [f"-D{symbol}" for symbol in (*case.symbols, case.mutant) if symbol]
    kind = [] if case.claim else ["-DSAFETY"]
    optimise = "-O2" if case.model in LARGE and not case.mutant else "-O0"
    with tempfile.TemporaryDirectory(prefix="assent-models-") as scratch:
        run(["spin", "-a", *symbols, str(models / case.model)], scratch)
        run(["cc", "-w", optimise, f"-DMEMLIM={MEMORY_MIB}", *kind, "-o", "pan", "pan.c"], scratch)
        search = ["-a", "-N", case.claim] if case.claim else []
        output = run([str(pathlib.Path(scratch, "pan")), "-m100000", "-w24", *search], scratch)
    if any(reason in output for reason in CUT_SHORT) or not ERRORS.search(output):
        raise NotVerified(f"the search was cut short:\n{output}")
    return int(ERRORS.search(output)[1]), int(float(STATES.search(output)[1]))


def problem_of(models, case):
    """What is wrong with a case, or nothing. Prints its line, in one piece."""
    begun = time.monotonic()
    try:
        errors, states = verify(models, case)
    except (NotVerified, subprocess.TimeoutExpired) as failure:
        return f"{case}: {failure}"
    sys.stdout.write(f"{time.monotonic() - begun:6.1f} s {states:10,} states  {case}: "
                     f"{'fails' if errors else 'holds'}\n")
    sys.stdout.flush()
    if case.mutant and not errors:
        return f"{case}: holds, and must fail"
    if errors and not case.mutant:
        return f"{case}: fails, and must hold"
    return ""


def symbols_without_a_case(models, cases):
    """Preprocessor symbols of the models that no case sets: mutants that nobody tries."""
    for path in sorted(models.glob("*.pml")):
        tried = {symbol for case in cases if case.model == path.name
                 for symbol in (*case.symbols, case.mutant)}
        for symbol in sorted(set(SYMBOL.findall(path.read_text("utf-8"))) - tried - BOUNDS):
            yield f"{path.name}: no case sets {symbol}"


def main(directory):
    """The exit code."""
    missing = [tool for tool in TOOLS if shutil.which(tool) is None]
    if missing:
        print(f"skipped: {' and '.join(missing)} not installed; the models are not verified")
        return SKIPPED
    models = pathlib.Path(directory).resolve()
    wrong = list(symbols_without_a_case(models, CASES))
    with concurrent.futures.ThreadPoolExecutor(min(os.cpu_count() or 1, AT_ONCE_MAX)) as pool:
        problems = pool.map(lambda case: problem_of(models, case), CASES)
        wrong += [problem for problem in problems if problem]
    print("\n".join(wrong) if wrong else f"{len(CASES)} verifications came out as they should")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
