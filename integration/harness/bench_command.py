"""The command integration/bench: what the parts of Assent cost."""

import argparse
import pathlib
import sys

from . import (
    all_bench,
    bench_systems,
    flat_bench,
    interrupts,
    log_bench,
    machine,
    overload_bench,
    repository,
    soak_bench,
    transfers_bench,
)
from .errors import HarnessError

DESCRIPTION = """\
Measures on this machine, in turns, so that what else it does hits all figures alike. Each figure is
the median of the turns, with the lowest and the highest; a ratio is that of one turn, and the median
of all. Without a command: all."""

ALL = "all"
# What --quick means; 10 minutes for all.
QUICK = {"clients": [1, 32], "pairs": 3, "seconds": 2.0, "warm_up": 0.5,
         "participants": [2, 16], "turns": 3, "log_seconds": 2.0}


def main(arguments):
    """Runs the command; returns its exit code."""
    options = _parse(arguments)
    interrupts.raise_on_signals()
    try:
        repository.build_programs(options)
        options.load = machine.load()
        options.run(options)
    except HarnessError as error:
        print(f"bench: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("bench: interrupted; nothing is left of it", file=sys.stderr)
        return 130
    return 0


def _parse(arguments):
    if not {"-h", "--help"}.intersection(arguments[:1]) and not _names_command(arguments):
        arguments = [ALL, *arguments]
    parser = argparse.ArgumentParser(
        prog="integration/bench", description=DESCRIPTION,
        formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    for name, (what, run, options_of) in COMMANDS.items():
        command = commands.add_parser(name, help=what, description=what)
        command.set_defaults(run=run)
        for add_options in options_of:
            add_options(command)
        repository.add_build_options(command)
    options = parser.parse_args(arguments)
    if getattr(options, "quick", False):
        for name, value in QUICK.items():
            setattr(options, name, value)
    return options


def _names_command(arguments):
    return bool(arguments) and arguments[0] in COMMANDS


def _turns(parser):
    parser.add_argument("--pairs", type=_count, default=5, metavar="N", help="turns (default: 5)")
    parser.add_argument("--seconds", type=_seconds, default=5.0, metavar="S",
                        help="of a run (default: 5)")
    parser.add_argument("--warm-up", type=_seconds, default=1.0, metavar="S",
                        help="before it (default: 1)")


def _two_databases(parser):
    parser.add_argument("--systems", type=_systems, default=bench_systems.USUAL, metavar="S,…",
                        help="of: " + ", ".join(bench_systems.SYSTEMS)
                        + " (default: those that ratios with goals need)")
    parser.add_argument("--clients", type=_counts, default=[1, 8, 32, 64], metavar="N,…",
                        help="at once, each with one transfer at a time (default: 1,8,32,64)")


def _many_databases(parser, clients="--participant-clients"):
    parser.add_argument("--participants", type=_counts, default=[1, 2, 4, 8, 16], metavar="N,…",
                        help="databases of a transfer (default: 1,2,4,8,16)")
    parser.add_argument(clients, dest="participant_clients", type=_counts, default=[1], metavar="N,…",
                        help="at once, where the databases are counted (default: 1)")


def _many_databases_alone(parser):
    _many_databases(parser, "--clients")


def _log(parser, clients="--log-clients", seconds="--log-seconds"):
    parser.add_argument("--replicas", type=_counts, default=[1, 3], metavar="N,…",
                        help="sizes of the group of the log alone (default: 1,3)")
    parser.add_argument(clients, dest="log_clients", type=_counts, default=[1, 64], metavar="N,…",
                        help="of the log alone, each with one command at a time (default: 1,64)")
    parser.add_argument("--turns", type=_count, default=5, metavar="N",
                        help="of the log alone (default: 5)")
    parser.add_argument(seconds, dest="log_seconds", type=_seconds, default=3.0, metavar="S",
                        help="of a run of the log alone (default: 3)")


def _log_alone(parser):
    _log(parser, "--clients", "--seconds")


def _flat(parser):
    parser.add_argument("--rounds", type=_count, default=10, metavar="N", help="(default: 10)")
    parser.add_argument("--decisions", type=_count, default=100_000, metavar="N",
                        help="of a round (default: 100,000)")
    parser.add_argument("--retention-ms", type=_count, default=5_000, metavar="MS",
                        help="how long an outcome is kept (default: 5,000)")
    parser.add_argument("--snapshot-log-bytes", type=_count, default=4 << 20, metavar="B",
                        help="log after which a snapshot is written (default: 4 MiB)")


def _overload(parser):
    _peak(parser)
    parser.set_defaults(quick=False)


def _peak(parser):
    parser.add_argument("--peak-clients", type=_count, default=64, metavar="N",
                        help="clients that find the peak, in a closed loop (default: 64)")


def _soak(parser):
    _peak(parser)
    parser.add_argument("--hours", type=_seconds, default=1.0, metavar="H", help="(default: 1)")
    parser.add_argument("--every", type=_seconds, default=60.0, metavar="S",
                        help="seconds from one line to the next (default: 60)")
    parser.add_argument("--rate", type=_seconds, metavar="R",
                        help="transactions sent a second (default: half of the peak)")


def _json(parser):
    parser.add_argument("--json", type=pathlib.Path, metavar="FILE",
                        help="file to write the figures to")


def _quick(parser):
    parser.add_argument("--quick", action="store_true",
                        help="fewer and shorter runs of fewer clients: within 10 minutes for all")


def _report(parser):
    _json(parser)
    _quick(parser)


def _pages(parser):
    parser.add_argument("--write", type=pathlib.Path, metavar="DIR",
                        help="directory for the page, the chart and the figures, for example"
                        " docs/benchmarks; the table in the README is written, too")


def _no_pages(parser):
    parser.set_defaults(write=None)


def _count(text):
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError("must be at least 1")
    return number


def _counts(text):
    return [_count(number) for number in text.split(",")]


def _seconds(text):
    seconds = float(text)
    if not 0 < seconds <= 86_400:
        raise argparse.ArgumentTypeError("must be more than 0, and a day at most")
    return seconds


def _systems(text):
    names = text.split(",")
    unknown = [name for name in names if name not in bench_systems.SYSTEMS]
    if unknown:
        raise argparse.ArgumentTypeError(f"there is no system {unknown[0]}")
    return names


# By its name, what a command measures, how it is run, and its options.
COMMANDS = {
    ALL: ("transfers, participants and log, one after the other", all_bench.run,
          [_turns, _two_databases, _many_databases, _log, _report, _pages]),
    "transfers": ("money moves between two databases: Assent beside bare libpq clients that do"
                  " two-phase commit without a coordinator (the floor)", transfers_bench.run,
                  [_turns, _two_databases, _report, _pages]),
    "participants": ("one-shots over more and more databases beside the floor",
                     transfers_bench.run_participants,
                     [_turns, _many_databases_alone, _report, _no_pages]),
    "log": ("the replicated log alone: commands chosen per second and what each costs, without a"
            " database", log_bench.run, [_log_alone, _report, _no_pages]),
    "overload": (f"{overload_bench.LOAD} times the load that it can carry, as one-shots: what still"
                 " commits, and how fast the rest is refused", overload_bench.run,
                 [_turns, _overload, _json, _no_pages]),
    "soak": ("half the load that it can carry, for hours: memory, descriptors, prepared transactions"
             " and log stay as they are, or it fails", soak_bench.run, [_soak, _json]),
    "flat": ("memory and disk of the replicas after each 100,000 of 1,000,000 decisions, of which"
             " outcomes are kept for --retention-ms; fails when they go on growing",
             flat_bench.run, [_flat, _json]),
}
