"""The command integration/latency: each way to commit, at one client, against interactive 2PC."""

import argparse
import json
import pathlib
import statistics
import sys
import tempfile

from . import bank, cluster, interrupts, repository
from .errors import HarnessError
from .workload import Workload

# The first is what the others are compared with.
WAYS = {
    "two databases, interactive": ["--participants", "db1,db2"],
    "two databases, one-shot": ["--participants", "db1,db2", "--one-shot"],
    "one database, interactive, one-phase": ["--participants", "db1"],
    "one database, one-shot, one-phase": ["--participants", "db1", "--one-shot"],
}
FIRST = next(iter(WAYS))

DESCRIPTION = """\
Builds, starts two PostgreSQL servers with agents and a coordinator, and moves money with one client
in every way to commit, in turns, so that what else the machine does hits all of them alike.

For each way it prints the median of its runs' p50 and p99 in milliseconds with the lowest and the
highest, and the median ratio to the first way of the same turn."""


def main(arguments):
    """Runs the command; returns its exit code."""
    options = _parse(arguments)
    interrupts.raise_on_signals()
    try:
        return _run(options)
    except HarnessError as error:
        print(f"latency: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("latency: interrupted; nothing is left of it", file=sys.stderr)
        return 130


def _parse(arguments):
    parser = argparse.ArgumentParser(
        prog="integration/latency", description=DESCRIPTION,
        formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--turns", type=int, default=7, help="runs of each way (default: 7)")
    parser.add_argument("--seconds", type=float, default=2, help="of a run (default: 2)")
    parser.add_argument("--clients", type=int, default=1, help="at once (default: 1)")
    parser.add_argument("--json", type=pathlib.Path, help="file to write the figures to")
    repository.add_build_options(parser)
    options = parser.parse_args(arguments)
    if options.turns < 1 or options.seconds <= 0 or options.clients < 1:
        parser.error("--turns, --seconds and --clients must be positive")
    return options


def _run(options):
    repository.build_programs(options)
    directory = tempfile.mkdtemp(prefix="assent-latency-", dir="/tmp")
    made = cluster.up(directory, "latency", 2, repository.bin_directory(options))
    try:
        for server in made.servers:
            bank.open_accounts(server)
        before = sum(bank.balances(made.servers))
        results = _measure(made, options)
        if sum(bank.balances(made.servers)) != before:
            raise HarnessError("Money was lost or made.")
        problems = made.down()
    except BaseException:
        with interrupts.ignored():
            made.abandon()
        raise
    if problems:
        raise HarnessError(" ".join(problems))
    rows = {way: summarize(results, way) for way in WAYS}
    _show(rows)
    if options.json:
        options.json.write_text(json.dumps(rows, indent=2) + "\n", encoding="utf-8")
    return 0


def _measure(made, options):
    """For each way the Result of each turn."""
    results = {way: [] for way in WAYS}
    for turn in range(options.turns):
        for way, words in WAYS.items():
            result = _run_once(made, options, turn, words)
            print(f"turn {turn + 1}: {way}: p50 {result.latency_p50:.2f} ms,"
                  f" p99 {result.latency_p99:.2f} ms", flush=True)
            results[way].append(result)
    return results


def _run_once(made, options, turn, words):
    report = made.directory / "latency.json"
    coordinators = ",".join(each.address("client") for each in made.coordinators)
    command = [made.bin_directory / "assent-bench", "transfers", "--coordinators", coordinators,
               "--accounts", bank.ACCOUNTS, "--clients", options.clients, "--seconds",
               options.seconds, "--seed", turn + 1, "--admin",
               made.coordinators[0].address("admin"), *words]
    result = Workload(command, report).wait(options.seconds + 60)
    if result.committed == 0:
        raise HarnessError("Nothing was committed.")
    return result


def summarize(results, way):
    """The figures of one way: (median, lowest, highest) of its turns."""
    p50 = [each.latency_p50 for each in results[way]]
    p99 = [each.latency_p99 for each in results[way]]
    first = [each.latency_p50 for each in results[FIRST]]
    rate = [each.committed / each.seconds for each in results[way]]
    ratio = [mine / theirs for mine, theirs in zip(p50, first)]
    return {name: (statistics.median(values), min(values), max(values))
            for name, values in (("p50", p50), ("p99", p99), ("ratio", ratio), ("rate", rate))}


def _show(rows):
    print("\n| way | p50, ms | p99, ms | p50 against the first | transactions/s |\n|---|---|---|---|---|")
    for way, row in rows.items():
        cells = ["{:.1f} ({:.1f} to {:.1f})".format(*row[name]) for name in ("p50", "p99")]
        cells.append("{:.2f} ({:.2f} to {:.2f})".format(*row["ratio"]))
        cells.append("{:.0f} ({:.0f} to {:.0f})".format(*row["rate"]))
        print(f"| {way} | {' | '.join(cells)} |")
