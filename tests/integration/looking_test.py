"""The verbs of assentctl that look: against a whole cluster, and against what is left of one."""

import threading
import time
import unittest

import fixtures
import shapes
from bank_fixture import BankTest
from harness import assentctl, errors, waiting, wire

GOOD, PROBLEM, USAGE = 0, 1, 2  # exit codes of assentctl
PATIENCE_MS = 60_000  # of a commit that waits for a participant
OWN = 180  # an account of these tests
TRIES = 3  # the machine may be busy in one of them


class Looking(BankTest):
    """A group of three; each test leaves all of it running."""

    SHAPES = shapes.promised()

    def told(self, verb, *words):
        """What a verb tells machines; it has the shape that the page promises."""
        told = assentctl.told(self.cluster, verb, *words)
        self.assertEqual(shapes.differences(self.SHAPES[verb], told), [])
        return told

    def until_told(self, condition, verb, *words):
        """What it tells once the condition holds: on a busy machine somebody may be heard late."""
        def wanted():
            told = self.told(verb, *words)
            return told if condition(told) else None
        return waiting.until(wanted, 30, f"assentctl {verb} to tell what is so")

    def code(self, *words):
        return assentctl.code(self.cluster, *words)

    def until(self, condition, what):
        waiting.until(condition, 30, what)

    def prepared_by(self, server, gid, account):
        """A transaction that a superuser prepares, and nobody ends but this test."""
        server.execute(f"BEGIN; UPDATE accounts SET balance = balance WHERE id = {account};"
                       f" PREPARE TRANSACTION '{gid}'")
        self.addCleanup(server.execute, f"ROLLBACK PREPARED '{gid}'")

    def waiting_for(self, server, account):
        """A backend that wants a row which somebody else has locked; ends with the test."""
        connection = server.connect(seconds=60)
        update = f"UPDATE accounts SET balance = balance WHERE id = {account}"

        def wait():
            try:
                connection.rows(update)
            except errors.HarnessError:
                pass  # it was ended
        thread = threading.Thread(target=wait, daemon=True)
        thread.start()

        def end():
            server.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                           f" WHERE query = '{update}' AND pid <> pg_backend_pid()")
            thread.join(20)
            connection.close()
        self.addCleanup(end)

    # ── all is well ─────────────────────────────────────────────────────────────────────────────

    def test_status_of_a_whole_cluster(self):
        told = self.until_told(lambda told: not told["problems"], "status")
        self.assertEqual([each["life"] for each in told["participants"]], ["live", "live"])
        self.assertEqual(sorted(each["role"] for each in told["replicas"]),
                         ["follower", "follower", "leader"])
        said = assentctl.said(self.cluster, "status")
        self.assertRegex(said, r"cluster test: replica \d leads, in office \d+ since ")
        self.assertRegex(said, r"db1 +ready +live ")
        self.assertNotIn("\033", said, "no colour outside of a terminal")

    def test_any_replica_may_be_asked(self):
        follower = self.cluster.follower()
        told = assentctl.told_at([follower], self.cluster, "status")
        self.assertTrue(told["viewpoint"]["leads"])
        self.assertEqual(len(told["replicas"]), 3)

    def test_doctor_looks_at_everybody(self):
        told = self.until_told(lambda told: told["unreached"] == 0, "doctor")
        self.assertEqual(sorted(each["who"] for each in told["examined"]),
                         ["db1", "db2", "replica 1", "replica 2", "replica 3"])
        self.assertEqual(told["failures"], 0)
        self.assertIn("max_prepared_transactions", assentctl.said(self.cluster, "doctor", "--all"))

    def test_watch_tells_rates(self):
        self.committed(OWN)
        words = ("watch", "--every", "100ms", "--count", "2")
        lines = assentctl.said(self.cluster, *words).splitlines()
        self.assertRegex(lines[0], "^time .* leader .* commits ")
        self.assertRegex(lines[1], r"^\d\d:\d\d:\d\d .*/s")
        told = assentctl.told_lines(self.cluster, *words)
        self.assertEqual(len(told), 2)
        for each in told:
            self.assertEqual(shapes.differences(self.SHAPES["watch"], each), [])

    # ── a branch is in doubt ────────────────────────────────────────────────────────────────────

    def test_transaction_whose_participant_stands_still(self):
        client = self.at(self.cluster.leader())
        transaction = client.start().transaction
        asked = {"transaction": transaction, "branches": self.worked(transaction, OWN + 1)}
        asking = threading.Thread(
            target=lambda: client.commit(**asked, timeout_ms=PATIENCE_MS), daemon=True)
        with fixtures.Stopped(self.cluster.service("agent-db2")):
            asking.start()
            self.until(lambda: self.cluster.prepared_transactions()["postgres-db1"],
                       "the first branch to be prepared")
            self.waiting_for(self.cluster.servers[0], OWN + 1)
            self.until_told(lambda told: told["waiters"] == 1, "status")
            one, = self.until_told(lambda told: told["transactions"]
                                   and told["transactions"][0]["prepared_at"],
                                   "transactions", "--in-doubt", "--participant", "db1")["transactions"]
            scanned = self.until_told(lambda told: told["prepared"], "scan")
            explained = self.until_told(lambda told: told["waiting"], "explain", transaction)
            older = self.told("transactions", "--older-than", "1h")
            code = self.code("status")
        asking.join(30)
        self.assertEqual(one["transaction"], transaction)
        self.assertEqual((one["state"], one["prepared_at"], one["in_doubt"]),
                         ("preparing", ["db1"], True))
        self.assertEqual({each["participant"]: each["stage"] for each in one["branches"]},
                         {"db1": "voted", "db2": "asked"})
        self.assertEqual(older["transactions"], [])
        found, = scanned["prepared"]
        self.assertEqual((found["whose"], found["transaction"]), ("ours", transaction))
        self.assertIn("accounts", [each["object"] for each in found["locks"]])
        self.assertEqual([each["object"] for each in found["waiters"]], ["a row of accounts"])
        self.assertEqual(explained["cause"], "participant-down-before")
        self.assertIn("waits for a row of accounts", explained["waiting"][0])
        self.assertEqual(code, PROBLEM, "an agent was not reached")
        self.until_nothing_is_prepared()

    def test_whoever_stands_still_is_waited_for_once(self):
        leader = self.cluster.leader()
        with fixtures.Stopped(self.cluster.service("agent-db2")), \
                fixtures.Stopped(self.cluster.follower()):
            self.until_told(
                lambda told: sum("not reached" in each for each in told["problems"]) == 2, "status")
            for words in (("status",), ("scan",), ("explain", wire.new_id())):
                self.assertTrue(
                    any(self.seconds_of(leader, *words) < 5 for _ in range(TRIES)), words)

    def seconds_of(self, replica, *words):
        begun = time.monotonic()
        assentctl.told_at([replica], self.cluster, *words)
        return time.monotonic() - begun

    # ── others' transactions ────────────────────────────────────────────────────────────────────

    def test_scan_tells_strangers_and_foreign_ones(self):
        server = self.cluster.servers[0]
        stranger = f"assent:test:{wire.new_id()}:db1:1.1"
        self.prepared_by(server, "jta-17", OWN + 2)
        self.until(lambda: self.code("scan") == GOOD, "a young foreign one to be no problem of ours")
        self.prepared_by(server, stranger, OWN + 3)
        self.assertEqual(self.code("scan"), PROBLEM)
        told = self.until_told(lambda told: len(told["prepared"]) == 2, "scan")
        told = {each["gid"]: each for each in told["prepared"]}
        self.assertEqual((told["jta-17"]["whose"], told["jta-17"]["problem"]), ("foreign", False))
        self.assertEqual((told[stranger]["whose"], told[stranger]["problem"]), ("stranger", True))
        for gid, cause in (("jta-17", "foreign"), (stranger, "stranger")):
            self.until_told(lambda told, cause=cause: told["cause"] == cause, "explain", gid)
        told = self.until_told(lambda told: not told["problems"], "status")
        self.assertEqual(told["in_doubt"], 0, "they are not ours")

    # ── something is down ───────────────────────────────────────────────────────────────────────

    def test_agent_that_cannot_be_reached_is_named(self):
        agent = self.cluster.service("agent-db2")
        self.cluster.kill(agent.name)
        told = self.until_told(
            lambda told: [each["reached"] for each in told["participants"]] == [True, False],
            "participants")
        self.assertIn("the agent of db2 was not reached", told["missing"][0])
        self.assertEqual(self.code("participants"), PROBLEM)
        self.assertEqual(self.told("explain", wire.new_id())["cause"], "not-reached")
        self.cluster.restart(agent.name)

    # The port of an agent that is gone may have been given to somebody else.
    def test_whoever_else_answers_at_an_agents_address_is_not_taken_for_it(self):
        wrong = ("--agent", f"db2={self.cluster.service('agent-db1').address('admin')}")
        answers = "answers the agent of participant db1 of cluster"
        self.assertIn(answers, " ".join(self.told("status", *wrong)["problems"]))
        self.assertIn("not counting db2", assentctl.said(self.cluster, "status", *wrong))
        self.assertIn(answers, " ".join(self.told("scan", *wrong)["missing"]))
        told = self.told("explain", wire.new_id(), *wrong)
        self.assertEqual(told["cause"], "not-reached")
        self.assertIn(answers, " ".join(told["missing"]))

    def test_without_a_leader_one_replica_tells_what_it_knows(self):
        asked = self.committed(OWN + 4)
        transaction = asked["transaction"]
        left = self.cluster.follower()
        others = [each for each in self.cluster.coordinators if each is not left]
        self.until_told(lambda told: told["cause"] in ("done", "leader-lost-after"), "explain",
                        transaction)
        self.assert_all_equal()
        for each in others:
            self.cluster.kill(each.name)
        try:
            told = self.until_told(lambda told: not told["viewpoint"]["leads"], "status")
            self.assertEqual([each["life"] for each in told["participants"]], ["not known"] * 2)
            self.assertIn("NO LEADER", assentctl.said(self.cluster, "status"))
            self.assertEqual(self.code("status"), PROBLEM)
            self.assertEqual(self.told("explain", transaction)["outcome"], "COMMITTED")
            agents = [word for each in ("db1", "db2") for word in
                      ("--agent", f"{each}={self.cluster.service(f'agent-{each}').address('admin')}")]
            self.until_told(
                lambda told: [each["in_doubt"] for each in told["participants"]] == [0, 0],
                "participants", *agents)
            self.until_told(lambda told: told["cause"] == "no-leader", "explain", wire.new_id(),
                            *agents)
        finally:
            for each in others:
                self.cluster.begin_life(each)

    def test_what_it_cannot_do_is_said(self):
        self.assertEqual(self.code("transactions", "--older-than", "soon"), USAGE)
        self.assertEqual(self.code("status", "--agent", "db1"), USAGE)
        self.assertEqual(self.code("explain"), USAGE)


