"""Loopback ports for the processes of a cluster.

All lie below the kernel's ephemeral range (from 32768), so that no outgoing connection takes one
between two lives of a server.
"""

import contextlib
import errno
import socket

from . import waiting
from .errors import HarnessError

HOST = "127.0.0.1"
FIRST = {"client": 7101, "peer": 7201, "admin": 7301, "postgres": 5501}
AGENT_OFFSET = 300
SPAN = 99


def agent_first(role):
    """The first port of a role of agents: 7401, 7501, 7601."""
    return FIRST[role] + AGENT_OFFSET


def is_free(port):
    """True when a server could listen on the port now, also right after another one has ended.

    On any address: of clusters that have a network of their own, not all listen on loopback.
    """
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("", port))
        except OSError:
            return False
        return True


def accepts(port, host=HOST):
    """True when somebody listens on the port, and can be reached."""
    with socket.socket() as probe:
        probe.settimeout(1)
        return probe.connect_ex((host, port)) == 0


class Allocator:
    """Hands out free ports, each once, and keeps other allocators from them until release().

    So nobody takes the port of a process that was killed and will be started again, as long as the
    process of the allocator lives. See exclusive() for how the locks work.
    """

    def __init__(self):
        self._locks = {}

    def take(self, first):
        """The lowest free port of the SPAN from `first`."""
        for port in range(first, first + SPAN):
            if port not in self._locks and is_free(port) and self._reserve(port):
                return port
        raise HarnessError(f"No port from {first} to {first + SPAN - 1} is free on {HOST}.")

    def release(self):
        """Others may have the ports."""
        while self._locks:
            self._locks.popitem()[1].close()

    def _reserve(self, port):
        lock = socket.socket(socket.AF_UNIX)
        if not try_lock(lock, f"port-{port}"):
            lock.close()
            return False
        self._locks[port] = lock
        return True


@contextlib.contextmanager
def exclusive(seconds=120):
    """One cluster at a time chooses its ports and starts to listen on them, among all users.

    The lock is an abstract unix socket: the kernel frees it with its holder, and it is shared by
    exactly those who share the ports (one network namespace).
    """
    with socket.socket(socket.AF_UNIX) as lock:
        waiting.until(lambda: try_lock(lock, "cluster-ports"), seconds,
                      "another cluster that is starting")
        yield


def try_lock(lock, name):
    """Makes an unbound unix socket hold this name; False when another one does."""
    try:
        lock.bind(f"\0assent-{name}")
    except OSError as error:
        if error.errno != errno.EADDRINUSE:
            raise
        return False
    return True
