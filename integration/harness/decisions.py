"""Decisions without a transaction: commands of the replicated log, by `assent-bench decisions`."""

import json
import subprocess

from .errors import HarnessError

SECONDS_MAX = 3_600  # of a run that ends with its last decision


def run(made, clients, seconds=SECONDS_MAX, count=0):
    """Decides for that long, or so often if that is not 0; returns assent-bench's report."""
    path = made.directory / "decisions.json"
    coordinators = ",".join(each.address("client") for each in made.coordinators)
    done = subprocess.run(
        [str(word) for word in (
            made.bin_directory / "assent-bench", "decisions", "--coordinators", coordinators,
            "--clients", clients, "--seconds", seconds, "--count", count, "--json", path)],
        stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, check=False)
    if done.returncode != 0:
        raise HarnessError(f"assent-bench decisions failed with exit code {done.returncode}.")
    report = json.loads(path.read_text(encoding="utf-8"))
    if report["decided"] == 0 or report["decided"] < count:
        raise HarnessError(f"Only {report['decided']} were decided.")
    return report
