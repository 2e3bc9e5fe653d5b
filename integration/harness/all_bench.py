"""Everything that the ratios with goals need, in one run."""

from . import bench_report, log_bench, transfers_bench


def run(options):
    """Measures and reports."""
    sections = [transfers_bench.two_databases(options), transfers_bench.many_databases(options),
                log_bench.section(options)]
    bench_report.publish(options, bench_report.make(options, sections))
