"""A process that runs armed with a failpoint, and what it does there; see runtime/failpoint.h."""

import signal
import time

from . import assentctl, processes, status, waiting
from .errors import HarnessError

SECONDS = 30
KILLED = -signal.SIGKILL  # how our child ended, as subprocess says it


def begin(cluster, service, failpoint):
    """Ends a service's life in good order and begins one that is armed."""
    service.go_on()  # if it stands still at the failpoint of an earlier try
    problem = service.stop()
    if problem:
        raise HarnessError(problem)
    service.arm(failpoint)
    cluster.begin_life(service)


def leader(cluster, failpoint):
    """A replica that is armed, and leads."""
    chosen = cluster.follower()
    begin(cluster, chosen, failpoint)
    waiting.until(lambda: _leads(cluster, chosen), SECONDS, f"{chosen.name} to lead")
    return chosen


class Missed(HarnessError):
    """The office changed hands before the process came to its failpoint: nothing is wrong."""


def wait_for_death(service, failpoint, cluster, leads):
    """Waits until a process has killed itself at its failpoint; returns when that was seen.

    Raises Missed when it has not, and the replica that `leads` in the cluster does so no more.
    """
    if not processes.wait_until_gone(service.identity, SECONDS):
        _check_office(cluster, leads)
    code = service.wait_for_end(SECONDS)
    died = time.time()
    if code != KILLED or service.hits() != [_last(failpoint)]:
        raise HarnessError(
            f"{service.name} ended with exit code {code} and hit {service.hits()}, where it was"
            f" to be killed at {failpoint}.\n{service.log_tail()}")
    return died


def wait_for_halt(service, failpoint, cluster, leads, seconds=SECONDS):
    """Waits until a process has stopped itself at its failpoint. Raises Missed, as above."""
    try:
        waiting.until(lambda: processes.is_stopped(service.identity), seconds,
                      f"{service.name} to stand still at {failpoint}")
    except waiting.WaitedInVain:
        _check_office(cluster, leads)
        raise
    if service.hits() != [_last(failpoint)]:
        raise HarnessError(f"{service.name} stands still and hit {service.hits()}, not {failpoint}.")


def _check_office(cluster, leads):
    if status.leader_of(cluster.coordinators) is not leads:
        raise Missed(f"{leads.name} has lost the office.")


def _last(failpoint):
    """The name that it writes down."""
    return failpoint.partition(":")[0].rpartition(",")[2]


def _leads(cluster, chosen):
    """It does, or is asked to."""
    if status.leader_of(cluster.coordinators) is chosen:
        return True
    try:
        assentctl.run(cluster, "replica", "transfer-leader", "--to", chosen.replica)
    except HarnessError:
        pass  # nobody leads for a moment; it is asked again
    if not chosen.is_running():
        raise HarnessError(f"{chosen.name} died before it was asked.\n{chosen.log_tail()}")
    return False
