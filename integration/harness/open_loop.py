"""One-shots sent at a steady rate, answered or not: `assent-bench crowd --rate`, as a context."""

import contextlib
import json
import subprocess

from . import processes
from .errors import HarnessError

CONNECTIONS = 32
END_SECONDS = 60  # after the last one was sent
TIMEOUT_MS = 10_000  # for the votes, as the client library has it


class OpenLoop:
    """The program while it runs; use started()."""

    def __init__(self, process, report, seconds):
        self._process = process
        self._report = report
        self._seconds = seconds

    def is_running(self):
        """True until the last transaction is answered."""
        return self._process.poll() is None

    def wait(self):
        """Waits for its end and returns its report, of which write_json() in report.h tells."""
        try:
            code = self._process.wait(self._seconds + END_SECONDS)
        except subprocess.TimeoutExpired:
            raise HarnessError("assent-bench crowd does not end.") from None
        if code != 0:
            raise HarnessError(f"assent-bench crowd failed with exit code {code}.")
        return json.loads(self._report.read_text(encoding="utf-8"))


@contextlib.contextmanager
def started(made, participants, accounts, rate, seconds):
    """Sends transfers over these databases of a cluster, so many a second and for so long."""
    report = made.directory / "crowd.json"
    command = [made.bin_directory / "assent-bench", "crowd",
               "--coordinators", made.leader().address("client"),
               "--participants", ",".join(participants),
               "--accounts", accounts, "--connections", CONNECTIONS,
               "--rate", rate, "--transactions", max(int(rate * seconds), 1),
               "--timeout", TIMEOUT_MS, "--json", report]
    process = subprocess.Popen(
        [str(word) for word in command], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
        cwd="/", env=processes.clean_environment(), start_new_session=True)
    try:
        yield OpenLoop(process, report, seconds)
    finally:
        process.kill()
        process.wait()
