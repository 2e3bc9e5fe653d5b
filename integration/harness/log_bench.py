"""The replicated log alone: commands chosen per second, and what a command costs each replica.

Where etcd is installed its puts are measured beside a group of as many replicas, in the same turns.
"""

import contextlib
import dataclasses
import pathlib
import shutil
import statistics
import tempfile

from . import bench_report, cluster, cpu, decisions, etcd, interrupts, repository, status
from .errors import HarnessError


# Of a row of the table: the name of each figure, its head, and how it is printed.
GROUP = {"system": ("system", "{}"), "replicas": ("replicas", "{}"), "clients": ("clients", "{}")}
FIGURES = {
    "rate": ("commands/s", "{:,.0f}"), "p50": ("p50, ms", "{:.2f}"), "p99": ("p99", "{:.2f}"),
    "leader_us": ("leader, µs CPU a command", "{:.0f}"), "follower_us": ("follower", "{:.0f}"),
    "per_flush": ("commands a flush", "{:.1f}"),
}


@dataclasses.dataclass(frozen=True)
class Sample:
    """One run."""

    rate: float  # commands chosen, executed and answered, per second; of etcd puts
    p50: float  # ms, as the client sees it
    p99: float
    leader_us: float  # CPU of the leader for a command, with its clients' connections
    follower_us: float  # of the follower that used most; 0 without one
    per_flush: float  # commands for each flush of the leader's log; None: it does not tell


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
                      f" median (lowest to highest). {_about_etcd()}",
        "rows": [{"system": name(system, replicas), "replicas": replicas, "clients": clients,
                  **summarize(runs), "runs": [dataclasses.asdict(run) for run in runs]}
                 for (system, replicas, clients), runs in samples.items()],
    }


def name(system, replicas):
    """Of a row, among those of all sections."""
    return f"{system}-{replicas}"


def _about_etcd():
    if missing := etcd.missing():
        return f"Without etcd beside it: {' and '.join(missing)} are not installed."
    return (f"etcd: puts of {len(etcd.VALUE)} bytes under one key, sent to the leader by h2load;"
            " its latencies include the warm-up.")


def summarize(samples):
    """For each figure (median, lowest, highest) of the samples."""
    columns = {name: [getattr(sample, name) for sample in samples] for name in FIGURES}
    return {name: None if None in values else (statistics.median(values), min(values), max(values))
            for name, values in columns.items()}


def _measure_group(replicas, options):
    directory = tempfile.mkdtemp(prefix="assent-bench-", dir="/tmp")
    with _kept_up(cluster.up(directory, "bench", 0, repository.bin_directory(options),
                             replicas=replicas)) as made, _etcd_beside(replicas) as beside:
        runs = {"log": lambda clients: _run_once(made, clients, options.log_seconds)}
        if beside:
            runs["etcd"] = lambda clients: _put_once(beside, clients, options.log_seconds)
        samples = {(system, replicas, clients): [] for clients in options.log_clients
                   for system in runs}
        for turn in range(1, options.turns + 1):
            for clients in options.log_clients:
                for system, run_once in runs.items():
                    sample = run_once(clients)
                    print(f"{name(system, replicas)}, {clients} clients, turn {turn}:"
                          f" {sample.rate:,.0f} per second", flush=True)
                    samples[system, replicas, clients].append(sample)
    return samples


@contextlib.contextmanager
def _kept_up(made):
    """Stops it in good order at the end, or kills it when something fails."""
    try:
        yield made
        problems = made.down()
    except BaseException:
        with interrupts.ignored():
            made.abandon()
        raise
    if problems:
        raise HarnessError(" ".join(problems))


@contextlib.contextmanager
def _etcd_beside(replicas):
    """A group of etcd; None where there is none of so many nodes, or it is not installed."""
    if replicas != etcd.NODES or etcd.missing():
        yield None
        return
    directory = pathlib.Path(tempfile.mkdtemp(prefix="assent-bench-", dir="/tmp"))
    try:
        with _kept_up(etcd.Group(directory)) as group:
            yield group
    finally:
        shutil.rmtree(directory, ignore_errors=True)


def _put_once(group, clients, seconds):
    leader, meter = group.leader(), cpu.Meter(group.nodes)
    load = group.put(clients, seconds)
    puts = load.rate * (seconds + etcd.WARM_UP_SECONDS)
    used = meter.seconds()
    own = used.pop(leader.name)
    return Sample(rate=load.rate, p50=load.p50, p99=load.p99, leader_us=own / puts * 1e6,
                  follower_us=max(used.values()) / puts * 1e6, per_flush=None)


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
