"""The verbs of assentctl that change something, and what they change: participants, replicas."""

import threading
import unittest

import verbs
from bank_fixture import ADD, COMMITTED, BankTest
from harness import assentctl, bank, ports, waiting, wire
from verbs import GOOD, USAGE

PATIENCE_MS = 60_000  # of a commit that waits for a participant
OWN = 160  # an account of these tests
WHY = "PostgreSQL 17"
BY_HAND = ("--operator", "somebody", "--reason", WHY)
ALARM_MS, REFUSE_MS = 2_000, 4_000
ALARM_XIDS, REFUSE_XIDS = 500, 1_000
BURN = """
    DO $$ BEGIN
      FOR one IN 1 .. {number} LOOP PERFORM pg_current_xact_id(); COMMIT; END LOOP;
    END $$"""


class Operators(BankTest):
    """A group of three; each test leaves all of it running, and nobody drained."""

    def told(self, verb, *words):
        """What a verb tells machines."""
        return verbs.call_at(self.cluster, *verb.split(), *words)[0]

    def participant(self, name):
        """What `participants` tells of one; None: there is no such participant."""
        told = self.told("participants")["participants"]
        return next((each for each in told if each["participant"] == name), None)

    def until(self, condition, what):
        return waiting.until(condition, 30, what)

    def agent_of(self, name):
        return self.connect(wire.branches, self.cluster.service(f"agent-{name}"), "client")

    def branch(self, name, transaction=None):
        """An interactive branch that has not begun."""
        return wire.Branch(self.agent_of(name), name, transaction or wire.new_id())

    def refusal(self, call):
        with self.assertRaises(wire.AssentError) as refused:
            call()
        return refused.exception

    def one_shot_at(self, name, account):
        """A commit of one whole branch; answers its reply."""
        client = self.at(self.cluster.leader())
        return client.commit(
            transaction=client.start().transaction,
            branches=[wire.one_shot(name, wire.statement(ADD, 1, account))], **wire.first(client))

    def assert_refused(self, name, account, code, reason):
        """No branch begins there, one way or the other, and who wants one hears why."""
        for call in (lambda: self.branch(name).execute(ADD, 1, account),
                     lambda: self.one_shot_at(name, account)):
            refused = self.refusal(call)
            self.assertEqual((refused.code, refused.participant), (code, name), refused.message)
            self.assertTrue(refused.retryable)
            self.assertIn(reason, refused.message)

    def drained(self, name, *words):
        """What a drain tells; its exit code says the same."""
        told, code = verbs.call_at(self.cluster, "participants", "drain", name, *words)
        self.assertEqual(code == GOOD, told["safe"])
        return told

    def resume(self, name):
        told = self.told("participants resume", name)
        self.assertEqual(told["remains"], [])
        return told

    def over_budget(self, level):
        """The budget of db1 once it is on this level or above."""
        budget = self.participant("db1")["budget"]
        levels = ["within", "alarm", "refusing"]
        return budget if budget and levels.index(level) <= levels.index(budget["level"]) else None

    def refuses_interactive(self, name):
        try:
            self.branch(name).execute("SELECT 1")
        except wire.AssentError:
            return True
        return False


