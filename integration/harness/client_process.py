"""A client that is a process of its own, so that it can die; it does what it is told on its input.

`python -m harness.client_process` reads pairs of a method and its arguments, pickled, calls it on the
one SingleTransfer that it was sent last, and answers with that, pickled, or with why it failed.
"""

import os
import pickle
import queue
import signal
import subprocess
import sys
import threading
from typing import NamedTuple

from . import processes, repository
from .errors import HarnessError

SECONDS = 90


class Address(NamedTuple):
    """What a client has to know of a replica or an agent."""

    name: str
    ports: dict


class Addresses(NamedTuple):
    """What it has to know of a cluster."""

    agents: list


def addresses_of(cluster):
    """The Addresses of a cluster's agents; they stay, whoever dies."""
    return Addresses([Address(agent.name, agent.ports) for agent in cluster.agents])


class Gone(HarnessError):
    """The process ended before it answered."""


class ClientProcess:
    """One of them, from construction until stop() or kill()."""

    def __init__(self):
        from . import wire  # noqa: PLC0415 (needs packages, which are there by now)
        self._child = subprocess.Popen(
            [sys.executable, "-B", "-m", "harness.client_process"],
            cwd=repository.ROOT / "integration", stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            env=processes.clean_environment() | {wire.GENERATED: wire.DIRECTORY},
            start_new_session=True)
        self.identity = processes.identify(self._child.pid)
        self._answers = queue.SimpleQueue()
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def begin(self, transfer, method, *arguments):
        """Calls a method of the transfer there; answer() is what came of it."""
        try:
            pickle.dump((transfer, method, arguments), self._child.stdin)
            self._child.stdin.flush()
        except (BrokenPipeError, ValueError):  # it is dead, or was killed here
            pass  # answer() says so

    def is_done(self):
        """True when answer() returns at once."""
        return not self._answers.empty()

    def answer(self, seconds=SECONDS):
        """The transfer as it is after the call, and why that failed, if it did. Raises Gone."""
        try:
            answered = self._answers.get(timeout=seconds)
        except queue.Empty:
            raise HarnessError(f"A client did not come back within {seconds} s.") from None
        if answered is None:
            self._answers.put(None)
            raise Gone("A client ended before it came back.")
        return answered

    def kill(self):
        """SIGKILL, and returns when it is gone."""
        processes.kill([self.identity])
        self._end()

    def stop(self):
        """Ends it in good order, if it has no call; otherwise kills it."""
        self._child.stdin.close()
        try:
            self._child.wait(1)
        except subprocess.TimeoutExpired:
            processes.send(self.identity, signal.SIGKILL)
        self._end()

    def _end(self):
        self._child.wait()
        self._reader.join()
        self._child.stdout.close()
        try:
            self._child.stdin.close()
        except BrokenPipeError:
            pass

    def _read(self):
        try:
            while True:
                self._answers.put(pickle.load(self._child.stdout))
        except (EOFError, pickle.UnpicklingError):
            self._answers.put(None)


def _serve():
    """Answers until the input ends. Only pickles may be in the output."""
    output = os.fdopen(os.dup(sys.stdout.fileno()), "wb")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    while True:
        try:
            transfer, method, arguments = pickle.load(sys.stdin.buffer)
        except EOFError:
            return
        why = ""
        try:
            getattr(transfer, method)(*arguments)
        except Exception as error:  # noqa: BLE001 (whatever it was, the harness is to hear of it)
            why = f"{type(error).__name__}: {error}"
        pickle.dump((transfer, why), output)
        output.flush()


if __name__ == "__main__":
    _serve()
