"""The pages that `integration/bench --write` leaves behind: all of them follow from the JSON file."""

import json
import pathlib

from . import bench_table, repository, svg

JSON, PAGE, CHART = "figures.json", "README.md", "figures.svg"
README = repository.ROOT / "README.md"
BEGIN, END = "<!-- figures: integration/bench --write -->", "<!-- end of figures -->"

# The lines of the chart: the systems that people compare.
LINES = {
    "floor-unix": "floor (bare libpq, no log), unix sockets",
    "floor-steps-unix": "floor, a round trip per statement, unix sockets",
    "floor-log-unix": "floor with a local log, unix sockets",
    "one-shot-applied": "Assent, 3 replicas, one-shot, APPLIED",
    "one-shot-decided": "Assent, 3 replicas, one-shot, DECIDED",
    "interactive-applied": "Assent, 3 replicas, interactive, APPLIED",
}
PANELS = {
    "rate": ("Throughput", "transactions/s"),
    "p50": ("Latency, median", "ms"),
    "cpu_us_all": ("CPU of the whole machine", "µs per transaction"),
}
README_HEAD = ["system", "clients", "transactions/s", "p50, ms", "p99, ms", "CPU µs, all",
               "of that Assent"]
README_CLIENTS = (1, 32)


def write(report, directory):
    """Writes figures, page and chart into the directory, and the table into the README."""
    directory = pathlib.Path(directory)
    directory.mkdir(parents=True, exist_ok=True)
    report = without_runs(report)
    (directory / JSON).write_text(json.dumps(report, indent=1) + "\n", encoding="utf-8")
    (directory / PAGE).write_text(page(report), encoding="utf-8")
    (directory / CHART).write_text(chart(report), encoding="utf-8")
    text = README.read_text(encoding="utf-8")
    README.write_text(with_table(text, report), encoding="utf-8")


def without_runs(report):
    """The report with what is printed of it; `--json` has each run."""
    sections = [{**section, "rows": [{name: value for name, value in row.items() if name != "runs"}
                                     for row in section["rows"]]}
                for section in report["sections"]]
    return json.loads(json.dumps({**report, "sections": sections}))


def page(report):
    """The text of the page."""
    lines = [
        "# What Assent costs", "",
        "Written by `integration/bench --write docs/benchmarks`; the figures are also in"
        f" [{JSON}]({JSON}), what was not reached and why in [reasons.md](reasons.md),"
        " what is measured and how in [method.md](method.md).", "", *_origin(report), "",
        f"![throughput, latency and CPU over the number of clients]({CHART})", "",
        "## Ratios and their goals", "", *bench_table.ratios_table(report["ratios"]), ""]
    for section in report["sections"]:
        lines += [f"## {section['title']}", "", section["conditions"], "",
                  *bench_table.section_tables(section)]
    return "\n".join(lines)


def chart(report):
    """The text of the SVG file."""
    rows = report["sections"][0]["rows"]
    return svg.charts([
        {"title": title, "x": "clients", "y": unit,
         "lines": {words: _points(rows, name, figure) for name, words in LINES.items()
                   if _points(rows, name, figure)}}
        for figure, (title, unit) in PANELS.items()])


def with_table(readme, report):
    """The README's text with the table of this report in the place of the last one."""
    before, _, rest = readme.partition(BEGIN)
    _, _, after = rest.partition(END)
    return before + "\n".join([BEGIN, *readme_part(report), END]) + after


def readme_part(report):
    """The lines between the marks."""
    rows = [row for row in report["sections"][0]["rows"]
            if row["system"] in LINES and row["clients"] in README_CLIENTS]
    table = [[LINES[row["system"]], str(row["clients"]), f"{row['rate'][0]:,.0f}",
              f"{row['p50'][0]:.2f}", f"{row['p99'][0]:.2f}", f"{row['cpu_us_all'][0]:.0f}",
              f"{row['cpu_us_ours'][0]:.0f}"]
             for row in sorted(rows, key=lambda row: row["clients"])]
    return [*_origin(report), "", *bench_table.markdown(README_HEAD, table), "",
            *bench_table.ratios_table(report["ratios"])]


def _origin(report):
    load = f"load average {report['load']:.1f}" if "load" in report else "others at work"
    return [f"Measured on {report['date']}, {report['build']}, everything on one machine:"
            f" {report['machine']}; before it {load}."]


def _points(rows, system, figure):
    return [(row["clients"], *row[figure]) for row in rows if row["system"] == system]
