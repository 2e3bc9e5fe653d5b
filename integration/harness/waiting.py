"""Waiting for conditions; nothing in the harness sleeps for a guessed time."""

import time

from .errors import HarnessError

POLL_SECONDS = 0.02


class WaitedInVain(HarnessError):
    """The condition did not come true in time."""


def reach(moment):
    """Returns when time.monotonic() is there: for a fault that has to last so long, and nothing else."""
    time.sleep(max(0.0, moment - time.monotonic()))


def until(condition, seconds, what):
    """Returns the first true value of `condition()`; a HarnessError about `what` when none came."""
    deadline = time.monotonic() + seconds
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() >= deadline:
            raise WaitedInVain(f"Waited {seconds:g} s in vain for {what}.")
        time.sleep(POLL_SECONDS)
