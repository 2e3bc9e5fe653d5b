"""The command integration/faults/leader_kills: the leader dies under load, again and again."""

import argparse
import dataclasses
import math
import time

from . import bank_run

STALL_MS = 20  # shorter times without a commit are none

DESCRIPTION = """\
Starts PostgreSQL servers with agents and three replicas of the coordinator, moves money between the
servers, kills the leader with -9 under that load many times in a row, starts it again each time, and
tells how long it took each time until commits went on."""

EPILOG = """\
Exit code 0 only if no money was lost or made, no prepared transaction is left on any server, all
replicas have executed the same, commits were flowing before each kill and after it, p99 of the gaps
is at most --gap-max, and all processes stopped in good order."""


@dataclasses.dataclass(frozen=True)
class Kill:
    """One death of a leader."""

    victim: str
    successor: str
    gap_ms: float  # from the kill until commits went on


def main(arguments):
    """Runs the command; returns its exit code."""
    options = _parse(arguments)
    return bank_run.run("leader_kills", options, _Kills)


def _parse(arguments):
    parser = argparse.ArgumentParser(
        prog="integration/faults/leader_kills", description=DESCRIPTION, epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=20, metavar="N",
                        help="how often the leader dies (default: 20)")
    parser.add_argument("--gap-max", type=int, default=1000, metavar="MS",
                        help="a longer gap at p99 is a failure (default: 1000)")
    bank_run.add_options(parser, clients=8)
    options = parser.parse_args(arguments)
    bank_run.check_options(parser, options)
    if options.kills < 1:
        parser.error("--kills must be at least 1")
    return options


def percentile(values, percent):
    """The smallest of the values that so many percent of them do not exceed."""
    ordered = sorted(values)
    return ordered[max(math.ceil(len(ordered) * percent / 100), 1) - 1]


def gap_ms(stalls, killed, ended):
    """Milliseconds of the longest time without a commit between `killed` and `ended`.

    Answers that were on their way when the leader died still come in: the first commit after the
    kill proves nothing. Nor is a hiccup that comes when commits have gone on part of the gap.
    """
    lengths = [end - max(begin, killed) for begin, end in stalls if end > killed and begin < ended]
    return max(lengths, default=STALL_MS / 1000) * 1000


class _Kills(bank_run.Act):
    """The run itself, on a cluster that is up."""

    def run(self):
        self._money.open()
        self._steps.say(f"{self._options.clients} clients move money until the last kill is over")
        with self._money.endless_workload("--stalls", STALL_MS) as workload:
            kills = [self._kill(number, workload) for number in range(1, self._options.kills + 1)]
            result = workload.end()
        books = self._money.close()
        gaps = [kill.gap_ms for kill in kills]
        self._show(gaps, result, books)
        problems = books.problems()
        if percentile(gaps, 99) > self._options.gap_max:
            problems.append(f"The gaps' p99 is {percentile(gaps, 99):,.0f} ms,"
                            f" the most allowed is {self._options.gap_max:,} ms.")
        return bank_run.Verdict(
            problems, f"the leader was killed {len(kills)} times at work; no money was lost or"
                      " made, nothing is left prepared, all replicas have executed the same, and"
                      " every process stopped in good order.")

    def _kill(self, number, workload):
        workload.wait_for_commits()
        victim = self._cluster.leader()
        killed = time.monotonic()
        self._cluster.kill(victim.name)
        if len(self._cluster.coordinators) == 1:
            self._cluster.restart(victim.name)
        successor = self._cluster.leader()
        workload.wait_for_commits()
        if not victim.is_running():
            self._cluster.restart(victim.name)
        kill = Kill(victim.name, successor.name,
                    gap_ms(workload.stalls, killed, time.monotonic()))
        self._steps.say(f"kill {number:>3}: {kill.victim} died, {kill.successor} leads;"
                        f" commits went on after {kill.gap_ms:,.0f} ms")
        return kill

    @staticmethod
    def _show(gaps, result, books):
        rate = result.committed / result.seconds
        print(f"\n{'committed':>30} {result.committed:>12,}  {rate:,.0f} per second")
        print(f"{'aborted':>30} {result.aborted:>12,}")
        print(f"{'unknown to its client':>30} {result.unknown:>12,}")
        for name, value in (("gap, median", percentile(gaps, 50)),
                            ("gap, p99", percentile(gaps, 99)), ("gap, longest", max(gaps))):
            print(f"{name:>30} {value:>9,.0f} ms")
        print(f"{'sum before and after':>30} {sum(books.before):>12,} {sum(books.after):,}")
        print(f"{'prepared transactions left':>30} {sum(books.prepared):>12,}", flush=True)
