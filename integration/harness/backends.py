"""Backends of PostgreSQL servers that are stopped, with what their sockets hold meanwhile."""

import re
import signal
import subprocess

from . import processes, waiting
from .errors import HarnessError

HALT_SECONDS = 10
PID = re.compile(r"pid=(\d+),")


class Halted:
    """Work backends of a server that wait for their client, stopped by SIGSTOP until go_on().

    One that is stopped anywhere else may hold a lock that stops the whole server: it goes on at once.
    """

    def __init__(self, server):
        self._server = server
        self._identities = []
        pids = server.execute(
            f"SELECT pid FROM pg_stat_activity WHERE usename = '{server.work_role}'").split()
        for pid in map(int, pids):
            identity = processes.identify(pid)
            if identity is not None and self._halt(identity):
                self._identities.append(identity)
        if not self._identities:
            raise HarnessError(f"No backend of {server.name} waited for its client.")

    def wait_for_input(self, seconds):
        """Returns how many of them have been sent something since, as soon as one has."""
        return waiting.until(self._with_input, seconds, "a stopped backend to be sent something")

    def left(self):
        """How many of them there still are."""
        return sum(processes.is_running(identity) for identity in self._identities)

    def go_on(self):
        """Lets them run."""
        for identity in self._identities:
            processes.send(identity, signal.SIGCONT)

    def _halt(self, identity):
        processes.send(identity, signal.SIGSTOP)
        waiting.until(lambda: _is_stopped_or_gone(identity), HALT_SECONDS,
                      f"a backend of {self._server.name} to halt")
        if processes.is_running(identity) and self._waits_for_client(identity.pid):
            return True
        processes.send(identity, signal.SIGCONT)
        return False

    def _waits_for_client(self, pid):
        try:
            connection = self._server.connect(seconds=1)
        except HarnessError:
            return False
        try:
            return connection.rows(
                f"SELECT wait_event FROM pg_stat_activity WHERE pid = {pid}") == [["ClientRead"]]
        except HarnessError:  # no answer: it holds what others need
            return False
        finally:
            connection.close()

    def _with_input(self):
        waiting_for = _received()
        return sum(waiting_for.get(identity.pid, 0) > 0 for identity in self._identities)


def _is_stopped_or_gone(identity):
    return processes.is_stopped(identity) or not processes.is_running(identity)


def _received():
    """By pid, the bytes that unix sockets hold for a process and it has not read."""
    done = subprocess.run(["ss", "-xpnH"], stdin=subprocess.DEVNULL, capture_output=True, text=True,
                          check=False)
    if done.returncode != 0:
        raise HarnessError(f"`ss` failed, of the package iproute2: {done.stderr.strip()}")
    held = {}
    for line in done.stdout.splitlines():
        for pid in PID.findall(line):
            held[int(pid)] = held.get(int(pid), 0) + int(line.split()[2])
    return held