class Operating(Operators):
    settings = {"in_doubt": {"age_alarm_ms": ALARM_MS, "age_refuse_ms": REFUSE_MS}}

    # ── drain ───────────────────────────────────────────────────────────────────────────────────

    def test_new_branches_are_refused_with_the_reason_wherever_they_begin(self):
        told = self.drained("db2", *BY_HAND)
        self.assertEqual((told["changed"], told["prepared"], told["driven"], told["open"]),
                         (True, 0, 0, 0))
        self.assertGreater(told["connections"], 0)
        self.assert_refused("db2", OWN, wire.ErrorCode.UNAVAILABLE, f"somebody ({WHY})")
        self.branch("db1").execute("SELECT 1")
        shown = self.participant("db2")
        self.assertEqual((shown["new_branches"], shown["drained"]["operator"]),
                         ("drained", "somebody"))
        self.assertIn("drained db2", assentctl.said(self.cluster, "doctor"))
        # Another leader and another life of the agent know it, too.
        self.cluster.kill(self.cluster.leader().name)
        self.cluster.kill("agent-db2")
        self.cluster.restart("agent-db2")
        self.assert_refused("db2", OWN, wire.ErrorCode.UNAVAILABLE, f"somebody ({WHY})")
        self.assertFalse(self.drained("db2")["changed"], "it was drained before")
        for each in self.cluster.coordinators:
            if not each.is_running():
                self.cluster.begin_life(each)
        self.assertTrue(self.resume("db2")["changed"])
        self.assertFalse(self.resume("db2")["changed"])
        self.assertEqual(self.one_shot_at("db2", OWN).outcome, COMMITTED)

    def test_a_drain_waits_for_what_is_there_and_says_when_the_server_may_be_stopped(self):
        client = self.at(self.cluster.leader())
        transaction = client.start().transaction
        branches = self.worked(transaction, OWN + 1)
        told = self.drained("db2", "--timeout", "0")
        self.until(lambda: not self.drained("db2", "--timeout", "0")["remains"][0].startswith(
            "its agent has not heard"), "the agent to hear of it")
        told = self.drained("db2", "--timeout", "0")
        self.assertEqual((told["safe"], told["open"]), (False, 1), told)
        self.assertIn("1 branch that has not ended", " ".join(told["remains"]))
        self.assertEqual(client.commit(transaction=transaction, branches=branches).outcome, COMMITTED)
        self.assertEqual(self.drained("db2")["remains"], [])
        said = assentctl.said(self.cluster, "participants", "drain", "db2")
        self.assertRegex(said, "safe to stop the server of db2: nothing of ours is prepared in it, "
                               r"and \d+ connections? of its agent remains?, which ends? with it")
        # Maintenance: the server is stopped and started, and nobody was in doubt.
        server = self.cluster.servers[1]
        self.assertIsNone(server.stop())
        told = self.drained("db2", "--timeout", "0")
        self.assertFalse(told["safe"], "what cannot be seen is not safe")
        self.cluster.begin_life(server)
        if not self.cluster.service("agent-db2").is_running():
            self.cluster.restart("agent-db2")
        self.resume("db2")
        self.committed(OWN + 1)

    # ── add and remove ──────────────────────────────────────────────────────────────────────────

    def test_a_participant_comes_and_goes_for_good(self):
        told = self.told("participants add", "db3", "--timeout", "0")
        self.assertFalse(told["serves"])
        self.assertIn("nobody has enrolled under the name db3", told["missing"][0])
        stranger = self.cluster.service("agent-db1").address("admin")
        told = self.told("participants add", "db3", "--agent", f"db3={stranger}", "--timeout", "0")
        self.assertIn("answers the agent of participant db1 of cluster", told["missing"][0])
        with ports.exclusive():
            self.cluster.add_server("db3")
            server = self.cluster.servers[2]
            bank.open_accounts(server, 2)
            self.cluster.add_agent(server)
        agent = self.cluster.service("agent-db3")
        told = self.told("participants add", "db3")
        self.assertEqual((told["missing"], told["epoch"], told["live"]), ([], 1, True))
        self.assertEqual(self.one_shot_at("db3", 1).outcome, COMMITTED)

        remove = ("participants", "remove", "db3")
        self.assertEqual(assentctl.code(self.cluster, *remove), USAGE)
        transaction = self.open_at("db3")
        self.drained("db3", "--timeout", "0")
        for words in (remove, (*remove, "--abandon-outcomes")):
            refused, code = verbs.call_at(self.cluster, *words)
            self.assertEqual(code, USAGE)
            self.assertIn("its agent is heard", refused["error"]["message"])
        self.assertIsNone(agent.kill())
        self.give_up("db3", transaction)
        self.assertEqual(self.until(lambda: self.unless_refused("participants remove", "db3"), "its end"),
                         {"participant": "db3", "changed": True, "done": False, "abandoned": []})
        self.assertIsNotNone(self.participant("db3"), "it was a dry run")
        self.assertEqual(assentctl.code(self.cluster, *remove, "--yes"), USAGE, "without a reason")
        self.assertEqual(self.told("participants remove", "db3", "--yes", *BY_HAND),
                         {"participant": "db3", "changed": True, "done": True, "abandoned": []})
        self.assertIsNone(self.participant("db3"))
        self.assertFalse(self.told("participants remove", "db3", "--yes", *BY_HAND)["changed"])
        self.assertEqual(self.refusal(lambda: self.one_shot_at("db3", 1)).code,
                         wire.ErrorCode.UNKNOWN_PARTICIPANT)
        agent.spawn()
        agent.wait_for_log("its name is never used again", 30)
        self.until(lambda: not agent.is_running(), "the agent of a removed participant to end")
        self.assertIsNone(server.stop())
        self.cluster.agents.remove(agent)
        self.cluster.servers.remove(server)

    def open_at(self, name):
        """A transaction with an open branch there."""
        client = self.at(self.cluster.leader())
        self.opened = self.branch(name, client.start().transaction)
        self.opened.execute(ADD, 1, 2)
        return self.opened.id

    def give_up(self, name, transaction):
        """The participant is gone before it has heard that the transaction is aborted."""
        client = self.at(self.cluster.leader())
        client.abort(transaction=transaction, branches=[self.opened.at_commit()], never_committed=True)
        remove = ("participants", "remove", name)
        refused = self.until(lambda: self.refused_for(remove, "the leader works on"), "it to be owed")
        self.assertIn(f"remove {name} --abandon-outcomes", refused)
        told = self.told(*remove, "--abandon-outcomes")
        self.assertEqual((told["abandoned"], told["done"]), ([transaction], False))
        self.assertEqual(assentctl.heuristics(self.cluster), {}, "it was a dry run")
        told = self.told(*remove, "--abandon-outcomes", "--yes", *BY_HAND)
        self.assertEqual((told["abandoned"], told["done"]), ([transaction], True))
        kept = self.until(lambda: assentctl.heuristics(self.cluster).get(transaction), "the hazard")
        self.assertEqual((kept["kind"], kept["outcome"]), ("hazard", "ABORTED"))
        self.assertIn(f"{transaction} that ended otherwise",
                      self.until(lambda: self.refused_for(remove, "heuristic forget"), "its refusal"))
        self.assertEqual(self.told(*remove, "--abandon-outcomes")["abandoned"], [])
        assentctl.forget_heuristic(self.cluster, transaction, WHY)

    def unless_refused(self, *words):
        told = self.told(*words)
        return None if "error" in told else told

    def refused_for(self, words, reason):
        """Why a verb is refused, once it is for this reason."""
        told = self.told(*words)
        message = told["error"]["message"] if "error" in told else ""
        return message if reason in message else None

    # ── replicas ────────────────────────────────────────────────────────────────────────────────

    def ports_of(self, replica):
        return [word for role in ("client", "peer", "admin")
                for word in (f"--{role}", replica.address(role))]

    def joining(self):
        """A replica that runs and waits until it is added."""
        with ports.exclusive():
            new = self.cluster.create_joining_replica()
        self.cluster.spawn(new)
        return new

    def gone(self, replica):
        replica.kill_for_good()
        self.cluster.coordinators.remove(replica)

    def members(self):
        return sorted(each["replica"] for each in self.told("replica list")["replicas"])

    def test_replicas_come_and_go_by_command(self):
        self.assertEqual(self.members(), [1, 2, 3])
        fourth = self.joining()
        told = self.told("replica add", "4", *self.ports_of(fourth))
        self.assertTrue(told["settled"])
        self.assertEqual(self.members(), [1, 2, 3, 4])
        told = self.told("replica transfer-leader", "--to", "4")
        self.assertEqual(told["leader"], 4)
        first = self.cluster.service("coordinator-1")
        told = self.told("replica remove", "1")
        self.assertEqual(self.members(), [2, 3, 4])
        self.gone(first)
        fifth = self.joining()
        self.told("replica replace", "4", "--by", "5", *self.ports_of(fifth))
        self.gone(fourth)
        self.assertEqual(self.members(), [2, 3, 5])
        self.committed(OWN + 4)
        self.assert_all_equal()

    # ── the in-doubt budget ─────────────────────────────────────────────────────────────────────

    def test_above_the_second_limit_new_branches_are_refused_until_it_has_fallen(self):
        leader = self.cluster.leader()
        client = self.at(leader)
        transaction = client.start().transaction
        asked = {"transaction": transaction, "branches": self.worked(transaction, OWN + 2)}
        asking = threading.Thread(
            target=lambda: client.commit(**asked, timeout_ms=PATIENCE_MS), daemon=True)
        self.cluster.kill("agent-db2")
        asking.start()
        alarmed = self.until(lambda: self.over_budget("alarm"), "an alarm")
        self.assertEqual(alarmed["oldest"], transaction)
        self.assertIn(f"assentctl explain {transaction}", alarmed["why"])
        self.until(lambda: self.over_budget("refusing"), "new branches to be refused")
        self.until(lambda: self.refuses_interactive("db1"), "the agent to hear of it")
        self.assert_refused("db1", OWN + 3, wire.ErrorCode.OVERLOADED,
                            f"the limit is {REFUSE_MS} ms")
        self.assertIn("refused", [each["new_branches"] for each in
                                  self.told("status")["participants"]])
        self.assertIn("in-doubt budget", " ".join(self.told("status")["problems"]))
        self.assertIn("in-doubt budget", assentctl.said(self.cluster, "doctor"))
        self.cluster.restart("agent-db2")
        asking.join(30)
        log = leader.new_log_text()
        self.assertRegex(log, f"warning.*'db1' is over its in-doubt budget.*{transaction}")
        self.until(lambda: self.participant("db1")["budget"]["level"] == "within", "it to fall")
        leader.wait_for_log("within its limits again", 10)
        self.until(lambda: not self.refuses_interactive("db1"), "the agent to hear of that")
        self.assertEqual(self.one_shot_at("db1", OWN + 3).outcome, COMMITTED)
        limits = self.told("participants")["limits"]
        self.assertEqual(limits["age_ms"], {"alarm": ALARM_MS, "refuse": REFUSE_MS})


