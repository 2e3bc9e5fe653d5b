"""The command integration/faults/replace_replica: a replica is replaced under load."""

import argparse
import signal
import subprocess
import time

from . import bank_run, processes, status, waiting
from .errors import HarnessError
from .ports import HOST

RUN_SECONDS = 86_400  # the workload is told to end when the replacement is over
WORK_SECONDS = 60  # within which commits must flow
REPLACE_SECONDS = 180
PROGRESS_MS = 100
CUT_SECONDS = 1.5  # longer than a leader may be silent

DESCRIPTION = """\
Starts PostgreSQL servers with agents and three replicas of the coordinator, moves money between the
servers, and meanwhile replaces the leader by a new replica (assentctl replica replace). While that goes
on another replica stands still and comes back, again and again, so that the others are cut off from it."""

EPILOG = """\
Exit code 0 only if the replacement was made, commits were flowing before it and after the old replica
was stopped, the group is the new one, no money was lost or made, no prepared transaction is left on any
server, all replicas have executed the same, and all processes stopped in good order."""


def main(arguments):
    """Runs the command; returns its exit code."""
    parser = argparse.ArgumentParser(
        prog="integration/faults/replace_replica", description=DESCRIPTION, epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter)
    bank_run.add_options(parser, clients=8)
    options = parser.parse_args(arguments)
    bank_run.check_options(parser, options)
    if options.replicas < 3:
        parser.error("--replicas must be at least 3: one goes, and one is cut off meanwhile")
    return bank_run.run("replace_replica", options,
                        lambda money, steps: _Replacement(money, options, steps).run())


class _Replacement:
    """The run itself, on a cluster that is up."""

    def __init__(self, money, options, steps):
        self._money = money
        self._cluster = money.cluster
        self._options = options
        self._steps = steps

    def run(self):
        """Returns the Verdict, and has printed what happened."""
        self._money.open()
        self._steps.say(f"{self._options.clients} clients move money until all is over")
        with self._money.workload(RUN_SECONDS, "--progress-every", PROGRESS_MS,
                                  show=False) as workload:
            self._wait_for_commits(workload)
            old = self._cluster.leader()
            new = self._cluster.spawn_joining_replica()
            told = self._replace(old, new)
            problems = self._stop(old)
            self._wait_for_commits(workload)
            result = workload.end(WORK_SECONDS)
        books = self._money.close()
        print(f"\n{'committed':>30} {result.committed:>12,}")
        print(f"{'unknown to its client':>30} {result.unknown:>12,}")
        print(f"{'sum before and after':>30} {sum(books.before):>12,} {sum(books.after):,}")
        print(f"{'prepared transactions left':>30} {sum(books.prepared):>12,}", flush=True)
        return bank_run.Verdict(
            [*problems, *self._wrong_group(told, old, new), *books.problems()],
            f"{old.name} led, and was replaced by {new.name} while money moved and another replica"
            " was cut off; no money was lost or made, nothing is left prepared, all replicas have"
            " executed the same, and every process stopped in good order.")

    def _replace(self, old, new):
        """What assentctl told."""
        command = [self._cluster.bin_directory / "assentctl", "replica", "replace", old.replica,
                   "--by", new.replica, "--timeout", REPLACE_SECONDS,
                   "--client", self._address(new, "client"), "--peer", self._address(new, "peer"),
                   "--admin", self._address(new, "admin")]
        for each in self._cluster.coordinators:
            command += ["--at", self._address(each, "admin")]
        begun = time.monotonic()
        log = self._cluster.directory / "assentctl.log"
        with open(log, "wb") as out, subprocess.Popen(
                [str(word) for word in command], stdin=subprocess.DEVNULL, stdout=out,
                stderr=subprocess.STDOUT) as replacing:
            cuts = self._cut_another_off(replacing, old, new)
        told = log.read_text(encoding="utf-8")
        for line in told.splitlines():
            self._steps.say(f"assentctl: {line}")
        if replacing.returncode != 0:
            raise HarnessError(f"assentctl ended with exit code {replacing.returncode}: {told}")
        self._steps.say(f"replaced after {time.monotonic() - begun:.1f} s,"
                        f" in which another replica was cut off {cuts} times")
        return told

    def _cut_another_off(self, replacing, old, new):
        """A follower that stays stands still, and comes back, until the replacement is over."""
        victim = next(each for each in self._cluster.coordinators if each not in (old, new))
        cuts = 0
        while replacing.poll() is None or cuts == 0:
            processes.send(victim.identity, signal.SIGSTOP)
            try:
                time.sleep(CUT_SECONDS)
            finally:
                processes.send(victim.identity, signal.SIGCONT)
            cuts += 1
            try:
                replacing.wait(CUT_SECONDS)
            except subprocess.TimeoutExpired:
                pass
        return cuts

    def _stop(self, old):
        """The old replica is stopped for ever. Returns problems as sentences."""
        self._steps.say(f"stopping {old.name}, which has left")
        self._cluster.coordinators.remove(old)
        problem = old.stop()
        self._cluster.save()
        return [problem] if problem else []

    def _wrong_group(self, told, old, new):
        found = []
        if "is needed no more" not in told:
            found.append("assentctl did not say that the old replica is needed no more.")
        for each, one in zip(self._cluster.coordinators, status.of(self._cluster.coordinators)):
            size = one and one.facts.get("group")
            if size != str(self._options.replicas):
                found.append(f"{each.name} has a group of {size}.")
        if new not in self._cluster.coordinators or old in self._cluster.coordinators:
            found.append("The replicas are not those that they should be.")
        return found

    @staticmethod
    def _address(coordinator, role):
        return f"{HOST}:{coordinator.ports[role]}"

    @staticmethod
    def _wait_for_commits(workload):
        # The progress line after the next one speaks of commits from now on only.
        since = time.monotonic() + 2 * PROGRESS_MS / 1000
        waiting.until(lambda: workload.committed_at() > since or not workload.is_running(),
                      WORK_SECONDS, "commits")
        if not workload.is_running():
            raise HarnessError("The workload ended too early.")
