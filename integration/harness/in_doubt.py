"""A meter of how long branches are in doubt: it looks into pg_prepared_xacts of every server.

A branch's end is when a look did not show it any more, so a time is too long by POLL_SECONDS at
most, and never too short. Times are those of the machine's wall clock, which the servers share.
"""

import dataclasses
import math
import threading
import time

from . import sql, waiting
from .errors import HarnessError

POLL_SECONDS = 0.02
QUERY = """SELECT gid, extract(epoch FROM prepared) FROM pg_prepared_xacts
           WHERE gid LIKE 'assent:%'"""


@dataclasses.dataclass
class Branch:
    """One of ours that a server has had prepared."""

    server: str
    gid: str
    prepared: float
    ended: float | None = None  # None: it is still there

    def age(self, now):
        """Seconds for which it was in doubt, so far if it still is."""
        return (self.ended or now) - self.prepared


@dataclasses.dataclass(frozen=True)
class Crash:
    """What a crash left in doubt."""

    branches: int
    age_p50: float  # seconds from PREPARE to the end, the time without processes included
    age_max: float
    left: int  # of the branches: those still there when the last process was up
    settled: float  # seconds from then until the last of them was gone; infinite: not gone


class Meter:
    """Looks from construction until stop(); each server over a kept connection of its own.

    Use it in a `with`. A server that does not answer is asked again in POLL_SECONDS; what it had
    prepared is neither there nor gone meanwhile.
    """

    def __init__(self, servers):
        self._watches = [_Watch(server) for server in servers]

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()

    def stop(self):
        """Looks no more."""
        for watch in self._watches:
            watch.stop()

    def watch(self, successor):
        """Looks into a promoted server from now on, and no more into the one of its participant.

        What that one had prepared is gone when the successor's first look does not show it.
        """
        for number, watch in enumerate(self._watches):
            if watch.participant == successor.participant:
                watch.stop()
                self._watches[number] = _Watch(successor, watch)

    def branches(self):
        """All Branches that it has seen, as it knows them now."""
        return [branch for watch in self._watches for branch in watch.branches()]

    def wait_until_settled(self, before, seconds):
        """Waits until every server has shown, after now, none that was prepared before `before`.

        Returns False when that did not happen in time.
        """
        begun = time.time()
        try:
            waiting.until(lambda: self.is_settled(before, begun), seconds,
                          "all branches to be settled")
        except HarnessError:
            return False
        return True

    def is_settled(self, before, since):
        """Every server has shown, after `since`, none that was prepared before `before`."""
        return all(watch.has_none(before, since) for watch in self._watches)

    def crash(self, killed, up):
        """What the crash from `killed` until the last process was `up` has left; see Crash."""
        now = time.time()
        found = [branch for branch in self.branches()
                 if branch.prepared < up and (branch.ended is None or branch.ended > killed)]
        ages = sorted(branch.age(now) for branch in found)
        left = [branch for branch in found if branch.ended is None or branch.ended > up]
        settled = max((_after(branch, up) for branch in left), default=0.0)
        return Crash(len(found), rank(ages, 50), rank(ages, 100), len(left), settled)


def _after(branch, moment):
    return math.inf if branch.ended is None else branch.ended - moment


def rank(ordered, percent):
    """The smallest of ordered values that so many percent of them do not exceed; 0 of none."""
    if not ordered:
        return 0.0
    return ordered[max(math.ceil(len(ordered) * percent / 100), 1) - 1]


class _Watch:
    """The looks into one server, or into one after another."""

    def __init__(self, server, earlier=None):
        """It knows what an `earlier` one, which has stopped, has seen."""
        self.participant = server.participant
        self._server = server
        self._lock = threading.Lock()
        self._present = dict(earlier._present) if earlier else {}  # by gid
        self._gone = list(earlier._gone) if earlier else []
        self._looked = 0.0  # when the latest look that was answered began
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def stop(self):
        self._stopping.set()
        self._thread.join()

    def branches(self):
        with self._lock:
            return [dataclasses.replace(each) for each in (*self._gone, *self._present.values())]

    def has_none(self, before, since):
        with self._lock:
            return self._looked > since and all(branch.prepared >= before
                                                for branch in self._present.values())

    def _run(self):
        connection = None
        while not self._stopping.wait(POLL_SECONDS):
            try:
                connection = connection or self._server.connect()
                asked = time.time()
                self._take(asked, connection.rows(QUERY))
            except HarnessError:  # also one that is shutting down, or starting up
                if connection:
                    connection.close()
                connection = None
        if connection:
            connection.close()

    def _take(self, asked, rows):
        answered = time.time()
        shown = {gid: float(prepared) for gid, prepared in rows}
        with self._lock:
            self._looked = asked
            for gid in [gid for gid in self._present if gid not in shown]:
                branch = self._present.pop(gid)
                branch.ended = answered
                self._gone.append(branch)
            for gid, prepared in shown.items():
                self._present.setdefault(gid, Branch(self._server.name, gid, prepared))
