"""The program assent-bench while it runs: its progress, line by line, and its result."""

import dataclasses
import json
import re
import subprocess
import threading
import time

from . import processes, waiting
from .errors import HarnessError

RUN_SECONDS = 86_400  # of a workload that is told to end
WORK_SECONDS = 60  # within which commits must flow
PROGRESS_MS = 100

PROGRESS = re.compile(r"^ *[0-9.]+ s +(\d+) committed")
STALL = re.compile(r"^stall from ([0-9.]+) to ([0-9.]+)")


@dataclasses.dataclass(frozen=True)
class Result:
    """What assent-bench has counted; times in milliseconds unless the name says otherwise."""

    committed: int
    aborted: int
    unknown: int
    heuristic: int  # of which a branch was ended by somebody else, as clients were told
    seconds: float
    latency_p50: float
    latency_p99: float
    longest_gap: float
    commits_per_flush: float
    unknown_resolved: dict  # of the unknown, asked for after the run: by what they had become
    errors: dict  # that clients were given and went on after: by code


class Workload:
    """Transfers by several clients, from construction until wait() or stop().

    A thread reads the progress lines, prints them if `show` is set, and keeps their latest counts.
    """

    def __init__(self, command, report, show=True):
        self._report = report
        self._show = show
        # Times without a commit, as (beginning, end) in time.monotonic(); with --stalls.
        self.stalls = []
        self._begun = time.monotonic()
        self._committed_at = 0.0
        self._counts = [0, 0]  # committed, as the last two progress lines say
        self._process = subprocess.Popen(
            [str(word) for word in [*command, "--progress", "--json", report]],
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True, cwd="/",
            env=processes.clean_environment(), start_new_session=True)
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def elapsed(self):
        """Seconds since it began."""
        return time.monotonic() - self._begun

    def is_at_work(self):
        """True when the last progress line shows more commits than the one before."""
        before, now = self._counts
        return now > before

    def committed_at(self):
        """When the last progress line came that showed new commits, in time.monotonic()."""
        return self._committed_at

    def wait_for_commits(self, seconds=WORK_SECONDS):
        """Returns when there are commits of now, and not only answers that were on their way.

        Precondition: it was started to tell its progress every PROGRESS_MS.
        """
        # The progress line after the next one speaks of commits from now on only.
        since = time.monotonic() + 2 * PROGRESS_MS / 1000
        waiting.until(lambda: self.committed_at() > since or not self.is_running(), seconds,
                      "commits")
        if not self.is_running():
            raise HarnessError("The workload ended too early.")

    def is_running(self):
        """True until its end."""
        return self._process.poll() is None

    def end(self, seconds=WORK_SECONDS):
        """Lets it finish what is under way, and returns its Result."""
        self._process.terminate()
        return self.wait(seconds)

    def wait(self, seconds):
        """Waits for its end and returns its Result."""
        try:
            code = self._process.wait(seconds)
        except subprocess.TimeoutExpired:
            self.stop()
            raise HarnessError(f"The workload did not end within {seconds:g} s.") from None
        self._close()
        if code != 0:
            raise HarnessError(f"The workload failed with exit code {code}.")
        return self._read_report()

    def stop(self):
        """Ends it, whatever it does."""
        self._process.kill()
        self._process.wait()
        self._close()

    def _close(self):
        self._reader.join()
        self._process.stdout.close()

    def _read(self):
        for line in self._process.stdout:
            if found := PROGRESS.match(line):
                self._counts = [self._counts[1], int(found[1])]
                if self.is_at_work():
                    self._committed_at = time.monotonic()
                if self._show:
                    print(f"  {line.rstrip()}", flush=True)
            elif found := STALL.match(line):
                self.stalls.append((float(found[1]), float(found[2])))

    def _read_report(self):
        try:
            report = json.loads(self._report.read_text(encoding="utf-8"))
            return Result(
                committed=report["committed"],
                aborted=report["aborted"],
                unknown=report["unknown"],
                heuristic=report["heuristic"],
                seconds=report["seconds"],
                latency_p50=report["latency_ms"]["p50"],
                latency_p99=report["latency_ms"]["p99"],
                longest_gap=report["longest_gap_ms"],
                commits_per_flush=report["commits_per_flush"],
                unknown_resolved=report["unknown_resolved"],
                errors=report["errors"],
            )
        except (OSError, ValueError, KeyError) as error:
            raise HarnessError(f"The workload's report is not whole: {error}.") from None
