"""The replicated log alone: commands chosen per second, and what a command costs each replica."""

import dataclasses
import json
import statistics
import tempfile

from . import cluster, cpu, decisions, interrupts, repository, status
from .errors import HarnessError

# Of a Sample: the name of each figure, and how it is printed.
FIGURES = {"rate": "{:,.0f}", "p50": "{:.2f}", "p99": "{:.2f}", "leader_us": "{:.0f}",
           "follower_us": "{:.0f}", "per_flush": "{:.1f}"}


@dataclasses.dataclass(frozen=True)
class Sample:
    """One run."""

    rate: float  # commands chosen, executed and answered, per second
    p50: float  # ms, as the client sees it
    p99: float
    leader_us: float  # CPU of the leader for a command, with its clients' connections
    follower_us: float  # of the follower that used most; 0 without one
    per_flush: float  # commands for each flush of the leader's log


def run(options):
    """Measures, prints a table, and writes the JSON that was asked for."""
    samples = {}
    for replicas in options.replicas:
        samples.update(_measure_group(replicas, options))
    rows = [{"replicas": replicas, "clients": clients, **summarize(runs)}
            for (replicas, clients), runs in samples.items()]
    _show(rows)
    if options.json:
        options.json.write_text(json.dumps(rows, indent=2) + "\n", encoding="utf-8")


def summarize(samples):
    """For each figure (median, lowest, highest) of the samples."""
    columns = {name: [getattr(sample, name) for sample in samples] for name in FIGURES}
    return {name: (statistics.median(values), min(values), max(values))
            for name, values in columns.items()}


def _measure_group(replicas, options):
    directory = tempfile.mkdtemp(prefix="assent-bench-", dir="/tmp")
    made = cluster.up(directory, "bench", 0, repository.bin_directory(options), replicas=replicas)
    samples = {(replicas, clients): [] for clients in options.clients}
    try:
        for turn in range(1, options.turns + 1):
            for clients in options.clients:
                sample = _run_once(made, clients, options.seconds)
                print(f"{replicas} replicas, {clients} clients, turn {turn}:"
                      f" {sample.rate:,.0f} commands per second", flush=True)
                samples[replicas, clients].append(sample)
        problems = made.down()
    except BaseException:
        with interrupts.ignored():
            made.abandon()
        raise
    if problems:
        raise HarnessError(" ".join(problems))
    return samples


def _run_once(made, clients, seconds):
    leader = made.leader()
    before = status.of([leader])[0].counters
    meter = cpu.Meter(made.coordinators)
    report = decisions.run(made, clients, seconds)
    used = meter.seconds()
    after = status.of([leader])[0].counters
    if made.leader() is not leader:
        raise HarnessError("Another replica came to lead during a run: its figures mean nothing.")
    decided = report["decided"]
    own = used.pop(leader.name)
    return Sample(
        rate=decided / report["seconds"], p50=report["latency_ms"]["p50"],
        p99=report["latency_ms"]["p99"], leader_us=own / decided * 1e6,
        follower_us=max(used.values(), default=0) / decided * 1e6,
        per_flush=decided / max(after["log_flushes"] - before["log_flushes"], 1))


def _show(rows):
    print("\n| replicas | clients | commands/s | p50, ms | p99, ms | leader, µs CPU a command |"
          " follower, µs | commands a flush |\n|---|---|---|---|---|---|---|---|")
    for row in rows:
        cells = [f"{text} ({text} to {text})".format(*row[name]) for name, text in FIGURES.items()]
        print(f"| {row['replicas']} | {row['clients']} | {' | '.join(cells)} |", flush=True)
