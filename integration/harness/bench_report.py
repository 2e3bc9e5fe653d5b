"""A report of the benchmark: its sections and ratios, printed and written as was asked."""

import json
import time

from . import bench_page, bench_ratios, bench_table, machine, repository


def make(options, sections):
    """The report of some sections; their runs, from which the ratios are, stay in it."""
    turns = {(row["system"], row["clients"]): row["runs"]
             for section in sections for row in section["rows"] if "runs" in row}
    bin_directory = repository.bin_directory(options)
    return {"date": time.strftime("%Y-%m-%d"), "machine": machine.describe(),
            "build": machine.describe_build(bin_directory), "load": options.load, "sections": sections,
            "ratios": bench_ratios.of(turns)}


def publish(options, report):
    """Prints it, and writes the files that were asked for."""
    print(f"\n{report['build']}; {report['machine']}; {report['date']};"
          f" load average before it {report['load']:.1f}")
    for section in report["sections"]:
        print(f"\n{section['title']}. {section['conditions']}\n")
        print("\n".join(bench_table.section_tables(section)))
    if report["ratios"]:
        print("\n".join(bench_table.ratios_table(report["ratios"])))
    if options.json:
        options.json.write_text(json.dumps(report, indent=2) + "\n", encoding="utf-8")
    if options.write:
        bench_page.write(report, options.write)
