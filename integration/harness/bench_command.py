"""The command integration/bench: what the parts of Assent cost."""

import argparse
import pathlib
import sys

from . import flat_bench, interrupts, log_bench, repository
from .errors import HarnessError

DESCRIPTION = """\
Measures on this machine, in turns, so that what else it does hits all figures alike. Each figure is
the median of the turns, with the lowest and the highest.

  log   the replicated log alone: commands chosen per second and what each costs, without a database
  flat  the same for long: memory and disk of the replicas after each 100,000 of 1,000,000 decisions,
        of which outcomes are kept for --retention-ms; fails when they go on growing"""


def main(arguments):
    """Runs the command; returns its exit code."""
    options = _parse(arguments)
    interrupts.raise_on_signals()
    try:
        repository.build_programs(options)
        {"log": log_bench, "flat": flat_bench}[options.what].run(options)
    except HarnessError as error:
        print(f"bench: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("bench: interrupted; nothing is left of it", file=sys.stderr)
        return 130
    return 0


def _parse(arguments):
    parser = argparse.ArgumentParser(
        prog="integration/bench", description=DESCRIPTION,
        formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=["log", "flat"], help="what to measure")
    parser.add_argument("--replicas", type=_numbers, default=[1, 3], metavar="N,…",
                        help="sizes of the group (default: 1,3)")
    parser.add_argument("--clients", type=_numbers, default=[1, 64], metavar="N,…",
                        help="at once, each with one command at a time (default: 1,64)")
    parser.add_argument("--turns", type=int, default=5, help="runs of each (default: 5)")
    parser.add_argument("--seconds", type=float, default=3, help="of a run (default: 3)")
    parser.add_argument("--rounds", type=int, default=10, help="of flat (default: 10)")
    parser.add_argument("--decisions", type=int, default=100_000, metavar="N",
                        help="of a round of flat (default: 100,000)")
    parser.add_argument("--retention-ms", type=int, default=5_000, metavar="MS",
                        help="how long flat keeps an outcome (default: 5,000)")
    parser.add_argument("--snapshot-log-bytes", type=int, default=4 << 20, metavar="B",
                        help="log after which flat writes a snapshot (default: 4 MiB)")
    parser.add_argument("--json", type=pathlib.Path, help="file to write the figures to")
    repository.add_build_options(parser)
    options = parser.parse_args(arguments)
    if options.turns < 1 or options.seconds <= 0:
        parser.error("--turns and --seconds must be positive")
    if options.rounds < 1 or options.decisions < 1:
        parser.error("--rounds and --decisions must be positive")
    return options


def _numbers(text):
    numbers = [int(number) for number in text.split(",")]
    if min(numbers) < 1:
        raise argparse.ArgumentTypeError("each must be at least 1")
    return numbers
