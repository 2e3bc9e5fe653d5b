"""A replica is replaced under load, with the programs of this build."""

import subprocess
import unittest

import fixtures
from harness import network, repository

PROGRAM = repository.ROOT / "integration" / "faults" / "replace_replica"


@unittest.skipUnless(network.is_permitted(), "network namespaces are not permitted here")
class ReplaceReplica(unittest.TestCase):
    """integration/faults/replace_replica, small."""

    def test_the_leader_is_replaced_and_no_money_is_lost(self):
        words = [PROGRAM, "--build-dir", fixtures.BUILD_DIRECTORY, "--clients", 4]
        done = subprocess.run([str(word) for word in words], stdin=subprocess.DEVNULL,
                              capture_output=True, text=True, timeout=280, check=False)

        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        self.assertIn("has caught up, and is a member", done.stdout)
        self.assertRegex(done.stdout, r"led and was cut off: .* had stepped down after")
        self.assertRegex(done.stdout, r"cuts of another replica meanwhile: [1-9]")
        self.assertRegex(done.stdout, r"longest time without a commit +[0-9,]+ ms")
        self.assertIn("PASSED", done.stdout)


if __name__ == "__main__":
    unittest.main()