class Shapes(unittest.TestCase):
    """The comparison with the page finds what it is there to find."""

    SHAPE = {"a": "string", "b": [{"c": "number?"}], "d": "boolean"}
    GOOD = {"a": "x", "b": [{"c": 1}, {"c": None}], "d": True}

    def test_what_has_the_shape(self):
        self.assertEqual(shapes.differences(self.SHAPE, self.GOOD), [])

    def test_what_has_not(self):
        for wrong in ({"a": None}, {"a": 1}, {"b": [{}]}, {"b": [{"c": "1"}]}, {"d": 1}, {"e": 1},
                      {"b": [{"c": True}]}):
            self.assertEqual(len(shapes.differences(self.SHAPE, self.GOOD | wrong)), 1, wrong)

    def test_what_may_be_missing_and_what_may_come_beside(self):
        shape = {"a?": {"b": "number"}, "c": {"d": "string", "...": "string"}}
        rest = {"c": {"d": "x", "e": 1}}
        for right in ({"a": None}, {"a": {"b": 1}}):
            self.assertEqual(shapes.differences(shape, right | rest), [])
        for wrong in ({}, {"a": {"b": None}}, {"a": 1}):
            self.assertEqual(len(shapes.differences(shape, wrong | rest)), 1, wrong)
        self.assertEqual(len(shapes.differences(shape, {"a": None, "c": {"e": 1}})), 1)


if __name__ == "__main__":
    unittest.main()
