"""The demo in small, with the programs of this build: whatever is killed, no money is lost."""

import pathlib
import re
import subprocess
import unittest

import fixtures
from harness import repository

COMMAND = repository.ROOT / "integration" / "demo"


class _Demo(unittest.TestCase):
    victim = ""

    def run_demo(self, *options):
        command = [COMMAND, "--seconds", "4", "--kill", self.victim,
                   "--build-dir", fixtures.BUILD_DIRECTORY, *options]
        return subprocess.run([str(word) for word in command], stdin=subprocess.DEVNULL,
                              capture_output=True, text=True, timeout=200, check=False)

    def check_money_is_safe(self, *options):
        """Returns what the demo has printed."""
        done = self.run_demo("--min-commits", "100", *options)

        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        self.assertIn("PASSED", done.stdout)
        directory = re.search(r"a cluster in (\S+)", done.stdout)[1]
        self.assertFalse(pathlib.Path(directory).exists())
        self.assertEqual(fixtures.processes_of(directory), [])
        return done.stdout


class LeaderKilled(_Demo):
    """--kill leader"""

    victim = "leader"

    def test_money_is_safe(self):
        output = self.check_money_is_safe()

        self.assertRegex(output, r"kill -9 coordinator-\d, the leader")
        self.assertRegex(output, r"commits stood still for +[0-9,]+ ms")
        self.assertRegex(output, r"replicas equal again +[0-9,]+ ")

    def test_a_group_of_one_loses_none_either(self):
        self.check_money_is_safe("--replicas", "1")

    def test_too_few_commits_are_a_failure(self):
        done = self.run_demo("--min-commits", "100000000")

        self.assertEqual(done.returncode, 1, done.stdout + done.stderr)
        self.assertIn("transactions committed, expected 100000000", done.stdout)
        self._remove_what_was_kept(done.stdout)

    def _remove_what_was_kept(self, output):
        kept = pathlib.Path(output.rpartition("kept in ")[2].strip())
        for replica in (1, 2, 3):
            self.assertTrue((kept / f"coordinator-{replica}" / "log").exists())
        self.assertEqual(fixtures.processes_of(kept), [])
        subprocess.run([repository.ROOT / "integration" / "cluster", "down", "--dir", kept],
                       stdin=subprocess.DEVNULL, capture_output=True, check=False)


class FollowerKilled(_Demo):
    """--kill follower"""

    victim = "follower"

    def test_money_is_safe(self):
        self.check_money_is_safe()


class AgentKilled(_Demo):
    """--kill agent"""

    victim = "agent"

    def test_money_is_safe(self):
        self.check_money_is_safe()


class PostgresKilled(_Demo):
    """--kill postgres"""

    victim = "postgres"

    def test_money_is_safe(self):
        self.check_money_is_safe()


class OneShotsLeaderKilled(_Demo):
    """--one-shot --kill leader"""

    victim = "leader"

    def test_money_is_safe(self):
        output = self.check_money_is_safe("--one-shot")

        self.assertRegex(output, r"transactions +one-shot")
        self.assertRegex(output, r"latency p50 +[0-9.]+ ms")
        self.assertRegex(output, r"latency p99 +[0-9.]+ ms")


if __name__ == "__main__":
    unittest.main()
