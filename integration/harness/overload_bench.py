"""Three times the load that it can carry: what still commits, and how the rest is refused."""

import statistics

from . import bench_bed, bench_report, bench_run, bench_systems, bench_table, open_loop, repository

LOAD = 3  # times the peak
GOODPUT_MIN = 0.8  # of the peak
# Reasons after which the same work may succeed in a new transaction.
RETRYABLE = ("OVERLOADED", "SQL 40001", "SQL 40P01")
# Of a turn: the name of each figure, its head, and how it is printed.
FIGURES = {
    "peak": ("peak, transactions/s", "{:,.0f}"), "sent": ("sent/s", "{:,.0f}"),
    "goodput": ("committed/s", "{:,.0f}"), "ratio": ("against the peak", "{:.2f}"),
    "commit_p50": ("commit p50, ms", "{:,.0f}"), "commit_p99": ("p99", "{:,.0f}"),
    "refused": ("refused", "{:.0%}"), "refusal_p50": ("refusal p50, ms", "{:,.1f}"),
    "refusal_p99": ("p99", "{:,.1f}"), "other": ("failed otherwise", "{:.2%}"),
}


def run(options):
    """Measures and reports."""
    system = bench_systems.SYSTEMS["one-shot-applied"]
    turns = []
    with bench_bed.open_bed(repository.bin_directory(options)) as bed:
        bed.group(system.replicas)
        for turn in range(options.pairs):
            turns.append(_turn(bed, system, options, turn))
            print("; ".join(f"{head} {form.format(turns[-1][name])}"
                            for name, (head, form) in FIGURES.items()), turns[-1]["reasons"],
                  flush=True)
    bench_report.publish(options, bench_report.make(options, [_section(turns, options)]))


def _turn(bed, system, options, turn):
    group = bed.group(system.replicas)
    peak = bench_run.run(bed, system, options.peak_clients, options.seconds, options.warm_up,
                         turn + 1)["rate"]
    bed.checkpoint()
    with open_loop.started(group.made, group.participants, bench_bed.ACCOUNTS,
                           LOAD * peak, options.seconds) as load:
        report = load.wait()
    bed.settle(group)
    return figures(peak, report)


def figures(peak, report):
    """Of one turn, from the peak and the report of the open loop."""
    goodput = report["committed_in_time"] / report["sending_seconds"]
    retryable = sum(report["reasons"].get(reason, 0) for reason in RETRYABLE)
    failed = sum(report["reasons"].values())
    return {
        "peak": peak, "sent": report["transactions"] / report["sending_seconds"],
        "goodput": goodput, "ratio": goodput / peak,
        "commit_p50": report["commit_ms"]["p50"], "commit_p99": report["commit_ms"]["p99"],
        "refused": retryable / report["transactions"],
        "refusal_p50": report["refusal_ms"]["p50"], "refusal_p99": report["refusal_ms"]["p99"],
        "other": (failed - retryable) / report["transactions"], "reasons": report["reasons"],
    }


def _section(turns, options):
    summary = {name: bench_table.spread([turn[name] for turn in turns]) for name in FIGURES}
    ratio = statistics.median(turn["ratio"] for turn in turns)
    return {
        "title": f"{LOAD} times the load that it can carry", "kind": "overload", "figures": FIGURES,
        "conditions": f"One-shots sent at {LOAD} times the rate that {options.peak_clients} clients"
                      f" reached just before, over {open_loop.CONNECTIONS} connections;"
                      f" {options.pairs} turns of {options.seconds:g} s; what was refused may be"
                      " tried again at once. Goal: at least"
                      f" {GOODPUT_MIN:g} of the peak: "
                      f"{'reached' if ratio >= GOODPUT_MIN else 'NOT REACHED'}.",
        "rows": [{**summary, "turns": turns}],
    }
