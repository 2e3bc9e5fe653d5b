"""The command tests/run: installs, builds and runs every test."""

import argparse
import os
import sys
import time

from . import interrupts, repository
from .errors import HarnessError

FULL_PRESETS = ("asan", "tsan")


def main(arguments):
    """Runs the command; returns its exit code."""
    options = _parse(arguments)
    interrupts.raise_on_signals()
    try:
        _timed("packages", repository.install_packages)
        return _run_presets(options)
    except HarnessError as error:
        print(f"tests: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("tests: interrupted", file=sys.stderr)
        return 130


def _parse(arguments):
    parser = argparse.ArgumentParser(
        prog="tests/run", description="Installs the packages, builds, and runs every test.",
        epilog="Exit code 0 only if all of it is green.")
    parser.add_argument("--preset", default="dev", metavar="P",
                        help="of CMakePresets.json (default: dev)")
    parser.add_argument("--full", action="store_true", help="then the presets asan and tsan, too")
    parser.add_argument("-j", "--jobs", type=int, default=os.cpu_count(), metavar="N",
                        help="compilers and tests at once (default: one for each CPU)")
    return parser.parse_args(arguments)


def _run_presets(options):
    others = [preset for preset in FULL_PRESETS if preset != options.preset]
    presets = [options.preset, *(others if options.full else [])]
    codes = {preset: _run_preset(preset, options.jobs) for preset in presets}
    failed = [preset for preset, code in codes.items() if code != 0]
    if failed:
        raise HarnessError(f"Tests failed under: {', '.join(failed)}.")
    return 0


def _run_preset(preset, jobs):
    """Returns the exit code of ctest, whose closing lines have the time of each part."""
    _timed(f"{preset}: configure", lambda: repository.configure(preset))
    _timed(f"{preset}: build", lambda: repository.build(preset, jobs))
    print(f"== {preset}: tests", flush=True)
    return repository.test(preset, jobs)


def _timed(what, act):
    print(f"== {what}", flush=True)
    begun = time.monotonic()
    act()
    print(f"== {what}: {time.monotonic() - begun:.1f} s", flush=True)
