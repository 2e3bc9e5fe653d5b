"""Everything that the ratios with goals need, in one run."""

from . import bench_report, log_bench, transfers_bench
from .errors import HarnessError

PARTS = (transfers_bench.two_databases, transfers_bench.many_databases, log_bench.section)


def run(options):
    """Measures and reports; when a part fails, what was measured before it."""
    sections = []
    try:
        for part in PARTS:
            sections.append(part(options))
    except HarnessError:
        options.write = None  # pages are of a whole run
        raise
    finally:
        if sections:
            bench_report.publish(options, bench_report.make(options, sections))
