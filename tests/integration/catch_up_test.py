"""The command integration/faults/catch_up, small."""

import subprocess
import unittest

import fixtures
from harness import repository


class CatchUp(unittest.TestCase):
    """One run, with a short log."""

    def test_a_replica_comes_back_by_a_snapshot(self):
        done = subprocess.run(
            [repository.ROOT / "integration" / "faults" / "catch_up", "--build-dir",
             fixtures.BUILD_DIRECTORY, "--decisions", "40000", "--snapshot-log-bytes", "65536",
             "--clients", "4"], capture_output=True, text=True, check=False)

        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        self.assertIn("PASSED", done.stdout)
        self.assertRegex(done.stdout, r"snapshots fetched +[1-9]")


if __name__ == "__main__":
    unittest.main()
