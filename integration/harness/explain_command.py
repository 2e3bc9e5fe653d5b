"""The command integration/explain: what `assentctl explain` says in situations made by real processes."""

import argparse
import difflib
import pathlib
import re
import sys
import tempfile

from . import cluster, interrupts, repository
from .bank_run import Steps
from .errors import HarnessError

GOLDEN = repository.ROOT / "tests" / "integration" / "explain"

DESCRIPTION = """\
Starts clusters, brings one transaction after the other into a situation that somebody on call may meet
(its client gone, a participant or the leader killed at a failpoint, a branch ended by hand, a standby
promoted, the coordinator restored …), and asks assentctl explain about it."""

EPILOG = """\
Exit code 0 only if each explanation is the one in tests/integration/explain, but for what changes from run
to run: ids, times, durations, ports, numbers of slots, offices, epochs and xids.
The programs must have failpoints: the presets dev and asan have them."""

# What changes from run to run, and what stands in its place.
VOLATILE = [
    (re.compile(r"assent:(\w+):[-0-9a-f]{53}:"), r"assent:\1:TRANSACTION:"),
    (re.compile(r"\b[-0-9a-f]{36}-[0-9a-f]{16}\b"), "TRANSACTION"),
    (re.compile(r"\d{4}-\d\d-\d\dT[\d:.]+Z"), "TIME"),
    (re.compile(r"127\.0\.0\.1:\d+"), "HOST:PORT"),
    (re.compile(r"\b(db\d)[/:]\d+\.\d+"), r"\1/E.A"),
    (re.compile(r"\b\d+(\.\d+)? (s|min|h)( \d+ (s|min))?\b"), "DURATION"),
    (re.compile(r"\b(slot|office|epoch|xid|replica) \d+"), r"\1 N"),
    (re.compile(r"(no (?:vote|answer) yet).*?(?=  |$)"), r"\1"),
    (re.compile(r", again in DURATION|, now"), ""),
    (re.compile(r"is told (again in DURATION|now)"), "is told again"),
    (re.compile(r"(does not answer: ).*?(?=\. |\.$|$)"), r"\1WHY"),
    (re.compile(r"(replica N has told what it has executed so far: ).*"), r"\1WHY"),
    (re.compile(r"(not reached: \w+: its (?:agent|database) does not answer: ).*"), r"\1WHY"),
]


def normalised(text):
    """The text without what changes: paragraphs on one line, two blanks between columns."""
    text = re.sub(r"\n {6}(?=\S)", " ", text)
    lines = []
    for line in text.splitlines():
        for pattern, stands in VOLATILE:
            line = pattern.sub(stands, line)
        lines.append(re.sub(r"(?<=\S) {2,}", "  ", line))
    return "\n".join(lines) + "\n"


def difference(name, text):
    """How an explanation differs from its golden one, as a diff; empty: it does not.

    Events of two processes within a few milliseconds may come in either order.
    """
    golden = (GOLDEN / f"{name}.txt").read_text(encoding="utf-8")
    if sorted(golden.splitlines()) == sorted(text.splitlines()):
        return ""
    return "\n".join(difflib.unified_diff(golden.splitlines(), text.splitlines(), f"{name}.txt",
                                          "now", lineterm=""))


def main(arguments):
    """Runs the command; returns its exit code."""
    parser = argparse.ArgumentParser(
        prog="integration/explain", description=DESCRIPTION, epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--show", action="store_true", help="print each explanation as it is told")
    parser.add_argument("--write", action="store_true",
                        help="write the explanations that are kept, instead of comparing with them")
    repository.add_build_options(parser, "dev")
    options = parser.parse_args(arguments)
    interrupts.raise_on_signals()
    try:
        return _run(options)
    except HarnessError as error:
        print(f"explain: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("explain: interrupted; nothing is left of it", file=sys.stderr)
        return 130


def _run(options):
    steps = Steps()
    steps.say("packages and programs")
    repository.build_programs(options)
    from . import explain_scenes  # noqa: PLC0415 (needs packages, which are there by now)
    bin_directory = repository.bin_directory(options)
    with tempfile.TemporaryDirectory(prefix="assent-explain-", dir="/tmp") as directory:
        pathlib.Path(directory).chmod(0o755)
        made = cluster.up(pathlib.Path(directory, "group"), "local", 2, bin_directory, replicas=3)
        try:
            differ = [_take(options, *scene)
                      for scene in explain_scenes.Scenes(made, steps.say).all()]
        finally:
            with interrupts.ignored():
                made.abandon()
        differ += [_take(options, *scene) for scene in
                   explain_scenes.alone(pathlib.Path(directory), bin_directory, steps.say)]
    count, bad = len(differ), sum(differ)
    print(f"\n{'FAILED' if bad else 'PASSED'}: {count - bad} of {count} explanations are as they are kept")
    return 1 if bad else 0


def _take(options, name, text):
    """True when the explanation is not the one that is kept."""
    if options.show:
        print(f"\n{text}", flush=True)
    text = normalised(text)
    if options.write:
        GOLDEN.mkdir(exist_ok=True)
        (GOLDEN / f"{name}.txt").write_text(text, encoding="utf-8")
    found = difference(name, text)
    if found:
        print(found, flush=True)
    return bool(found)
