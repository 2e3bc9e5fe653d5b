"""The replicated log alone: commands chosen per second, and what a command costs each replica."""

import dataclasses
import statistics
import tempfile

from . import bench_report, cluster, cpu, decisions, interrupts, repository, status
from .errors import HarnessError


# Of a row of the table: the name of each figure, its head, and how it is printed.
GROUP = {"replicas": ("replicas", "{}"), "clients": ("clients", "{}")}
FIGURES = {
    "rate": ("commands/s", "{:,.0f}"), "p50": ("p50, ms", "{:.2f}"), "p99": ("p99", "{:.2f}"),
    "leader_us": ("leader, µs CPU a command", "{:.0f}"), "follower_us": ("follower", "{:.0f}"),
    "per_flush": ("commands a flush", "{:.1f}"),
}


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
    """Measures and reports."""
    bench_report.publish(options, bench_report.make(options, [section(options)]))


def section(options):
    """The figures of each size of the group and each number of clients."""
    samples = {}
    for replicas in options.replicas:
        samples.update(_measure_group(replicas, options))
    return {
        "title": "The replicated log alone", "kind": "log", "figures": GROUP | FIGURES,
        "conditions": f"Aborts of transactions that nobody began, each one command of the log;"
                      f" {options.turns} turns of {options.log_seconds:g} s:"
                      " median (lowest to highest).",
        "rows": [{"replicas": replicas, "clients": clients, **summarize(runs)}
                 for (replicas, clients), runs in samples.items()],
    }


def summarize(samples):
    """For each figure (median, lowest, highest) of the samples."""
    columns = {name: [getattr(sample, name) for sample in samples] for name in FIGURES}
    return {name: (statistics.median(values), min(values), max(values))
            for name, values in columns.items()}


def _measure_group(replicas, options):
    directory = tempfile.mkdtemp(prefix="assent-bench-", dir="/tmp")
    made = cluster.up(directory, "bench", 0, repository.bin_directory(options), replicas=replicas)
    samples = {(replicas, clients): [] for clients in options.log_clients}
    try:
        for turn in range(1, options.turns + 1):
            for clients in options.log_clients:
                sample = _run_once(made, clients, options.log_seconds)
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
