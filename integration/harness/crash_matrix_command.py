"""The command integration/faults/crash_matrix: every step of the protocol, everybody, every way to fail."""

import argparse
import collections
import json
import os
import pathlib
import queue
import random
import sys
import tempfile
import threading
import time

from . import bank_run, cluster, crash_cells, crash_table, in_doubt, interrupts, repository, severing
from .crash_lane import Lane, Shown
from .errors import HarnessError

DESCRIPTION = """\
For each step of the protocol, of six kinds of transactions, strikes one of the client (a process of its
own), the leader, a follower, an agent, one backend of PostgreSQL and a whole PostgreSQL server: crash by
SIGKILL before the step and after it, all its connections lost, stopped for 10 s and continued. Somebody
stands still at a compiled-in failpoint (runtime/failpoint.h) meanwhile, so that it happens exactly there.
Several clusters of three replicas and two servers work at once. Prints the table of all cells: what is
guaranteed, what came of it, how long a branch was in doubt."""

EPILOG = """\
Exit code 0 only if in every cell the process came to its failpoint; the outcome is one that is guaranteed
there; every client that lived, and whoever repeated its request at any replica, then and at the end, was
told the same; the databases hold each transaction as often as that outcome says; nothing is left prepared
and no branch was in doubt for longer than --in-doubt-max; no money was lost or made, all replicas have
executed the same, and all processes stopped in good order. The programs must have failpoints: the presets
dev and asan have them."""

DOCUMENT = repository.ROOT / "docs" / "failures.md"
REPLICAS, DATABASES = 3, 2
RETENTION = {"outcomes": {"retention_ms": 86_400_000}}  # each answer is given once more at the end
FIRST_GUESS = 2.0  # seconds that a trial takes beside the time for which somebody stands still


