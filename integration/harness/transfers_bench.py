"""Transfers between databases: Assent beside the floor, in turns of one run."""

from . import bench_bed, bench_report, bench_run, bench_systems, bench_table, repository


def run(options):
    """Measures transfers between two databases, and reports."""
    bench_report.publish(options, bench_report.make(options, [two_databases(options)]))


def run_participants(options):
    """Measures transfers over 1 to 16 databases, and reports."""
    bench_report.publish(options, bench_report.make(options, [many_databases(options)]))


def two_databases(options):
    """The section of the systems that were asked for."""
    systems = [bench_systems.SYSTEMS[name] for name in options.systems]
    return _section(
        "Transfers between two databases", systems, options.clients, options,
        f"Two PostgreSQL servers, {bench_bed.ACCOUNTS:,} accounts in each database")


def many_databases(options):
    """The section of one-shots beside the floor with more and more participants."""
    systems = bench_systems.by_participants(options.participants)
    return _section(
        "Transfers over more and more databases", systems, options.participant_clients, options,
        f"Up to {max(options.participants)} databases, each with an agent, in {bench_bed.SERVERS}"
        " PostgreSQL servers; a transfer changes a row in each of the first N")


def _section(title, systems, clients, options, conditions):
    participants = max(system.participants for system in systems)
    with bench_bed.open_bed(repository.bin_directory(options), participants) as bed:
        for replicas in dict.fromkeys(system.replicas for system in systems):
            print(f"preparing {replicas} replicas" if replicas else "preparing the floor",
                  flush=True)
            bed.group(replicas)
        turns = _measure(bed, systems, clients, options)
    return {
        "title": title, "kind": "transfers",
        "conditions": f"{conditions}; {options.pairs} turns, {options.seconds:g} s each after"
                      f" {options.warm_up:g} s: median (lowest to highest); CPU, switches and"
                      " flushes are per transaction.",
        "rows": [{"system": name, "clients": count, **bench_table.summarize(runs), "runs": runs}
                 for (name, count), runs in turns.items()],
    }


def _measure(bed, systems, clients, options):
    """The figures of each run, by (system, clients), in the order of the turns."""
    turns = {}
    for turn in range(options.pairs):
        for count in clients:
            # Every other turn in the other order: what grows over a turn hits both ends alike.
            for system in systems if turn % 2 == 0 else reversed(systems):
                figures = bench_run.run(bed, system, count, options.seconds, options.warm_up,
                                        seed=turn + 1)
                print(f"turn {turn + 1}, {count} clients: {bench_table.line(system, figures)}",
                      flush=True)
                turns.setdefault((system.name, count), []).append(figures)
    return turns
