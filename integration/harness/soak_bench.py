"""Half of the load that it can carry, for hours: memory, descriptors, prepared transactions, log."""

import json
import os
import pathlib
import time

from . import (
    bench_bed,
    bench_run,
    bench_systems,
    open_loop,
    repository,
    status,
    waiting,
)
from .errors import HarnessError

LOAD = 0.5  # of the peak
PEAK_SECONDS = 5
PAGE = os.sysconf("SC_PAGE_SIZE")
GROWTH_MAX = 1.25  # of the last quarter against the second
PREPARED_MAX = 200  # at any moment
QUARTERS = 4
SNAPSHOT_LOG_BYTES = 4 << 20
RETENTION_MAX_S = 600


def run(options):
    """Prints a line each minute, and fails when something does not stay as it is."""
    system = bench_systems.SYSTEMS["one-shot-applied"]
    with bench_bed.open_bed(repository.bin_directory(options),
                            settings=settings(options.hours)) as bed:
        group = bed.group(system.replicas)
        peak = bench_run.run(bed, system, options.peak_clients, PEAK_SECONDS, 1, 1)["rate"]
        rate = options.rate or LOAD * peak
        print(f"the peak is {peak:,.0f} transactions/s; {rate:,.0f}/s for {options.hours:g} h\n\n"
              "| minutes | committed/s | memory, MiB: replica | agent | descriptors: replica | agent |"
              " prepared | log, MiB | outcomes kept |\n|---|---|---|---|---|---|---|---|---|",
              flush=True)
        with open_loop.started(group.made, group.participants, bench_bed.ACCOUNTS, rate,
                               options.hours * 3600) as load:
            rows = _watch(bed, group, load, options.every)
            report = load.wait()
        bed.settle(group)
    if options.json:
        options.json.write_text(json.dumps({"rows": rows, "report": report}, indent=2) + "\n",
                                encoding="utf-8")
    print(f"\ncommitted {report['committed']:,} of {report['transactions']:,}; p99"
          f" {report['commit_ms']['p99']:.0f} ms; {report['reasons']}")
    if found := problems(rows):
        raise HarnessError(" ".join(found))


def settings(hours):
    """Of the replicas: so that outcomes leave, and log is cut off, long before the first quarter ends."""
    retention = min(RETENTION_MAX_S, hours * 3600 / (4 * QUARTERS))
    return {"outcomes": {"retention_ms": max(int(retention * 1000), 1000)},
            "snapshots": {"log_bytes": SNAPSHOT_LOG_BYTES}}


def problems(rows):
    """What is not flat, as sentences: the last quarter of the figures against the second."""
    quarter = len(rows) // QUARTERS
    if quarter == 0:
        return []
    found = [f"At {row['minutes']:.0f} minutes {row['prepared']} transactions are prepared."
             for row in rows if row["prepared"] > PREPARED_MAX]
    for name in ("replica_memory", "agent_memory", "replica_files", "agent_files", "log"):
        early = max(row[name] for row in rows[quarter:2 * quarter])
        late = max(row[name] for row in rows[-quarter:])
        if late > GROWTH_MAX * early:
            found.append(f"{name.replace('_', ' ')} grew from {early:,} to {late:,}.")
    return found


def _watch(bed, group, load, every):
    rows, began, committed = [], time.monotonic(), _committed(group)
    while load.is_running():
        then = time.monotonic()
        try:
            waiting.until(lambda: not load.is_running(), every, "the end")
            break
        except waiting.WaitedInVain:
            pass
        now, told = time.monotonic(), _committed(group)
        rows.append({"minutes": (now - began) / 60, "rate": (told - committed) / (now - then),
                     **_held(bed, group)})
        committed = told
        _show(rows[-1])
    return rows


def _committed(group):
    return sum(each.counters["committed"] for each in status.of(group.made.coordinators))


def _held(bed, group):
    told = [each.counters for each in status.of(group.made.coordinators)]
    row = {}
    for kind, services in (("replica", group.made.coordinators), ("agent", group.made.agents)):
        row[f"{kind}_memory"] = max(_resident(each.identity.pid) for each in services)
        row[f"{kind}_files"] = max(len(os.listdir(f"/proc/{each.identity.pid}/fd"))
                                   for each in services)
    return row | {
        "prepared": sum(len(server.prepared_transactions()) for server in bed.servers),
        "log": max(counters["log_bytes_held"] for counters in told),
        "retained": max(counters["retained"] for counters in told),
    }


def _resident(pid):
    return int(pathlib.Path(f"/proc/{pid}/statm").read_text(encoding="ascii").split()[1]) * PAGE


def _show(row):
    print(f"| {row['minutes']:.1f} | {row['rate']:,.0f} | {row['replica_memory'] / 2**20:.0f} |"
          f" {row['agent_memory'] / 2**20:.0f} | {row['replica_files']} | {row['agent_files']} |"
          f" {row['prepared']} | {row['log'] / 2**20:.0f} | {row['retained']:,} |", flush=True)