def main(arguments):
    """Runs the command; returns its exit code."""
    interrupts.raise_on_signals()
    options = _parse(arguments)
    try:
        return _Matrix(options).run()
    except HarnessError as error:
        print(f"crash_matrix: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("crash_matrix: interrupted; nothing is left of it", file=sys.stderr)
        return 130


def _parse(arguments):
    parser = argparse.ArgumentParser(
        prog=crash_table.COMMAND, description=DESCRIPTION, epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter)
    choice = parser.add_mutually_exclusive_group()
    choice.add_argument("--only", action="append", metavar="TEXT", default=[],
                        help="the cells whose name contains this; may be given several times")
    choice.add_argument("--quick", action="store_true",
                        help="a dozen of the cells, under a minute (default: all of them)")
    parser.add_argument("--list", action="store_true",
                        help="print the names of the cells, and what is guaranteed, and run nothing")
    parser.add_argument("--lanes", type=int, default=6, metavar="N", help="clusters at once (default: 6)")
    parser.add_argument("--stop", type=float, default=crash_cells.STOP_SECONDS, metavar="S",
                        help="how long who is stopped stands still (default: 10)")
    parser.add_argument("--in-doubt-max", type=int, default=10_000, metavar="MS",
                        help="a branch that is in doubt for longer, the time of a stop not counted, is a"
                             " failure (default: 10000)")
    parser.add_argument("--json", type=pathlib.Path, metavar="FILE", help="write all cells to this file")
    parser.add_argument("--write-docs", action="store_true",
                        help="put the table of a run of all cells, when it holds, into docs/failures.md")
    repository.add_build_options(parser, "dev")
    options = parser.parse_args(arguments)
    if options.lanes < 1 or options.stop <= 0:
        parser.error("--lanes must be at least 1, --stop more than 0")
    if options.write_docs and (options.only or options.quick):
        parser.error("--write-docs needs a run of all cells")
    options.cells = _chosen(options)
    if not options.cells:
        parser.error(f"no cell's name contains {' or '.join(options.only)}; --list prints them")
    return options


def _chosen(options):
    if options.quick:
        return [cell for cell in crash_cells.CELLS if cell.name in crash_cells.QUICK]
    return [cell for cell in crash_cells.CELLS
            if not options.only or any(text in cell.name for text in options.only)]


class _Matrix:
    """One run."""

    def __init__(self, options):
        self._options = options
        self._steps = bank_run.Steps()
        self._trials = queue.SimpleQueue()
        self._forecast = _Forecast(options)
        self._shown = {}
        self._problems = []  # beside those of the trials
        self._lock = threading.Lock()
        self._ended = threading.Event()

    def run(self):
        """Returns the exit code."""
        if self._options.list:
            for cell in self._options.cells:
                print(f"{cell.name:<75} {cell.trial.impossible or crash_table.promised(cell)}")
            return 0
        trials = self._order()
        if any(trial.stroke == crash_cells.LOSE for trial in trials) and not severing.is_permitted():
            raise HarnessError(f"Connections cannot be severed here. {severing.REMEDY}")
        self._steps.say("packages and programs")
        repository.build_programs(self._options)
        begun = time.monotonic()
        self._work(trials)
        return self._report(time.monotonic() - begun)

    def _order(self):
        """The trials; mixed, so that some stand still while others work."""
        trials = list(dict.fromkeys(cell.trial for cell in self._options.cells
                                    if not cell.trial.impossible))
        random.Random(1).shuffle(trials)
        self._steps.say(f"{len(self._options.cells)} cells, shown by {len(trials)} trials")
        return trials

    def _work(self, trials):
        for trial in trials:
            self._trials.put(trial)
            self._forecast.expect(trial)
        count = min(self._options.lanes, len(trials))
        threads = [threading.Thread(target=self._run_lane, args=(number,))
                   for number in range(1, count + 1)]
        try:
            for thread in threads:
                thread.start()
            for thread in threads:
                while thread.is_alive():
                    thread.join(1)  # so that Ctrl-C is heard
        finally:
            self._ended.set()
            with interrupts.ignored():
                for thread in threads:
                    thread.join()

    # ── a lane, in its thread ───────────────────────────────────────────────────────────────────

    def _run_lane(self, number):
        try:
            while not self._ended.is_set() and not self._trials.empty():
                self._run_cluster(number)
        except Exception as error:  # noqa: BLE001 (a thread's own end must be heard of)
            self._note(f"Lane {number} ended: {type(error).__name__}: {error}")

    def _run_cluster(self, number):
        """Trials in one cluster, until there is none left or the cluster cannot be used any more."""
        directory = tempfile.mkdtemp(prefix="assent-crash-matrix-", dir="/tmp")
        self._steps.say(f"lane {number}: starting a cluster in {directory}")
        made = cluster.up(directory, f"matrix{number}", DATABASES,
                          repository.bin_directory(self._options), replicas=REPLICAS,
                          settings=RETENTION)
        lane = Lane(bank_run.Bank(made, None, _Silent()), self._options)
        problems, holds = [], False
        try:
            lane.start()
            holds, sound = self._run_trials(number, lane)
            problems = lane.close() if sound else []
        except HarnessError as error:
            problems, sound = [str(error)], True
        finally:
            lane.stop()
        ends = made.down(keep=bool(problems) or not holds)
        # Of a cluster that could not be used any more it is no news that it is in no order.
        problems += ends if sound else []
        for problem in problems:
            self._note(f"Lane {number}: {problem}")
        if made.directory.exists():
            self._note(f"Data and logs are kept in {made.directory}")

    def _run_trials(self, number, lane):
        """Whether all of them held, and whether the cluster can be used for more."""
        holds = True
        while not self._ended.is_set():
            try:
                trial = self._trials.get_nowait()
            except queue.Empty:
                break
            begun = time.monotonic()
            try:
                shown, sound = lane.run(trial), True
            except HarnessError as error:
                shown, sound = Shown(trial, "", 0.0, [], [str(error)], time.monotonic() - begun), False
            holds = holds and not shown.problems
            self._take(number, shown)
            if not sound:
                return False, False
        return holds, True

    def _take(self, number, shown):
        with self._lock:
            self._shown[shown.trial] = shown
            self._forecast.learn(shown)
            verdict = "FAILED" if shown.problems else shown.outcome
            self._steps.say(f"{self._forecast}  lane {number}  {shown.trial}: {verdict}")
            for problem in shown.problems:
                print(f"           {problem}", flush=True)

    def _note(self, problem):
        with self._lock:
            self._problems.append(problem)

    # ── the end ─────────────────────────────────────────────────────────────────────────────────

    def _report(self, seconds):
        rows, facts = self._options.cells, self._facts(seconds)
        table = crash_table.markdown(rows, self._shown, facts)
        print(f"\n{table}\n")
        if self._options.json:
            told = {"run": facts, "seconds": round(seconds), "stop_seconds": self._options.stop,
                    "cells": crash_table.to_json(rows, self._shown)}
            self._options.json.write_text(json.dumps(told, indent=2, ensure_ascii=False) + "\n",
                                          encoding="utf-8")
        problems = [f"{shown.trial}: {problem}" for shown in self._shown.values()
                    for problem in shown.problems] + self._problems
        missing = sum(not cell.trial.impossible and cell.trial not in self._shown for cell in rows)
        if missing:
            problems.append(f"{missing} cells were not run.")
        if problems:
            print("\nFAILED")
            for problem in problems:
                print(f"  {problem}")
            return 1
        if self._options.write_docs:
            text = DOCUMENT.read_text(encoding="utf-8")
            DOCUMENT.write_text(crash_table.put_into(text, table), encoding="utf-8")
        print(f"PASSED: {facts}")
        return 0

    def _facts(self, seconds):
        possible = [cell for cell in self._options.cells if not cell.trial.impossible]
        ages = sorted(age for shown in self._shown.values() for age in shown.ages)
        return (f"{time.strftime('%Y-%m-%d', time.gmtime())}: {len(possible):,} cells, shown by"
                f" {len(self._shown):,} trials; {len(self._options.cells) - len(possible):,} cells"
                f" cannot happen. {len(ages):,} branches were in doubt, for"
                f" {in_doubt.rank(ages, 50) * 1000:,.0f} ms (p50) and at most"
                f" {in_doubt.rank(ages, 100):.1f} s. It took {seconds / 60:.0f} minutes,"
                f" {self._options.lanes} clusters at once on {os.cpu_count()} cores.")


class _Silent:
    """The Steps of a bank that tells nothing."""

    def say(self, text):
        """Nothing."""


class _Forecast:
    """How far it is, and how long it will take."""

    def __init__(self, options):
        self._stop = options.stop
        self._lanes = options.lanes
        self._left = collections.Counter()  # by stroke
        self._done = collections.Counter()
        self._spent = collections.Counter()

    def expect(self, trial):
        """It is to be run."""
        self._left[trial.stroke] += 1

    def learn(self, shown):
        """It was."""
        stroke = shown.trial.stroke
        self._left[stroke] -= 1
        self._done[stroke] += 1
        self._spent[stroke] += shown.seconds

    def __str__(self):
        seconds = sum(count * self._cost(stroke) for stroke, count in self._left.items()) / self._lanes
        done = sum(self._done.values())
        return f"{done:>4} of {done + sum(self._left.values())}, {seconds / 60:4.1f} min left"

    def _cost(self, stroke):
        if self._done[stroke]:
            return self._spent[stroke] / self._done[stroke]
        return FIRST_GUESS + (self._stop if stroke == crash_cells.STOP else 0)
