"""integration/faults: commands that crash what runs and measure what was in doubt, small."""

import re
import subprocess
import unittest

import fixtures
from harness import agent_steps_command, leader_steps_command, repository

FAULTS = repository.ROOT / "integration" / "faults"


class CrashCommand(unittest.TestCase):
    """A run of one of them with the programs of this build."""

    def run_command(self, name, *options):
        words = [FAULTS / name, "--build-dir", fixtures.BUILD_DIRECTORY, *options]
        return subprocess.run([str(word) for word in words], stdin=subprocess.DEVNULL,
                              capture_output=True, text=True, timeout=220, check=False)

    def assert_passed(self, done):
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        self.assertIn("PASSED", done.stdout)

    def assert_failed(self, done, why):
        self.assertEqual(done.returncode, 1, done.stdout + done.stderr)
        self.assertIn(why, done.stdout)
        kept = done.stdout.rpartition("kept in ")[2].strip()
        subprocess.run([repository.ROOT / "integration" / "cluster", "down", "--dir", kept],
                       stdin=subprocess.DEVNULL, capture_output=True, check=False)


class EverythingKilled(CrashCommand):
    """Every process dies at once."""

    # How long it may take is measured elsewhere: here others use the machine as well.
    def test_everything_dies_twice_and_no_money_is_lost(self):
        done = self.run_command("everything_killed", "--rounds", 2, "--clients", 8,
                                "--settle-max", 25_000)

        self.assert_passed(done)
        self.assertEqual(done.stdout.count("branches in doubt"), 2, done.stdout)
        self.assertRegex(done.stdout, r"agents enrolled [+-][0-9,]+ ms")

    def test_a_branch_that_stays_too_long_is_a_failure(self):
        done = self.run_command("everything_killed", "--rounds", 1, "--clients", 8,
                                "--settle-max", -60_000)

        self.assert_failed(done, "the longest took")


class PostgresKilled(CrashCommand):
    """A PostgreSQL server dies."""

    def test_each_server_dies_and_no_money_is_lost(self):
        done = self.run_command("postgres_killed", "--rounds", 2, "--clients", 8,
                                "--settle-max", 25_000)

        self.assert_passed(done)
        for name in ("postgres-db1", "postgres-db2"):
            self.assertIn(f"{name} took connections", done.stdout)


class OrphanPrepare(CrashCommand):
    """A PREPARE lies in a stopped backend's socket, and its agent is replaced."""

    def test_it_goes_on_after_the_new_agent_serves_and_before(self):
        done = self.run_command("orphan_prepare", "--rounds", 2, "--settle-max", 25_000)

        self.assert_passed(done)
        for when in ("after", "before"):
            self.assertIn(f"went on {when} the new agent served", done.stdout)


class LeaderSteps(CrashCommand):
    """The leader dies between two steps of the protocol."""

    def test_every_client_is_told_one_outcome_for_ever(self):
        done = self.run_command("leader_steps", "--quick", "--in-doubt-max", 30_000)

        self.assert_passed(done)
        for kind, path in leader_steps_command.QUICK:
            self.assertRegex(done.stdout, rf"\n{kind} +{re.escape(path)} +(committed|aborted) ")

    def test_a_branch_that_is_in_doubt_for_too_long_is_a_failure(self):
        done = self.run_command("leader_steps", "--only", "interactive leader.decision.executed",
                                "--in-doubt-max", -1)

        self.assert_failed(done, "a branch was in doubt for")


class AgentSteps(CrashCommand):
    """An agent dies between two steps of the protocol."""

    def test_every_client_is_told_one_outcome_for_ever(self):
        done = self.run_command("agent_steps", "--quick", "--in-doubt-max", 30_000)

        self.assert_passed(done)
        for kind, path in agent_steps_command.QUICK:
            self.assertRegex(done.stdout, rf"\n{kind} +{re.escape(path)} +(committed|aborted) ")


class EndedByHand(CrashCommand):
    """Somebody ends a prepared branch against the decision."""

    def test_every_leader_tells_it_until_it_is_forgotten(self):
        done = self.run_command("by_hand")

        self.assert_passed(done)
        self.assertEqual(done.stdout.count("ROLLBACK PREPARED"), 2, done.stdout)
        self.assertEqual(done.stdout.count("COMMIT PREPARED"), 2, done.stdout)


class TwoAgents(CrashCommand):
    """Two agents of one database, and one that has no coordinator."""

    def test_one_too_many_leaves_and_one_without_a_coordinator_waits(self):
        done = self.run_command("two_agents", "--pause", 3, "--displaced-wait", 4_000)

        self.assert_passed(done)
        self.assertEqual(done.stdout.count("exit code 3"), 6, done.stdout)
        self.assertEqual(done.stdout.count("exit code 1"), 2, done.stdout)

    def test_a_wait_that_is_shorter_than_a_silence_is_refused(self):
        done = self.run_command("two_agents", "--displaced-wait", 1_000)

        self.assertEqual(done.returncode, 2, done.stderr)


class Promotion(CrashCommand):
    """A server dies, and its standby takes its place."""

    # A branch whose confirmation was on its way is known to have committed by its outcome row.
    def test_a_synchronous_standby_loses_nothing(self):
        done = self.run_command("promotion", "--rounds", 2, "--clients", 8, "--settle-max", 25_000,
                                "--hazards-max", 0)

        self.assert_passed(done)
        self.assertEqual(done.stdout.count("took the place"), 2, done.stdout)

    def test_what_a_lagging_standby_has_lost_is_told(self):
        done = self.run_command("promotion", "--how", "lagging", "--rounds", 2, "--clients", 8,
                                "--settle-max", 25_000)

        self.assert_passed(done)
        self.assertRegex(done.stdout, "branches told to be lost +[1-9]")


class RestoredDatabase(CrashCommand):
    """An old base backup takes a server's place."""

    # The third time a server is restored whose first restored life has come and gone.
    def test_what_a_backup_has_lost_is_told(self):
        done = self.run_command("promotion", "--how", "restored", "--rounds", 3, "--clients", 8,
                                "--settle-max", 25_000)

        self.assert_passed(done)
        self.assertRegex(done.stdout, "branches told to be lost +[1-9]")


if __name__ == "__main__":
    unittest.main()
