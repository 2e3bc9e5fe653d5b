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


def told(cluster, *words):
    """What a command tells machines, whatever its exit code says of the cluster."""
    done = _call(cluster, *words, "--json")
    try:
        return json.loads(done.stdout)
    except ValueError:
        raise HarnessError(f"assentctl {' '.join(map(str, words))}: {done.stderr.strip()}") from None


def told_lines(cluster, *words):
    """As told(), of a command that tells one object a line."""
    return [json.loads(line) for line in _call(cluster, *words, "--json").stdout.splitlines()]


def told_at(replicas, cluster, *words):
    """As told(), when only these replicas are named."""
    return json.loads(_run(_command(cluster, replicas, *words, "--json")).stdout)


def said(cluster, *words):
    """What a command prints for people, whatever its exit code says of the cluster."""
    return _call(cluster, *words).stdout


def code(cluster, *words):
    """A command's exit code."""
    return _call(cluster, *words).returncode


def alone(cluster, *words):
    """A command that asks no replica, and must succeed."""
    done = _run([cluster.bin_directory / "assentctl", *words])
    if done.returncode != 0:
        raise HarnessError(f"assentctl {' '.join(map(str, words))}: {done.stderr.strip()}")


def _call(cluster, *words):
    return _run(_command(cluster, [each for each in cluster.coordinators if each.is_running()], *words))


def _command(cluster, replicas, *words):
    ports = [word for each in replicas for word in ("--at", each.address("admin"))]
    return [cluster.bin_directory / "assentctl", *words, *ports]


def _run(command):
    return subprocess.run([str(word) for word in command], stdin=subprocess.DEVNULL,
                          capture_output=True, text=True, timeout=SECONDS, check=False,
                          env=processes.clean_environment())
