"""One-shots, readers and one-phase commits, through the wire, with real processes."""

import subprocess
import threading
import unittest

import fixtures
from harness import waiting, wire

COMMITTED, ABORTED = wire.common.Outcome.COMMITTED, wire.common.Outcome.ABORTED
ADD = "UPDATE accounts SET balance = balance + $1 WHERE id = $2"


class FastPaths(fixtures.ClusterTest):
    """A cluster of two databases with accounts 1 to 9 of 100 each."""

    databases = 2

    @classmethod
    def prepare(cls):
        for server in cls.cluster.servers:
            server.execute("CREATE TABLE accounts (id int PRIMARY KEY, balance bigint NOT NULL);"
                           "INSERT INTO accounts SELECT i, 100 FROM generate_series(1, 9) i;"
                           "CREATE TABLE calls (id serial, what text);"
                           "GRANT ALL ON ALL TABLES IN SCHEMA public TO assent_work;"
                           "GRANT ALL ON ALL SEQUENCES IN SCHEMA public TO assent_work",
                           server.database)

    def setUp(self):
        self.coordinator = self.connect(wire.coordinator, self.cluster.coordinators[0], "client")
        self.id = self.coordinator.start().transaction

    def commit(self, *branches, **options):
        return self.coordinator.commit(transaction=self.id, branches=list(branches), **options)

    def commit_first(self, *branches, **options):
        """With the promise that it is the first, so that one-shots run."""
        return self.commit(*branches, **wire.first(self.coordinator), **options)

    def value(self, name, sql):
        return self.cluster.service(f"postgres-{name}").value(sql)

    def balance(self, name, account):
        return int(self.value(name, f"SELECT balance FROM accounts WHERE id = {account}"))

    def branch(self, name):
        agent = self.connect(wire.branches, self.cluster.service(f"agent-{name}"), "client")
        return wire.Branch(agent, name, self.id)

    def counters(self, service):
        admin = self.connect(wire.administration, self.cluster.service(service), "admin")
        return admin.process_status().counters

    def move(self, amount, account, **options):
        take = wire.statement(ADD + " RETURNING balance", -amount, account)
        put = wire.statement(ADD + " RETURNING balance", amount, account)
        return self.commit_first(wire.one_shot("db1", take), wire.one_shot("db2", put), **options)

    # ── one-shots ───────────────────────────────────────────────────────────────────────────────

    def test_one_shot_brings_results_in_the_order_of_the_request(self):
        reply = self.move(7, 1)
        self.assertEqual(reply.outcome, COMMITTED)
        self.assertEqual([each.participant for each in reply.results], ["db1", "db2"])
        self.assertEqual([each.results[0].rows[0].values[0].text for each in reply.results],
                         ["93", "107"])
        self.assertFalse(reply.results_unavailable)

    def test_repeated_one_shot_runs_once_and_says_that_its_results_are_gone(self):
        self.assertEqual(self.move(1, 2).outcome, COMMITTED)
        again = self.move(1, 2)
        self.assertEqual(again.outcome, COMMITTED)
        self.assertTrue(again.results_unavailable)
        self.assertEqual((self.balance("db1", 2), self.balance("db2", 2)), (99, 101))

    def test_repeated_one_shot_after_the_coordinators_death_runs_once(self):
        self.assertEqual(self.move(1, 3).outcome, COMMITTED)
        self.cluster.kill("coordinator-1")
        self.cluster.restart("coordinator-1")
        self.coordinator = self.connect(wire.coordinator, self.cluster.coordinators[0], "client")
        again = self.move(1, 3)
        self.assertEqual((again.outcome, again.results_unavailable), (COMMITTED, True))
        self.assertEqual((self.balance("db1", 3), self.balance("db2", 3)), (99, 101))

    def test_one_shot_that_may_be_a_repeat_is_not_run(self):
        note = wire.statement("INSERT INTO calls (what) VALUES ('repeat')")
        reply = self.commit(wire.one_shot("db1", note), wire.one_shot("db2", note))
        self.assertEqual(reply.outcome, ABORTED)
        self.assertEqual(reply.reason.code, wire.ErrorCode.UNAVAILABLE)
        self.assertEqual(self.value("db1", "SELECT count(*) FROM calls WHERE what = 'repeat'"), "0")

    def test_serializable_and_read_only_are_per_branch(self):
        show = wire.statement("SELECT current_setting('transaction_isolation') || ' ' ||"
                              " current_setting('transaction_read_only')")
        reply = self.commit_first(
            wire.one_shot("db1", show, isolation=wire.common.Isolation.SERIALIZABLE),
            wire.one_shot("db2", show, read_only=True))
        texts = [each.results[0].rows[0].values[0].text for each in reply.results]
        self.assertEqual(texts, ["serializable off", "read committed on"])

    def test_one_shot_and_interactive_branches_commit_together(self):
        branch = self.branch("db1")
        branch.execute(ADD, -5, 4)
        reply = self.commit_first(branch.at_commit(),
                                  wire.one_shot("db2", wire.statement(ADD, 5, 4)))
        self.assertEqual(reply.outcome, COMMITTED)
        self.assertEqual([each.participant for each in reply.results], ["db2"])
        self.assertEqual((self.balance("db1", 4), self.balance("db2", 4)), (95, 105))

    # ── readers ─────────────────────────────────────────────────────────────────────────────────

    def test_readers_are_named_in_the_reply_and_counted(self):
        before = self.counters("agent-db1")["voted_read_only"]
        reader, writer = self.branch("db1"), self.branch("db2")
        reader.execute("SELECT sum(balance) FROM accounts")
        writer.execute(ADD, 0, 5)
        reply = self.commit(reader.at_commit(), writer.at_commit())
        self.assertEqual((reply.outcome, reply.read_only, reply.one_phase),
                         (COMMITTED, ["db1"], False))
        self.assertEqual(self.counters("agent-db1")["voted_read_only"], before + 1)

    def test_transaction_of_readers_alone_commits_and_is_remembered(self):
        branches = [self.branch("db1"), self.branch("db2")]
        for branch in branches:
            branch.execute("SELECT 1")
        named = [branch.at_commit(reads=True) for branch in branches]
        self.assertEqual(sorted(self.commit(*named).read_only), ["db1", "db2"])
        self.cluster.kill("coordinator-1")
        self.cluster.restart("coordinator-1")
        self.coordinator = self.connect(wire.coordinator, self.cluster.coordinators[0], "client")
        self.assertEqual(self.commit(*named).outcome, COMMITTED)

    # ── one phase ───────────────────────────────────────────────────────────────────────────────

    def test_one_branch_commits_in_one_phase(self):
        before = self.counters("coordinator-1")["one_phase"]
        reply = self.commit_first(wire.one_shot("db1", wire.statement(ADD, 0, 6)))
        self.assertEqual((reply.outcome, reply.one_phase), (COMMITTED, True))
        self.assertEqual(self.counters("coordinator-1")["one_phase"], before + 1)
        self.assertEqual(
            self.value("db1", f"SELECT committed FROM assent.outcome WHERE transaction = '{self.id}'"),
            "t")

    def test_writer_among_readers_commits_in_one_phase(self):
        reader, writer = self.branch("db1"), self.branch("db2")
        reader.execute("SELECT 1")
        writer.execute(ADD, 0, 6)
        reply = self.commit(reader.at_commit(reads=True), writer.at_commit())
        self.assertEqual((reply.outcome, reply.one_phase, reply.read_only),
                         (COMMITTED, True, ["db1"]))

    def test_wrong_hint_costs_the_fast_path_and_nothing_else(self):
        first, second = self.branch("db1"), self.branch("db2")
        first.execute(ADD, -1, 7)
        second.execute(ADD, 1, 7)
        reply = self.commit(first.at_commit(reads=True), second.at_commit())
        self.assertEqual((reply.outcome, reply.one_phase), (COMMITTED, False))
        self.assertEqual((self.balance("db1", 7), self.balance("db2", 7)), (99, 101))

    def test_repeats_of_a_one_phase_commit_are_answered_after_every_death(self):
        branch = self.branch("db1")
        branch.execute(ADD, 1, 8)
        self.assertTrue(self.commit_first(branch.at_commit()).one_phase)
        for victims in (["coordinator-1"], ["agent-db1"], ["coordinator-1", "agent-db1"]):
            for victim in victims:
                self.cluster.kill(victim)
            for victim in victims:
                self.cluster.restart(victim)
            self.coordinator = self.connect(wire.coordinator, self.cluster.coordinators[0],
                                            "client")
            waiting.until(lambda: self.outcome_of(branch) == COMMITTED, 20, "the same answer")
        self.assertEqual(self.balance("db1", 8), 101)

    def outcome_of(self, *branches):
        """None while nobody knows."""
        try:
            return self.commit(*[each.at_commit() for each in branches], timeout_ms=2_000).outcome
        except wire.AssentError as error:
            self.assertTrue(error.retryable, error)
            return None

    def test_agent_killed_while_it_commits_in_one_phase(self):
        self.cluster.service("postgres-db1").execute(
            "CREATE FUNCTION wait() RETURNS trigger LANGUAGE plpgsql AS"
            " $$ BEGIN PERFORM pg_sleep(1); RETURN NEW; END $$;"
            "CREATE CONSTRAINT TRIGGER slow AFTER INSERT ON calls DEFERRABLE INITIALLY DEFERRED"
            " FOR EACH ROW EXECUTE FUNCTION wait()",
            self.cluster.servers[0].database)
        branch = self.branch("db1")
        branch.execute("INSERT INTO calls (what) VALUES ('killed')")
        answers = []

        def ask():
            client = wire.coordinator(self.cluster.coordinators[0].ports["client"])
            try:
                answers.append(client.commit(transaction=self.id, branches=[branch.at_commit()],
                                             timeout_ms=300, **wire.first(client)).outcome)
            except wire.AssentError as error:
                answers.append(error.code)
            client.close()

        asking = threading.Thread(target=ask)
        asking.start()
        waiting.until(lambda: self.value(
            "db1", "SELECT count(*) FROM pg_stat_activity WHERE query = 'COMMIT'"
                   " AND state = 'active'") == "1", 10, "the COMMIT")
        self.cluster.kill("agent-db1")
        asking.join()
        self.cluster.restart("agent-db1")
        settled = []

        def is_settled():
            settled.append(self.outcome_of(branch))
            return settled[-1] is not None

        waiting.until(is_settled, 20, "the truth")
        rows = self.value("db1", "SELECT count(*) FROM calls WHERE what = 'killed'")
        self.assertEqual(settled[-1], COMMITTED if rows == "1" else ABORTED)
        self.assertIn(answers[0], (wire.ErrorCode.OUTCOME_UNKNOWN, settled[-1]))
        self.cluster.service("postgres-db1").execute("DROP FUNCTION wait() CASCADE",
                                                     self.cluster.servers[0].database)

    # ── branch life ─────────────────────────────────────────────────────────────────────────────

    def test_abort_cancels_the_statement_that_a_vote_waits_for(self):
        holder = self.branch("db1")
        holder.execute(ADD, 0, 9)
        first, self.id = self.id, self.coordinator.start().transaction
        reply = self.commit_first(wire.one_shot("db1", wire.statement(ADD, 0, 9)),
                                  wire.one_shot("db2", wire.statement("SELECT 1 / 0")))
        self.assertEqual(reply.reason.sql.sqlstate, "22012")
        waiting.until(lambda: self.value(
            "db1", "SELECT count(*) FROM pg_locks WHERE NOT granted") == "0", 5, "the cancel")
        self.coordinator.abort(transaction=first, branches=[], never_committed=True)

    def test_cancel_ends_a_running_statement(self):
        branch = self.branch("db1")
        branch.execute("SELECT 1")
        canceller = self.connect(wire.branches, self.cluster.service("agent-db1"), "client")
        timer = threading.Timer(0.3, lambda: canceller.cancel(
            transaction=self.id, participant="db1", branch=branch.reference))
        timer.start()
        with self.assertRaises(wire.AssentError) as caught:
            branch.execute("SELECT pg_sleep(60)")
        timer.join()
        self.assertEqual(caught.exception.code, wire.ErrorCode.BRANCH_ENDED)
        self.assertIn("cancel", caught.exception.message)

    # ── on request ──────────────────────────────────────────────────────────────────────────────

    def test_doctor_on_the_wire_and_on_the_command_line(self):
        for service in ("agent-db1", "coordinator-1"):
            admin = self.connect(wire.administration, self.cluster.service(service), "admin")
            findings = admin.doctor().findings
            self.assertGreater(len(findings), 3)
            for finding in findings:
                self.assertNotEqual(finding.verdict, wire.admin.Verdict.FAILURE, finding)
        agent = self.cluster.service("agent-db1")
        done = subprocess.run([fixtures.BUILD_DIRECTORY / "bin" / "assent-agent", "--config",
                               agent.config, "--doctor"], capture_output=True, text=True,
                              check=False)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        self.assertIn("max_prepared_transactions", done.stdout)

    def test_doctor_fails_when_the_database_cannot_serve(self):
        agent = self.cluster.service("agent-db1")
        wrong = self.cluster.directory / "wrong.toml"
        wrong.write_text(agent.config.read_text().replace(
            f'database = "{self.cluster.servers[0].database}"', 'database = "no_such"'))
        done = subprocess.run([fixtures.BUILD_DIRECTORY / "bin" / "assent-agent", "--config",
                               wrong, "--doctor"], capture_output=True, text=True, check=False)
        self.assertEqual(done.returncode, 1, done.stdout)
        self.assertIn("no_such", done.stdout)


if __name__ == "__main__":
    unittest.main()