class Horizon(Operators):
    """Ages and numbers stay far below their limits here: only the vacuum horizon is crossed."""

    settings = {"in_doubt": {"horizon_alarm_xids": ALARM_XIDS, "horizon_refuse_xids": REFUSE_XIDS}}

    def test_what_holds_vacuum_back_for_too_long_is_told_and_then_keeps_new_branches_out(self):
        leader, server = self.cluster.leader(), self.cluster.servers[0]
        client = self.at(leader)
        transaction = client.start().transaction
        asked = {"transaction": transaction, "branches": self.worked(transaction, OWN)}
        asking = threading.Thread(
            target=lambda: client.commit(**asked, timeout_ms=PATIENCE_MS), daemon=True)
        self.cluster.kill("agent-db2")
        asking.start()
        self.until(server.prepared_transactions, "the branch to be prepared")
        self.assertEqual(self.participant("db1")["budget"]["level"], "within")
        server.execute(BURN.format(number=ALARM_XIDS))
        alarmed = self.until(lambda: self.over_budget("alarm"), "an alarm")
        self.assertEqual((alarmed["level"], alarmed["oldest"]), ("alarm", transaction))
        self.assertRegex(alarmed["why"], rf"branch {transaction}:db1:\S+ holds vacuum back by \d+ "
                                         rf"transactions, the alarm is at {ALARM_XIDS}")
        self.assertEqual(self.one_shot_at("db1", OWN + 1).outcome, COMMITTED)
        server.execute(BURN.format(number=REFUSE_XIDS))
        self.until(lambda: self.over_budget("refusing"), "new branches to be refused")
        self.until(lambda: self.refuses_interactive("db1"), "the agent to hear of it")
        self.assert_refused("db1", OWN + 1, wire.ErrorCode.OVERLOADED,
                            f"transactions, the limit is {REFUSE_XIDS} transactions")
        self.assertIn("holds vacuum back", " ".join(self.told("status")["problems"]))
        self.assertIn("holds vacuum back", assentctl.said(self.cluster, "doctor"))
        self.cluster.restart("agent-db2")
        asking.join(30)
        self.until(lambda: self.participant("db1")["budget"]["level"] == "within", "it to fall")
        self.until(lambda: not self.refuses_interactive("db1"), "the agent to hear of that")
        self.assertEqual(self.one_shot_at("db1", OWN + 1).outcome, COMMITTED)
        limits = self.told("participants")["limits"]
        self.assertEqual(limits["horizon"], {"alarm": ALARM_XIDS, "refuse": REFUSE_XIDS})


if __name__ == "__main__":
    unittest.main()
