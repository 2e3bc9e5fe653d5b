"""The leader dies under load a few times, with the programs of this build."""

import subprocess
import unittest

import fixtures
from harness import leader_kills_command as command
from harness import repository

PROGRAM = repository.ROOT / "integration" / "faults" / "leader_kills"


class LeaderKills(unittest.TestCase):
    """integration/faults/leader_kills, small."""

    def run_command(self, *options):
        words = [PROGRAM, "--build-dir", fixtures.BUILD_DIRECTORY, "--clients", 4, *options]
        return subprocess.run([str(word) for word in words], stdin=subprocess.DEVNULL,
                              capture_output=True, text=True, timeout=220, check=False)

    def test_three_leaders_die_and_no_money_is_lost(self):
        # What a gap may have is measured elsewhere: here others use the machine as well.
        done = self.run_command("--kills", 3, "--gap-max", 30_000)

        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        self.assertEqual(done.stdout.count("commits went on after"), 3, done.stdout)
        self.assertRegex(done.stdout, r"gap, p99 +[0-9,]+ ms")
        self.assertIn("PASSED", done.stdout)

    def test_a_gap_that_is_too_long_is_a_failure(self):
        done = self.run_command("--kills", 1, "--gap-max", 1)

        self.assertEqual(done.returncode, 1, done.stdout + done.stderr)
        self.assertIn("the most allowed is 1 ms", done.stdout)
        kept = done.stdout.rpartition("kept in ")[2].strip()
        subprocess.run([repository.ROOT / "integration" / "cluster", "down", "--dir", kept],
                       stdin=subprocess.DEVNULL, capture_output=True, check=False)


class Gaps(unittest.TestCase):
    """How long commits stood still after a kill."""

    def test_answers_that_were_on_their_way_end_no_gap(self):
        stalls = [(9.0, 9.1), (10.002, 10.6), (10.7, 10.8)]

        self.assertAlmostEqual(command.gap_ms(stalls, killed=10.0, ended=12.0), 598)

    def test_a_stall_that_began_before_the_kill_counts_from_the_kill(self):
        stalls = [(9.97, 10.05)]

        self.assertAlmostEqual(command.gap_ms(stalls, killed=10.0, ended=12.0), 50)

    def test_a_hiccup_long_after_commits_went_on_is_no_end_of_the_gap(self):
        stalls = [(10.0, 10.04), (10.8, 10.85)]

        self.assertAlmostEqual(command.gap_ms(stalls, killed=10.0, ended=12.0), 50)

    def test_a_stall_after_the_next_kill_is_of_that_one(self):
        stalls = [(10.002, 10.3), (12.5, 14.0)]

        self.assertAlmostEqual(command.gap_ms(stalls, killed=10.0, ended=12.0), 298)

    def test_without_a_stall_the_gap_is_below_what_counts_as_one(self):
        self.assertEqual(command.gap_ms([(9.0, 9.5)], killed=10.0, ended=12.0), command.STALL_MS)

    def test_percentiles_are_of_the_nearest_rank(self):
        self.assertEqual(command.percentile([3, 1, 2], 50), 2)
        self.assertEqual(command.percentile(list(range(1, 21)), 99), 20)
        self.assertEqual(command.percentile([5], 99), 5)


if __name__ == "__main__":
    unittest.main()
