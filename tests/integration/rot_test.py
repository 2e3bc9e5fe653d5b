"""A bit that rots in a replica's log: it is found at the next start, and the others repair it."""

import json
import unittest

import shapes
import verbs
from bank_fixture import BankTest
from harness import decisions, status, waiting

PROBLEM = 1  # exit code of assentctl


class RottenLog(BankTest):
    """A group of three; each test leaves all of it running."""

    # ── what the tests speak in ─────────────────────────────────────────────────────────────────

    def look_into(self, replica, verb):
        """What `assentctl log` says of a replica's directory, and its exit code."""
        if verb == "verify":
            told, code = verbs.call("log", "verify", replica.data_directory)
            return [told], code
        done = verbs.run("log", "dump", replica.data_directory)
        self.assertEqual(done.stderr, "")
        lines = [json.loads(line) for line in done.stdout.splitlines()]
        for line in lines:
            shape = verbs.SHAPES["log dump"][line["what"]]
            self.assertEqual(shapes.differences(shape, line), [])
        return lines, done.returncode

    def flip_a_bit(self, replica, behind):
        """In the last value of its log that has at least so many values behind it."""
        lines, _ = self.look_into(replica, "dump")
        values = [line for line in lines if line["what"] == "record" and line["kind"] == "accepted"]
        rotten = values[-1 - behind]
        with open(replica.data_directory / rotten["file"], "r+b") as file:
            file.seek(rotten["offset"] + 60)
            byte = file.read(1)[0]
            file.seek(-1, 1)
            file.write(bytes([byte ^ 0x08]))
        told, exit_code = self.look_into(replica, "verify")
        self.assertEqual(exit_code, PROBLEM)
        self.assertEqual([problem["offset"] for problem in told[0]["problems"]], [rotten["offset"]])
        return rotten

    def log_of(self, replica):
        """How the replica says its log is: whole, recovering or repaired; None without an answer."""
        told, = status.of([replica])
        return told.facts["log"] if told else None

    def wait_for_log(self, replica, state):
        waiting.until(lambda: self.log_of(replica) == state, 60, f"a log that is {state}")

    def spawn(self, replica):
        """Its next life, which need not become ready: there may be no leader."""
        self.cluster.spawn(replica)

    def elections_of(self, replica):
        told, = status.of([replica])
        return told.counters["elections_begun"] if told else 0

    # ── the tests ───────────────────────────────────────────────────────────────────────────────

    def test_one_that_forgot_decides_nothing_and_is_repaired_by_who_knows(self):
        leader = self.cluster.leader()
        rotten, stale = (each for each in self.cluster.coordinators if each is not leader)
        # What follows is decided by two of the three only: the leader, and the one that will forget.
        self.cluster.kill(stale.name)
        asked = self.committed(30)
        decisions.run(self.cluster, 1, count=200)
        self.cluster.kill(rotten.name)
        self.cluster.kill(leader.name)
        self.flip_a_bit(rotten, 50)

        self.spawn(rotten)
        self.spawn(stale)
        self.wait_for_log(rotten, "recovering")
        # They are a majority, and hear each other; it asks again and again, and is not welcome.
        for _ in range(30):
            self.assertIsNone(status.leader_of([rotten, stale]))
        self.assertEqual(self.elections_of(rotten), 0)
        self.assertIn("the log is damaged", rotten.log_tail())

        self.cluster.restart(leader.name)
        self.wait_for_log(rotten, "repaired")
        self.assert_still_committed(asked)
        self.committed(31)
        self.assert_all_equal()

        # It is one of a majority again, and with the third away it is needed.
        self.cluster.kill(stale.name)
        self.committed(32)
        self.cluster.restart(stale.name)

        # The damage is on its disk until the log has gone on for a while; but it is repaired, and
        # the log says so: it votes at once, and with the leader gone its vote is needed.
        self.cluster.kill(rotten.name)
        self.cluster.kill(leader.name)
        self.cluster.restart(rotten.name)
        self.committed(33)
        self.cluster.restart(leader.name)
        self.assert_still_committed(asked)


if __name__ == "__main__":
    unittest.main()
