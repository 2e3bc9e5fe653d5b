"""The verbs of assentctl as a program would call them: each answer has the shape that the page promises."""

import json
import subprocess

import fixtures
import shapes

GOOD, PROBLEM, USAGE = 0, 1, 2  # exit codes of assentctl
SHAPES = shapes.promised()
SECONDS = 120


def name_of(words):
    """The verb that a command line begins with: "replica add" of "replica add 4 …"."""
    known = [" ".join(words[:length]) for length in (2, 1)
             if all(isinstance(word, str) for word in words[:length])]
    return next(verb for verb in known if verb in SHAPES)


def call(*words):
    """(what is told, exit code) of a verb that tells one object."""
    done = run(*words)
    told = json.loads(done.stdout)
    check(name_of(words), told)
    return told, done.returncode


def call_at(cluster, *words):
    """As call(), of a verb that asks replicas: all of the cluster's are named."""
    at = [word for each in cluster.coordinators for word in ("--at", each.address("admin"))]
    return call(*words, *at)


def run(*words):
    """A verb, told to be read by machines."""
    command = [fixtures.BUILD_DIRECTORY / "bin" / "assentctl", *words, "--json"]
    return subprocess.run([str(word) for word in command], stdin=subprocess.DEVNULL,
                          capture_output=True, text=True, timeout=SECONDS, check=False)


def check(verb, told):
    """An error has the one shape that all errors have."""
    shape = {"error": {"code": "string", "message": "string"}} if "error" in told else SHAPES[verb]
    found = shapes.differences(shape, told)
    if found:
        raise AssertionError(f"assentctl {verb}: {'; '.join(found)}")
