"""Our tool for operators, as a cluster's operator would call it."""

import json
import subprocess

from . import processes
from .errors import HarnessError

SECONDS = 60


def run(cluster, *words):
    """What a command that must succeed prints."""
    done = _call(cluster, *words)
    if done.returncode != 0:
        raise HarnessError(f"assentctl {' '.join(map(str, words))} ended with exit code"
                           f" {done.returncode}: {done.stderr.strip()}")
    return done.stdout


def heuristics(cluster):
    """What `assentctl heuristic list` tells, by transaction; its exit code must agree."""
    done = _call(cluster, "heuristic", "list", "--json")
    try:
        told = json.loads(done.stdout)["heuristics"]
    except (ValueError, KeyError):
        raise HarnessError(f"assentctl heuristic list: {done.stderr.strip()}") from None
    if (done.returncode != 0) != bool(told):
        raise HarnessError(f"assentctl heuristic list ended with exit code {done.returncode} and told"
                           f" of {len(told)} transactions.")
    return {each["transaction"]: each for each in told}


def forget_heuristic(cluster, transaction, reason):
    """`assentctl heuristic forget`."""
    run(cluster, "heuristic", "forget", transaction, "--reason", reason)


def _call(cluster, *words):
    ports = [word for each in cluster.coordinators if each.is_running()
             for word in ("--at", each.address("admin"))]
    command = [cluster.bin_directory / "assentctl", *words, *ports]
    return subprocess.run([str(word) for word in command], stdin=subprocess.DEVNULL,
                          capture_output=True, text=True, timeout=SECONDS, check=False,
                          env=processes.clean_environment())
