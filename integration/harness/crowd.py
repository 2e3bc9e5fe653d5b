"""A crowd at the coordinator: many connections, and many transactions known to it at once.

The agents are halted while the transactions come in, so that none of them can end; what the
coordinator holds in memory is read before, in between and then.
"""

import contextlib
import dataclasses
import json
import pathlib
import signal
import subprocess
import threading

from . import cluster, processes, status, waiting
from .errors import HarnessError

SECONDS_MAX = 240
# Of random rows, so that the transactions need not wait for each other.
SQL = "UPDATE accounts SET balance = balance WHERE id = (SELECT 1 + floor(random() * {})::int)"


@dataclasses.dataclass(frozen=True)
class Usage:
    """What a process holds."""

    kilobytes: int  # resident
    threads: int


@dataclasses.dataclass(frozen=True)
class Gathered:
    """One crowd, seen from the coordinator."""

    report: dict  # of `assent-bench crowd`
    before: Usage  # without the crowd
    connected: Usage  # with all of its connections
    driving: Usage  # with all of its transactions, none of them ended

    @property
    def kilobytes_per_connection(self):
        """Of the coordinator's memory."""
        return _share(self.before, self.connected, self.report["connections"])

    @property
    def kilobytes_per_transaction(self):
        """Of the coordinator's memory."""
        return _share(self.connected, self.driving, self.report["transactions"])

    @property
    def answered(self):
        """Transactions whose client was told anything but that nothing is known."""
        return sum(self.report[kind] for kind in ("committed", "aborted", "refused"))


def gather(made, connections, transactions, accounts):
    """Brings a crowd to a cluster that is up, and returns the Gathered when all is answered."""
    coordinator = made.leader()
    before = usage(coordinator)
    with _crowd(made, connections, transactions, accounts) as process:
        _read_until(process, "connections are open")
        connected = usage(coordinator)
        with _halted(made.agents):
            print("go", file=process.stdin, flush=True)
            waiting.until(lambda: counters(coordinator)["driven"] >= transactions, 60,
                          f"{transactions} transactions at {coordinator.name}")
            driving = usage(coordinator)
        report = _wait(process, made.directory / "crowd.json")
    return Gathered(report, before, connected, driving)


def usage(service):
    """The Usage of a service's process."""
    lines = pathlib.Path(f"/proc/{service.identity.pid}/status").read_text(encoding="utf-8")
    fields = dict(line.split(":", 1) for line in lines.splitlines())
    return Usage(int(fields["VmRSS"].split()[0]), int(fields["Threads"]))


def counters(service):
    """The counters that a process of ours tells on its admin port."""
    told, = status.of([service])
    if told is None:
        raise HarnessError(f"{service.name} tells no counters.")
    return told.counters


def _share(before, after, count):
    return (after.kilobytes - before.kilobytes) / count


@contextlib.contextmanager
def _crowd(made, connections, transactions, accounts):
    """The program while it runs; whatever happens, it does not outlive the block."""
    words = [
        made.bin_directory / "assent-bench", "crowd", "--step",
        "--coordinators", made.leader().address("client"),
        "--participants", ",".join(cluster.participant_of(server) for server in made.servers),
        "--connections", connections, "--transactions", transactions,
        "--sql", SQL.format(accounts), "--json", made.directory / "crowd.json"]
    with subprocess.Popen([str(word) for word in words], stdin=subprocess.PIPE,
                          stdout=subprocess.PIPE, text=True, cwd="/",
                          env=processes.clean_environment(), start_new_session=True) as process:
        limit = threading.Timer(SECONDS_MAX, process.kill)
        limit.start()
        try:
            yield process
        finally:
            limit.cancel()
            process.kill()


@contextlib.contextmanager
def _halted(services):
    """The processes are stopped during the block, and go on afterwards."""
    try:
        for service in services:
            processes.send(service.identity, signal.SIGSTOP)
        for service in services:
            waiting.until(lambda halted=service: processes.is_stopped(halted.identity), 10,
                          f"{service.name} to halt")
        yield
    finally:
        for service in services:
            processes.send(service.identity, signal.SIGCONT)


def _read_until(process, words):
    for line in process.stdout:
        if words in line:
            return
    raise HarnessError(f"The crowd ended before it said: {words}.")


def _wait(process, report):
    for line in process.stdout:
        print(f"  {line.rstrip()}", flush=True)
    if process.wait() != 0:
        raise HarnessError(f"The crowd failed with exit code {process.returncode}.")
    return json.loads(report.read_text(encoding="utf-8"))
