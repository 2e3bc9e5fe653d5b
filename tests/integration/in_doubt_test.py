"""The meter of what is in doubt, the kept connection that it asks by, and the books of receipts."""

import math
import time
import unittest

import fixtures
from harness import in_doubt, receipts, sql, stages, waiting
from harness.errors import HarnessError


class Meter(fixtures.ServerTest):
    """Branches of a real server, which dies in between."""

    def prepare(self, gid):
        self.server.execute(f"BEGIN; CREATE TABLE \"{gid}\" (); PREPARE TRANSACTION '{gid}'")

    def seen(self, meter):
        return {branch.gid: branch for branch in meter.branches()}

    def test_a_branch_is_in_doubt_from_its_prepare_to_its_end_across_a_crash(self):
        with in_doubt.Meter([self.server]) as meter:
            self.prepare("assent:ours")
            self.prepare("stranger")
            waiting.until(lambda: self.seen(meter), 10, "the meter to see it")
            self.server.kill()
            killed = time.time()
            self.cluster.restart(self.server.name)
            up = time.time()
            self.assertFalse(meter.wait_until_settled(up, 0.2))
            self.assertEqual(meter.crash(killed, up).settled, math.inf)
            self.server.execute("COMMIT PREPARED 'assent:ours'")
            self.assertTrue(meter.wait_until_settled(up, 10))

        crash = meter.crash(killed, up)
        self.assertEqual((crash.branches, crash.left), (1, 1))
        self.assertGreater(crash.age_max, up - killed)
        self.assertGreaterEqual(crash.settled, 0.2)
        self.assertEqual(list(self.seen(meter)), ["assent:ours"])

    def test_what_was_prepared_after_all_was_up_is_not_of_the_crash(self):
        with in_doubt.Meter([self.server]) as meter:
            moment = time.time()
            self.prepare("assent:later")
            waiting.until(lambda: self.seen(meter), 10, "the meter to see it")

            self.assertTrue(meter.wait_until_settled(moment, 10))
            self.assertEqual(meter.crash(moment, moment).branches, 0)

    def test_a_promoted_standby_shows_what_its_primary_had(self):
        standby = self.cluster.add_standby(self.server, "postgres-db1-standby")
        standby.make_synchronous()
        with in_doubt.Meter([self.server]) as meter:
            self.prepare("assent:ours")
            waiting.until(lambda: self.seen(meter), 10, "the meter to see it")
            self.server.kill_for_good()
            self.cluster.promote(standby)
            up = time.time()
            meter.watch(standby)
            self.assertFalse(meter.wait_until_settled(up, 0.2))
            standby.execute("ROLLBACK PREPARED 'assent:ours'")
            self.assertTrue(meter.wait_until_settled(up, 10))

        self.assertIsNotNone(self.seen(meter)["assent:ours"].ended)

    def test_a_server_that_is_down_has_not_settled_anything(self):
        with in_doubt.Meter([self.server]) as meter:
            self.server.kill()
            self.assertFalse(meter.wait_until_settled(time.time(), 0.2))

    def test_the_connection_tells_errors_and_goes_on(self):
        connection = self.server.connect()
        self.addCleanup(connection.close)

        with self.assertRaisesRegex(HarnessError, '42P01: relation "nothing" does not exist'):
            connection.rows("SELECT * FROM nothing")

        self.assertEqual(connection.rows("SELECT 1, NULL, 'ä' UNION ALL SELECT 2, '', ''"),
                         [["1", None, "ä"], ["2", "", ""]])

    def test_a_connection_that_the_server_ends_is_lost(self):
        connection = self.server.connect()
        self.addCleanup(connection.close)
        self.server.kill()
        with self.assertRaises(sql.ConnectionLost):
            connection.rows("SELECT 1")
        with self.assertRaises(sql.ConnectionLost):
            self.server.connect()


class Receipts(unittest.TestCase):
    """What clients were told against what two servers hold."""

    def test_books_that_agree(self):
        told = {"a": "committed", "b": "aborted", "c": "committed"}
        self.assertEqual(receipts.compare(told, [["a", "c"], ["c", "a"], []]), [])

    def test_what_is_told_to_be_lost_may_be_missing(self):
        told = {"a": "committed", "b": "committed", "c": "committed"}
        held = [["a", "b"], ["b"]]
        self.assertEqual(receipts.compare(told, held, {"a": {1}, "b": {1}, "c": {0, 1}}), [])
        self.assertEqual(len(receipts.compare(told, held, {"a": {0}, "c": {0, 1}})), 1)
        self.assertEqual(len(receipts.compare(told, held, {"a": {1}, "c": {1}})), 1)
        self.assertEqual(len(receipts.compare({"a": "aborted"}, [["a"], []], {"a": {1}})), 2)

    def test_each_disagreement_is_told(self):
        for told, held, text in (
                ({"a": "committed"}, [["a"], []], "on one server only"),
                ({"a": "committed"}, [["a", "a"], []], "twice on one server"),
                ({"a": "committed"}, [["a", "a"], ["a", "a"]], "twice on one server"),
                ({"a": "committed"}, [[], []], "told that they had committed"),
                ({"a": "aborted"}, [["a"], ["a"]], "told that they had aborted"),
                ({"a": "unknown"}, [["a"], ["a"]], "unknown to their clients"),
                ({}, [["a"], ["a"]], "no client was told")):
            with self.subTest(text):
                found = receipts.compare(told, held)
                self.assertEqual(len(found), 1, found)
                self.assertIn(text, found[0])
                self.assertIn("1 transfers", found[0])


class Stages(fixtures.DirectoryTest):
    """Times in logs."""

    def test_the_first_line_of_a_message_is_found(self):
        class Life:
            """A service with a log."""

            @staticmethod
            def new_log_text():
                return ("2026-01-01T00:00:01.250Z info  assent-agent agent ready epoch=1\n"
                        "2026-01-01T00:00:02.250Z info  assent-agent agent ready epoch=1\n")

        moment = stages.first_line(Life, "agent ready")
        self.assertEqual(moment, 1_767_225_601.25)
        self.assertIsNone(stages.first_line(Life, "ready"))
        self.assertEqual(stages.told(moment - 1, [("ready", moment), ("lost", None)]),
                         "ready +1,000 ms, lost never")


if __name__ == "__main__":
    unittest.main()
