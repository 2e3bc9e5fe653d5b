"""What replicas hold after many decisions: memory and disk stay as they are while outcomes expire."""

import json
import os
import pathlib
import tempfile

from . import cluster, decisions, interrupts, repository, status
from .errors import HarnessError

CLIENTS = 64
PAGE = os.sysconf("SC_PAGE_SIZE")
WARM_UP = 3  # rounds, by the end of which outcomes leave as fast as they come
GROWTH_MAX = 1.25  # of a later round, against the warm ones


def run(options):
    """Decides round after round, prints a table, and fails when what is held goes on growing."""
    settings = {"snapshots": {"log_bytes": options.snapshot_log_bytes},
                "outcomes": {"retention_ms": options.retention_ms}}
    directory = tempfile.mkdtemp(prefix="assent-flat-", dir="/tmp")
    made = cluster.up(directory, "flat", 0, repository.bin_directory(options), replicas=3,
                      settings=settings)
    try:
        rows = _rounds(made, options)
        problems = made.down()
    except BaseException:
        with interrupts.ignored():
            made.abandon()
        raise
    if options.json:
        options.json.write_text(json.dumps(rows, indent=2) + "\n", encoding="utf-8")
    problems += growth(rows)
    if problems:
        raise HarnessError(" ".join(problems))


def growth(rows):
    """What is no longer flat, as sentences: later rounds against the highest of the first half.

    The log comes to rest when some snapshots have been written, and outcomes are retained by time:
    the faster the decisions, the more rounds that takes."""
    half = max(WARM_UP, len(rows) // 2)
    warm, later = rows[:half], rows[half:]
    found = []
    for name in ("memory", "disk"):
        highest = max(row[name] for row in warm)
        for row in later:
            if row[name] > GROWTH_MAX * highest:
                found.append(f"After {row['decided']:,} decisions a replica holds {row[name]:,}"
                             f" bytes of {name}, before at most {highest:,}.")
    return found


def _rounds(made, options):
    print("| decisions | per second | memory, MiB | disk, MiB | log, MiB | snapshot, MiB |"
          " outcomes kept | longest pause, ms |\n|---|---|---|---|---|---|---|---|", flush=True)
    rows = []
    for number in range(1, options.rounds + 1):
        report = decisions.run(made, CLIENTS, count=options.decisions)
        rows.append(_row(made, number * options.decisions, report))
        _show(rows[-1])
    return rows


def _row(made, decided, report):
    told = [each.counters for each in status.of(made.coordinators)]
    return {
        "decided": decided,
        "rate": report["decided"] / report["seconds"],
        "memory": max(_resident(each.identity.pid) for each in made.coordinators),
        "disk": max(_held(each.data_directory) for each in made.coordinators),
        "log": max(counters["log_bytes_held"] for counters in told),
        "snapshot": max(counters["snapshot_bytes"] for counters in told),
        "retained": max(counters["retained"] for counters in told),
        "pause_ms": max(counters["snapshot_pause_us_max"] for counters in told) / 1000,
    }


def _show(row):
    mebibytes = " | ".join(f"{row[name] / 2**20:.0f}"
                           for name in ("memory", "disk", "log", "snapshot"))
    print(f"| {row['decided']:,} | {row['rate']:,.0f} | {mebibytes} | {row['retained']:,} |"
          f" {row['pause_ms']:.1f} |", flush=True)


def _resident(pid):
    return int(pathlib.Path(f"/proc/{pid}/statm").read_text(encoding="ascii").split()[1]) * PAGE


def _held(directory):
    """Bytes that the files take on the disk; one may go while they are counted."""
    total = 0
    for path in pathlib.Path(directory).iterdir():
        try:
            total += path.stat().st_blocks * 512
        except FileNotFoundError:
            pass
    return total
