"""Processes of this machine: started apart from the terminal, and never mistaken for one another.

A pid alone is a poor name, since the kernel gives it to others later. An Identity adds when the
process began; signals go through a pidfd, opened before the identity is checked.
"""

import dataclasses
import os
import pathlib
import pwd
import select
import signal
import subprocess

from .errors import HarnessError

CLOCK_TICKS_PER_SECOND = os.sysconf("SC_CLK_TCK")

# Our own children by pid: kept so that their exit codes are not lost.
_children = {}


@dataclasses.dataclass(frozen=True)
class Identity:
    """One process in all of time."""

    pid: int
    birth: str  # the machine's boot id, a colon, the start in clock ticks since that boot


@dataclasses.dataclass(frozen=True)
class Stat:
    """The fields of /proc/PID/stat that are used here."""

    state: str
    parent: int
    cpu_ticks: int
    start_ticks: int


def read_stat(pid):
    """The Stat of a process, None when there is none of this pid."""
    try:
        text = pathlib.Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
    except (FileNotFoundError, ProcessLookupError):
        return None
    fields = text.rpartition(")")[2].split()  # the name before may hold spaces and brackets
    return Stat(fields[0], int(fields[1]), int(fields[11]) + int(fields[12]), int(fields[19]))


def identify(pid):
    """The Identity of the process that has this pid now, None when there is none."""
    stat = read_stat(pid)
    if stat is None:
        return None
    boot_id = pathlib.Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
    return Identity(pid, f"{boot_id}:{stat.start_ticks}")


def is_running(identity):
    """True while this very process runs; one that has ended but is not reaped does not."""
    stat = read_stat(identity.pid)
    return stat is not None and stat.state not in "ZX" and identify(identity.pid) == identity


def is_stopped(identity):
    """True when SIGSTOP has taken effect."""
    stat = read_stat(identity.pid)
    return stat is not None and stat.state == "T"


def children_of(pid):
    """The identities of the running children of a process."""
    pids = [int(entry) for entry in os.listdir("/proc") if entry.isdigit()]
    stats = {candidate: read_stat(candidate) for candidate in pids}
    found = [child for child, stat in stats.items() if stat is not None and stat.parent == pid]
    return [identity for identity in map(identify, found) if identity is not None]


def cpu_seconds(identity):
    """User and system time that the process has used, 0 when it is gone."""
    stat = read_stat(identity.pid)
    if stat is None or identify(identity.pid) != identity:
        return 0.0
    return stat.cpu_ticks / CLOCK_TICKS_PER_SECOND


def clean_environment():
    """Ours without what would lead libpq elsewhere, and with messages in English."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("PG")}
    return kept | {"LC_ALL": "C.UTF-8"}


def as_user(name):
    """The arguments with which subprocess runs a command as that user; None: as ourselves."""
    if name is None:
        return {}
    account = pwd.getpwnam(name)
    return {"user": account.pw_uid, "group": account.pw_gid, "extra_groups": []}


def spawn(command, log, user=None, environment=None):
    """Starts a process that outlives us and appends both its outputs to the file `log`.

    `environment` is added to the clean one.
    """
    words = [str(word) for word in command]
    with open(log, "ab") as output:
        try:
            child = subprocess.Popen(
                words, stdin=subprocess.DEVNULL, stdout=output, stderr=output, cwd="/",
                env=clean_environment() | (environment or {}),
                start_new_session=True, umask=0o022, **as_user(user))
        except OSError as error:
            raise HarnessError(f"{words[0]} cannot be started: {error.strerror}.") from None
    _children[child.pid] = child
    return identify(child.pid)


def exit_code(identity):
    """How our child ended, as subprocess says it; None: it runs, or is nobody's child of ours."""
    child = _children.get(identity.pid)
    return child.poll() if child is not None else None


def send(identity, number):
    """Sends a signal; False when the process is gone, whoever may have its pid now."""
    try:
        descriptor = os.pidfd_open(identity.pid)
    except ProcessLookupError:
        return False
    try:
        if identify(identity.pid) != identity:
            return False
        signal.pidfd_send_signal(descriptor, number)
        return True
    except ProcessLookupError:
        return False
    finally:
        os.close(descriptor)


def wait_until_gone(identity, seconds):
    """True when the process has ended, at once or within that time."""
    try:
        descriptor = os.pidfd_open(identity.pid)
    except ProcessLookupError:
        return True
    try:
        if identify(identity.pid) != identity:
            return True
        # A killed process whose first thread has ended holds its files until the last one has, which
        # may be in a flush: only the descriptor tells.
        poller = select.poll()
        poller.register(descriptor, select.POLLIN)
        return bool(poller.poll(seconds * 1000))
    finally:
        os.close(descriptor)
        exit_code(identity)  # reaps a child of ours


def end(identity, number, grace_seconds):
    """Sends a signal and waits; then SIGKILL. False when it had to be killed."""
    send(identity, number)
    if wait_until_gone(identity, grace_seconds):
        return True
    kill([identity])
    return False


def kill(identities, seconds=30):
    """SIGKILL to all of them, and returns when none is left."""
    for identity in identities:
        send(identity, signal.SIGKILL)
    for identity in identities:
        if not wait_until_gone(identity, seconds):
            raise HarnessError(f"Process {identity.pid} lives on {seconds:g} s after SIGKILL.")
