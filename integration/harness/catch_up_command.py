"""The command integration/faults/catch_up: a replica is away for long, and comes back under load."""

import argparse
import time

from . import bank_run, decisions, status, waiting
from .errors import HarnessError

CATCH_UP_SECONDS = 120

DESCRIPTION = """\
Starts PostgreSQL servers with agents and three replicas of the coordinator, moves money between the
servers, kills a replica that does not lead, decides many transactions without it, starts it again,
and tells how it caught up, and what the transfers felt of it."""

EPILOG = """\
Exit code 0 only if no money was lost or made, no prepared transaction is left on any server, all
replicas have executed the same, the replica came back by a snapshot, commits were flowing before and
after, and all processes stopped in good order."""


def main(arguments):
    """Runs the command; returns its exit code."""
    options = _parse(arguments)
    return bank_run.run("catch_up", options, _CatchUp)


def _parse(arguments):
    parser = argparse.ArgumentParser(
        prog="integration/faults/catch_up", description=DESCRIPTION, epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--decisions", type=int, default=100_000, metavar="N",
                        help="while the replica is away, beside the transfers (default: 100,000)")
    parser.add_argument("--snapshot-log-bytes", type=int, default=4 << 20, metavar="B",
                        help="log after which a replica writes a snapshot (default: 4 MiB)")
    bank_run.add_options(parser, clients=8)
    options = parser.parse_args(arguments)
    bank_run.check_options(parser, options)
    if options.decisions < 1:
        parser.error("--decisions must be at least 1")
    if options.replicas < 3:
        parser.error("--replicas must be 3 or 5: the others go on")
    options.settings = {"snapshots": {"log_bytes": options.snapshot_log_bytes}}
    return options


class _CatchUp(bank_run.Act):
    """The run itself, on a cluster that is up."""

    def run(self):
        self._money.open()
        self._steps.say(f"{self._options.clients} clients move money all the time")
        with self._money.endless_workload() as workload:
            figures = self._away_and_back(workload)
            result = workload.end()
        books = self._money.close()
        self._show(figures, result, books)
        problems = books.problems()
        if figures["snapshots fetched"] < 1:
            problems.append("The replica came back without a snapshot: let more be decided.")
        return bank_run.Verdict(
            problems, "a replica that was away for"
                      f" {figures['decisions while it was away']:,} decisions came back by a snapshot"
                      " while money moved; no money was lost or made, and nothing is left prepared.")

    def _away_and_back(self, workload):
        workload.wait_for_commits()
        away = self._cluster.follower()
        before = self._counters(self._cluster.leader())
        self._steps.say(f"{away.name} dies; {self._options.decisions:,} decisions without it")
        self._cluster.kill(away.name)
        decided = decisions.run(self._cluster, 64, count=self._options.decisions)["decided"]
        leader = self._cluster.leader()
        after = self._counters(leader)
        begun = time.monotonic()
        self._cluster.restart(away.name)
        ready = time.monotonic() - begun
        waiting.until(lambda: self._executed(away) >= after["executed_slot"], CATCH_UP_SECONDS,
                      f"{away.name} to catch up")
        seconds = time.monotonic() - begun
        workload.wait_for_commits()
        back, leading = self._counters(away), self._counters(leader)
        self._steps.say(f"{away.name} has caught up after {seconds:.1f} s")
        return {
            "decisions while it was away": decided,
            "slots while it was away": after["executed_slot"] - before["executed_slot"],
            "ready after, ms": round(ready * 1000),
            "caught up after, ms": round(seconds * 1000),
            "snapshots fetched": back["snapshots_fetched"],
            "snapshot, bytes": back["snapshot_bytes"],
            "log kept by the leader, bytes": leading["log_bytes_held"],
            "snapshots written by the leader": leading["snapshots_written"],
            "leader's longest pause for a chunk, us": leading["snapshot_pause_us_max"],
            "pause to put the state in place, us": back["snapshot_install_us_max"],
        }

    @staticmethod
    def _counters(replica):
        told, = status.of([replica])
        if told is None:
            raise HarnessError(f"{replica.name} does not answer.")
        return told.counters

    def _executed(self, replica):
        return self._counters(replica)["executed_slot"]

    @staticmethod
    def _show(figures, result, books):
        print()
        for name, value in figures.items():
            print(f"{name:>40} {value:>14,}")
        rate = result.committed / result.seconds
        print(f"{'transfers committed':>40} {result.committed:>14,}  {rate:,.0f} per second")
        print(f"{'unknown to its client':>40} {result.unknown:>14,}")
        print(f"{'longest time without a commit, ms':>40} {result.longest_gap:>14,.0f}")
        print(f"{'sum before and after':>40} {sum(books.before):>14,} {sum(books.after):,}", flush=True)
