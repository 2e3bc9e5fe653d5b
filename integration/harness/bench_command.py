"""The command integration/bench: what the parts of Assent cost."""

import argparse
import pathlib
import sys

from . import interrupts, log_bench, repository
from .errors import HarnessError

DESCRIPTION = """\
Measures on this machine, in turns, so that what else it does hits all figures alike. Each figure is
the median of the turns, with the lowest and the highest.

  log   the replicated log alone: commands chosen per second and what each costs, without a database"""


def main(arguments):
    """Runs the command; returns its exit code."""
    options = _parse(arguments)
    interrupts.raise_on_signals()
    try:
        repository.build_programs(options)
        log_bench.run(options)
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
    parser.add_argument("what", choices=["log"], help="what to measure")
    parser.add_argument("--replicas", type=_numbers, default=[1, 3], metavar="N,…",
                        help="sizes of the group (default: 1,3)")
    parser.add_argument("--clients", type=_numbers, default=[1, 64], metavar="N,…",
                        help="at once, each with one command at a time (default: 1,64)")
    parser.add_argument("--turns", type=int, default=5, help="runs of each (default: 5)")
    parser.add_argument("--seconds", type=float, default=3, help="of a run (default: 3)")
    parser.add_argument("--json", type=pathlib.Path, help="file to write the figures to")
    repository.add_build_options(parser)
    options = parser.parse_args(arguments)
    if options.turns < 1 or options.seconds <= 0:
        parser.error("--turns and --seconds must be positive")
    return options


def _numbers(text):
    numbers = [int(number) for number in text.split(",")]
    if min(numbers) < 1:
        raise argparse.ArgumentTypeError("each must be at least 1")
    return numbers
