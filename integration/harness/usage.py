"""CPU time and context switches of groups of processes, between two moments."""

import dataclasses
import os
import pathlib

from . import processes


@dataclasses.dataclass(frozen=True)
class Usage:
    """What a group of processes has used between two looks at it."""

    cpu_us: float
    switches: int  # of all threads, voluntary and not


@dataclasses.dataclass(frozen=True)
class Look:
    """What the processes of a group had used when it was taken."""

    cpu_ns: int
    switches: dict  # by pid


def look(pids, root=None):
    """Looks at these processes, and at `root`, all children of it, and those that it has reaped."""
    if root is not None:
        pids = [root, *(child.pid for child in processes.children_of(root)), *pids]
    looks = {pid: _process(pid) for pid in pids}
    reaped = _reaped_ns(root) if root is not None else 0
    return Look(reaped + sum(cpu for cpu, _ in looks.values()),
                {pid: switches for pid, (_, switches) in looks.items()})


def between(before, after):
    """The Usage from one Look to the next; switches of processes that came or went are left out."""
    both = before.switches.keys() & after.switches.keys()
    return Usage((after.cpu_ns - before.cpu_ns) / 1000,
                 sum(after.switches[pid] - before.switches[pid] for pid in both))


def machine():
    """(stolen, all) clock ticks of the machine so far."""
    fields = pathlib.Path("/proc/stat").read_text(encoding="ascii").split("\n", 1)[0].split()[1:9]
    ticks = [int(field) for field in fields]
    return ticks[7], sum(ticks)


def _process(pid):
    """(nanoseconds of CPU, context switches) of all threads of a process; zeros when it is gone."""
    cpu = switches = 0
    try:
        threads = os.listdir(f"/proc/{pid}/task")
    except FileNotFoundError:
        return 0, 0
    for thread in threads:
        task = pathlib.Path(f"/proc/{pid}/task/{thread}")
        try:
            cpu += int((task / "schedstat").read_text(encoding="ascii").split()[0])
            status = (task / "status").read_text(encoding="utf-8", errors="replace")
        except (FileNotFoundError, ProcessLookupError):
            continue
        switches += sum(int(line.split()[1]) for line in status.splitlines()[-2:])
    return cpu, switches


def _reaped_ns(pid):
    """CPU of the children that a process has reaped."""
    text = pathlib.Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
    fields = text.rpartition(")")[2].split()
    ticks = int(fields[13]) + int(fields[14])
    return ticks * 1_000_000_000 // processes.CLOCK_TICKS_PER_SECOND
