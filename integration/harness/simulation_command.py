"""The command tests/simulation/run: builds the simulator and becomes it."""

import os
import sys

from . import repository
from .errors import HarnessError

# The simulator is compiled optimised under any preset; this is the one that tests/run builds.
PRESET = "dev"
PROGRAM = "assent-simulation"


def main(arguments):
    """Runs the command; returns its exit code, unless the simulator takes over."""
    try:
        repository.install_packages()
        repository.bring_up_to_date(PRESET, PROGRAM)
        program = repository.build_directory(PRESET) / "bin" / PROGRAM
        os.execv(program, [program, *arguments])
    except HarnessError as error:
        print(f"simulation: {error}", file=sys.stderr)
        return 1
