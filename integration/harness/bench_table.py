"""The figures of the benchmark for people: medians, with the lowest and the highest."""

import statistics

# Of a run: the name of each figure that is summarised, and how it is printed.
FIGURES = {
    "rate": "{:,.0f}", "p50": "{:.2f}", "p95": "{:.2f}", "p99": "{:.2f}", "p99_9": "{:.2f}",
    "cpu_us_postgres": "{:.0f}", "cpu_us_ours": "{:.0f}", "cpu_us_client": "{:.0f}",
    "cpu_us_all": "{:.0f}", "switches_all": "{:.1f}", "flushes": "{:.2f}",
    "commits_per_flush": "{:.1f}", "steal": "{:.0%}", "failed": "{:.0f}",
}
SPREAD = ("rate", "p50", "cpu_us_ours")  # printed with the lowest and the highest
HEAD = ["system", "clients", "transactions/s", "p50, ms", "p95", "p99", "p99.9",
        "CPU µs: PostgreSQL", "Assent", "client", "all", "switches", "flushes of the log",
        "commits a flush", "steal", "failed"]


def summarize(runs):
    """For each figure (median, lowest, highest), and the median of each process's part."""
    row = {name: spread([run[name] for run in runs]) for name in FIGURES}
    for parts in ("cpu_us", "switches"):
        row[parts] = {name: statistics.median(run[parts][name] for run in runs)
                      for name in runs[0][parts]}
    return row


def line(system, figures):
    """One run, in short."""
    return (f"{system.name}: {figures['rate']:,.0f}/s, p50 {figures['p50']:.2f} ms,"
            f" p99 {figures['p99']:.2f} ms, CPU {figures['cpu_us_all']:.0f} µs"
            f" (ours {figures['cpu_us_ours']:.0f}), steal {figures['steal']:.0%}")


def section_tables(section):
    """The lines of a section's tables, each with an empty line behind it."""
    if section["kind"] != "transfers":
        return [*plain_table(section["figures"], section["rows"]), ""]
    return [*table(section["rows"]), "", *parts_table(section["rows"]), ""]


def table(rows):
    """The lines of the main table, in Markdown."""
    return markdown(HEAD, [[row["system"], str(row["clients"]), *_cells(row)]
                            for row in sorted(rows, key=lambda row: row["clients"])])


def parts_table(rows):
    """The lines of the table of what each process takes."""
    names = list(dict.fromkeys(name for row in rows for name in row["cpu_us"]))
    head = ["CPU µs (switches) of each process", "clients", *names]
    return markdown(head, [
        [row["system"], str(row["clients"]),
         *(f"{row['cpu_us'][name]:.0f} ({row['switches'][name]:.1f})" if name in row["cpu_us"]
           else "" for name in names)]
        for row in sorted(rows, key=lambda row: row["clients"])])


def plain_table(figures, rows):
    """The lines of a table of the named figures: {name: (head, form)}."""
    return markdown([head for head, _ in figures.values()],
                    [[_cell(form, row[name]) for name, (_, form) in figures.items()]
                     for row in rows])


def ratios_table(ratios):
    """The lines of the table of ratios and their goals."""
    return markdown(["figure", "median (lowest to highest)", "goal", ""], [
        [each["name"], _cell(_form(each["value"][0]), each["value"]), each["goal"],
         "reached" if each["reached"] else "NOT REACHED"] for each in ratios])


def _cells(row):
    return [_cell(form, row[name] if name in SPREAD else row[name][0])
            for name, form in FIGURES.items()]


def _form(value):
    return "{:.2f}" if value < 100 else "{:,.0f}"


def _cell(form, value):
    """A number, or (median, lowest, highest); None: it is not known."""
    if value is None:
        return ""
    if isinstance(value, (list, tuple)):
        median, lowest, highest = (form.format(each) for each in value)
        return f"{median} ({lowest} to {highest})"
    return form.format(value)


def spread(values):
    """(median, lowest, highest)."""
    return statistics.median(values), min(values), max(values)


def markdown(head, rows):
    """The lines of a table."""
    return ["| " + " | ".join(cells) + " |" for cells in [head, ["---"] * len(head), *rows]]
