"""The command integration/demo: money moves between servers while a process is killed."""

import argparse
import sys
import tempfile
import time

from . import bank, cluster, cpu, interrupts, repository, summary, waiting
from .errors import HarnessError
from .ports import HOST
from .workload import Workload

OUTAGE_SECONDS = 1
SETTLE_SECONDS = 30
VICTIMS = {"coordinator": "coordinator-1", "agent": "agent-db1", "postgres": "postgres-db1"}

DESCRIPTION = """\
Installs the packages, builds, starts PostgreSQL servers with agents and a coordinator, moves money
between the servers, kills one process with -9 half-way, starts it again, and counts the money."""

EPILOG = """\
Exit code 0 only if no money was lost or made, no prepared transaction is left on any server, at
least --min-commits transactions committed, the killed process was at work, and all processes
stopped in good order. After a failure the data and the logs are kept."""


def main(arguments):
    """Runs the command; returns its exit code."""
    options = _parse(arguments)
    interrupts.raise_on_signals()
    try:
        return _run(options)
    except HarnessError as error:
        print(f"demo: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("demo: interrupted; nothing is left of it", file=sys.stderr)
        return 130


def _parse(arguments):
    parser = argparse.ArgumentParser(
        prog="integration/demo", description=DESCRIPTION, epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=int, default=10, help="of work (default: 10)")
    parser.add_argument("--clients", type=int, default=8, help="at once (default: 8)")
    parser.add_argument("--databases", type=int, default=2, help="2 to 16 (default: 2)")
    parser.add_argument("--one-shot", action="store_true",
                        help="statements travel with the commit (default: one after the other)")
    parser.add_argument("--kill", choices=[*VICTIMS, "none"], default="coordinator",
                        help="what dies half-way (default: coordinator)")
    parser.add_argument("--min-commits", type=int, default=1000, metavar="N",
                        help="fewer are a failure (default: 1000)")
    parser.add_argument("--keep", action="store_true", help="keep the data and the logs")
    repository.add_build_options(parser)
    options = parser.parse_args(arguments)
    if not 2 <= options.databases <= 16:
        parser.error("--databases must be from 2 to 16")
    if options.seconds < 4 or options.clients < 1:
        parser.error("--seconds must be at least 4, --clients at least 1")
    return options


class Steps:
    """Tells on the terminal what is being done, each line with the time since the start."""

    def __init__(self):
        self._begun = time.monotonic()

    def say(self, text):
        """Prints one line at once."""
        print(f"[{time.monotonic() - self._begun:6.1f} s] {text}", flush=True)


def _run(options):
    steps = Steps()
    steps.say("packages and programs")
    repository.build_programs(options)
    directory = tempfile.mkdtemp(prefix="assent-demo-", dir="/tmp")
    steps.say(f"starting a cluster in {directory}")
    made = cluster.up(directory, "demo", options.databases, repository.bin_directory(options),
                      say=lambda step: steps.say(f"starting: {step}"))
    try:
        played = _Play(made, options, steps).run()
    except HarnessError as error:
        problems = [str(error), *made.down(keep=True)]
        return _fail(made, problems)
    except BaseException:
        with interrupts.ignored():
            made.abandon()
        raise
    return _finish(made, options, played)


def _finish(made, options, played):
    summary.show(played)
    problems = summary.problems(played, options.min_commits)
    with interrupts.ignored():
        problems += made.down(keep=options.keep or bool(problems))
    if problems:
        return _fail(made, problems)
    kept = f" Data and logs: {made.directory}" if options.keep else ""
    print(f"\nPASSED: {summary.praise(played)}{kept}")
    return 0


def _fail(made, problems):
    print("\nFAILED")
    for problem in problems:
        print(f"  {problem}")
    print(f"Data and logs are kept in {made.directory}", flush=True)
    return 1


class _Play:
    """The run itself, on a cluster that is up."""

    def __init__(self, made, options, steps):
        self._cluster = made
        self._options = options
        self._steps = steps
        self._meter = cpu.Meter([*made.coordinators, *made.agents])
        self._kill = None
        self._workload = None

    def run(self):
        """Returns what happened as a summary.Played."""
        servers = self._cluster.servers
        self._steps.say(f"opening {bank.ACCOUNTS:,} accounts on each server")
        for server in servers:
            bank.open_accounts(server)
        before = bank.balances(servers)
        result = self._work()
        used = self._meter.seconds()
        settle_seconds = self._settle()
        return summary.Played(
            participants=[cluster.participant_of(server) for server in servers],
            result=result, one_shot=self._options.one_shot, kill=self._kill, cpu_seconds=used,
            settle_seconds=settle_seconds, before=before, after=bank.balances(servers),
            prepared=[len(gids) for gids in self._cluster.prepared_transactions().values()])

    def _work(self):
        seconds = self._options.seconds
        self._steps.say(f"{self._options.clients} clients move money for {seconds} s")
        self._meter = cpu.Meter([*self._cluster.coordinators, *self._cluster.agents])
        self._workload = Workload(self._command(), self._cluster.directory / "workload.json")
        try:
            if self._options.kill != "none":
                self._kill_half_way()
            return self._workload.wait(seconds + 60)
        except BaseException:
            self._workload.stop()
            raise

    def _command(self):
        made, options = self._cluster, self._options
        coordinators = [f"{HOST}:{each.ports['client']}" for each in made.coordinators]
        participants = [cluster.participant_of(server) for server in made.servers]
        mode = ["--one-shot"] if options.one_shot else []
        return [made.bin_directory / "assent-bench", "transfers", *mode,
                "--coordinators", ",".join(coordinators), "--participants", ",".join(participants),
                "--clients", options.clients, "--seconds", options.seconds,
                "--accounts", bank.ACCOUNTS,
                "--admin", f"{HOST}:{made.coordinators[0].ports['admin']}"]

    def _kill_half_way(self):
        victim = self._cluster.service(VICTIMS[self._options.kill])
        was_at_work = self._wait_for_work_half_way() and victim.is_running()
        self._meter.life_ends(victim)
        self._cluster.kill(victim.name)
        begun = time.monotonic()
        self._steps.say(f"kill -9 {victim.name}, pid {victim.identity.pid};"
                        f" {self._prepared_now()} branches are prepared")
        waiting.until(lambda: time.monotonic() >= begun + OUTAGE_SECONDS, 60, "the outage's end")
        self._cluster.restart(victim.name)
        down_seconds = time.monotonic() - begun
        self._steps.say(f"{victim.name} is back, pid {victim.identity.pid}")
        self._kill = summary.Kill(victim.name, was_at_work, down_seconds)

    def _wait_for_work_half_way(self):
        """Returns at a progress line from half-way on that shows new commits; False: none came."""
        half = self._options.seconds / 2
        waiting.until(lambda: self._workload.elapsed() >= half, half + 1, "the middle of the run")
        try:
            waiting.until(self._workload.is_at_work, half / 2, "a commit")
            return True
        except HarnessError:
            return False

    def _prepared_now(self):
        found = self._cluster.prepared_transactions().values()
        return sum(len(gids) for gids in found if gids is not None)

    def _settle(self):
        """Seconds until no server has a prepared transaction; the deadline when one stays."""
        begun = time.monotonic()
        try:
            waiting.until(lambda: self._prepared_now() == 0, SETTLE_SECONDS, "all to be settled")
        except HarnessError:
            pass
        return time.monotonic() - begun
