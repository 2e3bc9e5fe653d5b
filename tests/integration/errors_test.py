"""Every row of docs/errors.md, met for real: one test for each code, named after it."""

import pathlib
import re
import signal
import unittest

import fixtures
from harness import processes, repository, waiting, wire
from harness.wire import ErrorCode

ACCOUNTS = "CREATE TABLE accounts (id int PRIMARY KEY, balance bigint NOT NULL CHECK (balance >= 0))"
ELSEWHERE = "met by tests of its own: "


class Errors(fixtures.ClusterTest):
    """A cluster of two databases with accounts 1 to 9 of 100 each."""

    databases = 2

    @classmethod
    def prepare(cls):
        for server in cls.cluster.servers:
            server.execute(f"{ACCOUNTS};"
                           "INSERT INTO accounts SELECT i, 100 FROM generate_series(1, 9) i;"
                           "GRANT ALL ON accounts TO assent_work", server.database)

    def setUp(self):
        self.coordinator = self.connect(wire.coordinator, self.cluster.coordinators[0], "client")
        self.agents = {name: self.connect(wire.branches, self.agent(name), "client")
                       for name in ("db1", "db2")}
        self.id = self.coordinator.start().transaction

    # ── what the tests speak in ─────────────────────────────────────────────────────────────────

    def agent(self, name):
        return self.cluster.service(f"agent-{name}")

    def branch(self, name="db1", **opening):
        return wire.Branch(self.agents[name], name, self.id, **opening)

    def worked(self, name="db1", account=1):
        """A branch that has written."""
        branch = self.branch(name)
        branch.execute("UPDATE accounts SET balance = balance + 0 WHERE id = $1", account)
        return branch

    def commit(self, *branches, **options):
        return self.coordinator.commit(transaction=self.id, branches=list(branches), **options)

    def commit_first(self, *branches, **options):
        """With the promise that it is the first, so that one-shots run."""
        return self.commit(*branches, **wire.first(self.coordinator), **options)

    def abort(self, *branches):
        self.coordinator.abort(transaction=self.id, branches=list(branches), never_committed=True)

    def refused(self, code, call, *arguments, **options):
        """The error of a call that is refused with this code, checked for what every one has."""
        with self.assertRaises(wire.AssentError) as caught:
            call(*arguments, **options)
        return self.check(caught.exception, code)

    def check(self, error, code):
        self.assertEqual(ErrorCode._VALUES_TO_NAMES[error.code], ErrorCode._VALUES_TO_NAMES[code],
                         error.message)
        self.assertGreater(len(error.message), 10)
        self.assertEqual(error.retryable, self.row(code)["retryable"], error.message)
        return error

    def balance(self, name, account=1):
        return self.cluster.service(f"postgres-{name}").value(
            f"SELECT balance FROM accounts WHERE id = {account}")

    # ── the page ────────────────────────────────────────────────────────────────────────────────

    @staticmethod
    def rows():
        """The table of docs/errors.md: for each code what it says."""
        page = pathlib.Path(repository.ROOT, "docs", "errors.md").read_text(encoding="utf-8")
        found = {}
        for line in page.splitlines():
            cells = [cell.strip() for cell in line.strip("|").split("|")]
            if len(cells) == 5 and cells[0] in ErrorCode._NAMES_TO_VALUES:
                found[cells[0]] = {"meaning": cells[1], "retryable": cells[2] == "yes",
                                   "remedy": cells[3]}
        return found

    def row(self, code):
        return self.rows()[ErrorCode._VALUES_TO_NAMES[code]]

    def test_the_page_has_every_code_and_every_code_a_test(self):
        tests = {re.sub(r"__.*", "", name.removeprefix("test_")).upper() for name in dir(self)
                 if name.startswith("test_")}
        for code in ErrorCode._NAMES_TO_VALUES:
            with self.subTest(code):
                self.assertIn(code, self.rows())
                self.assertIn(code, tests)

    # ── a test for each code ────────────────────────────────────────────────────────────────────

    def test_invalid_argument__malformed_id(self):
        error = self.refused(ErrorCode.INVALID_ARGUMENT, self.coordinator.commit,
                             transaction="no-id", branches=[])
        self.assertIn("transaction", error.message)

    def test_invalid_argument__same_participant_twice(self):
        branch = self.worked()
        error = self.refused(ErrorCode.INVALID_ARGUMENT, self.commit,
                             branch.at_commit(), branch.at_commit())
        self.assertIn("db1", error.message)
        self.abort(branch.at_commit())

    def test_invalid_argument__no_branches(self):
        self.refused(ErrorCode.INVALID_ARGUMENT, self.commit)

    def test_invalid_argument__copy(self):
        self.refused(ErrorCode.INVALID_ARGUMENT, self.branch().execute, "COPY accounts TO STDOUT")

    def test_invalid_argument__abort_that_names_no_branches(self):
        error = self.refused(ErrorCode.INVALID_ARGUMENT, self.coordinator.abort,
                             transaction=self.id, branches=[])
        self.assertIn("never", error.message)

    def test_unsupported_version(self):
        error = self.refused(ErrorCode.UNSUPPORTED_VERSION, self.coordinator.hello,
                             protocol_version=99)
        self.assertIn("99", error.message)

    def test_not_leader__of_the_office_that_was_promised(self):
        present = self.coordinator.start().office
        one_shot = wire.one_shot("db1", wire.statement("SELECT 1"))
        error = self.refused(ErrorCode.NOT_LEADER, self.commit, one_shot, first=True,
                             office=present + 1)
        self.assertEqual(error.office, present)
        self.assertEqual(self.commit_first(one_shot).outcome, 1, "nothing was done before")

    def test_invalid_argument__a_promise_to_no_office(self):
        error = self.refused(ErrorCode.INVALID_ARGUMENT, self.commit,
                             wire.one_shot("db1", wire.statement("SELECT 1")), first=True)
        self.assertIn("office", error.message)

    def test_unavailable(self):
        server = self.cluster.service("postgres-db2")
        server.kill()
        try:
            error = self.refused(ErrorCode.UNAVAILABLE, self.branch("db2").execute, "SELECT 1")
        finally:
            self.cluster.restart("postgres-db2")
            self.until_usable("db2")
        self.assertEqual(error.participant, "db2")

    def test_overloaded(self):
        agent = self.agent("db1")
        with self.reconfigured(agent, "work_connections = 64",
                               "work_connections = 1\nwork_wait_ms = 100"):
            self.agents["db1"] = self.connect(wire.branches, agent, "client")
            holder = self.worked()
            self.id, first = self.coordinator.start().transaction, self.id
            error = self.refused(ErrorCode.OVERLOADED, self.branch().execute, "SELECT 1")
            self.id = first
            self.abort(holder.at_commit())
        self.assertIn("1 work connections", error.message)

    def test_unknown_participant__at_commit(self):
        stray = wire.transaction.CommitBranch("nobody", 1, 1, 1)
        error = self.refused(ErrorCode.UNKNOWN_PARTICIPANT, self.commit, stray)
        self.assertIn("nobody", error.message)

    def test_unknown_participant__at_the_wrong_agent(self):
        wrong = wire.Branch(self.agents["db1"], "db2", self.id)
        self.refused(ErrorCode.UNKNOWN_PARTICIPANT, wrong.execute, "SELECT 1")

    def test_clock(self):
        self.id = wire.new_id(age_ms=-600_000)
        branch = self.worked()
        error = self.refused(ErrorCode.CLOCK, self.commit, branch.at_commit())
        self.assertIn("ahead", error.message)
        branch.execute("SELECT 1")
        self.agents["db1"].cancel(transaction=self.id, participant="db1", branch=branch.reference)

    def test_expired(self):
        self.id = wire.new_id(age_ms=3_600_000)
        branch = self.worked()
        self.refused(ErrorCode.EXPIRED, self.commit, branch.at_commit())
        self.refused(ErrorCode.EXPIRED, self.coordinator.status, transaction=self.id)
        self.agents["db1"].cancel(transaction=self.id, participant="db1", branch=branch.reference)

    def test_id_reused__at_commit(self):
        first, second = self.worked("db1"), self.worked("db2")
        self.assertEqual(self.commit(first.at_commit(), second.at_commit()).outcome, 1)
        other = wire.transaction.CommitBranch("db1", 1, 99_999, 1)
        self.refused(ErrorCode.ID_REUSED, self.commit, other, second.at_commit())

    def test_id_reused__at_the_agent(self):
        branch = self.worked()
        self.refused(ErrorCode.ID_REUSED, self.branch().execute, "SELECT 1")
        self.abort(branch.at_commit())

    def test_unknown_branch(self):
        branch = self.branch()
        branch.reference = wire.transaction.BranchRef(1, 99_999)
        error = self.refused(ErrorCode.UNKNOWN_BRANCH, branch.execute, "SELECT 1")
        self.assertEqual(error.participant, "db1")

    def test_statement_number__gap(self):
        branch = self.worked()
        branch.count = 5
        self.refused(ErrorCode.STATEMENT_NUMBER, branch.execute, "SELECT 1")
        self.abort(branch.at_commit())

    def test_statement_number__lost_statement_at_commit(self):
        branch, other = self.worked("db1"), self.worked("db2")
        branch.count = 2
        reply = self.commit(branch.at_commit(), other.at_commit())
        self.assertEqual(reply.outcome, 2)
        self.check(reply.reason, ErrorCode.STATEMENT_NUMBER)

    def test_branch_ended__after_commit(self):
        branch, other = self.worked("db1"), self.worked("db2")
        self.commit(branch.at_commit(), other.at_commit())
        self.refused(ErrorCode.BRANCH_ENDED, branch.execute, "SELECT 1")

    def test_branch_ended__idle_deadline(self):
        branch = self.branch(idle_timeout_ms=50)
        branch.execute("SELECT 1")
        waiting.until(lambda: self.has_ended(branch), 10, "the idle deadline")

    def test_branch_ended__lifetime(self):
        branch = self.branch(lifetime_ms=100)
        branch.execute("SELECT 1")
        self.refused(ErrorCode.BRANCH_ENDED, branch.execute, "SELECT pg_sleep(20)")

    def test_branch_ended__cancelled(self):
        branch = self.worked()
        self.agents["db1"].cancel(transaction=self.id, participant="db1", branch=branch.reference)
        error = self.refused(ErrorCode.BRANCH_ENDED, branch.execute, "SELECT 1")
        self.assertIn("cancel", error.message)

    def test_sql__names_participant_statement_and_state(self):
        branch = self.worked()
        error = self.refused(ErrorCode.SQL, branch.execute, "SELECT no_such_column FROM accounts")
        self.assertEqual((error.participant, error.sql.statement_number, error.sql.sqlstate),
                         ("db1", 2, "42703"))
        self.abort(branch.at_commit())

    def test_sql__of_one_branch_rolls_back_everywhere(self):
        reply = self.commit_first(
            wire.one_shot("db1", wire.statement("UPDATE accounts SET balance = 0 WHERE id = 2")),
            wire.one_shot("db2", wire.statement("SELECT 1 / 0")))
        self.assertEqual(reply.outcome, 2)
        self.assertEqual((reply.reason.participant, reply.reason.sql.sqlstate), ("db2", "22012"))
        self.assertEqual(self.balance("db1", 2), "100")

    def test_stale_ballot(self):
        peer = self.connect(wire.agent, self.agent("db1"), "peer")
        old = wire.common.Ballot(1, 0x7FFF, 1)
        name = self.cluster.name
        with self.assertRaises(wire.AssentError):
            peer.inventory(ballot=wire.common.Ballot(0, 0, 0), cluster=name)
        self.cluster.kill("coordinator-1")
        self.cluster.restart("coordinator-1")
        self.coordinator = self.connect(wire.coordinator, self.cluster.coordinators[0], "client")
        self.until_usable("db1")
        old = wire.common.Ballot(1, 1, 1)
        self.refused(ErrorCode.STALE_BALLOT, peer.inventory, ballot=old, cluster=name)

    def enrolment(self, **changes):
        fields = dict(cluster=self.cluster.name, participant="db1", nonce="test", stored_epoch=0,
                      identity=wire.participant.DatabaseIdentity(1, 1), timeline=1, wal_position=1,
                      client_address="127.0.0.1:1", peer_address="127.0.0.1:1")
        return {**fields, **changes}

    def registry(self):
        return self.connect(wire.registry, self.cluster.coordinators[0], "peer")

    def test_identity_mismatch(self):
        agent = self.agent("db2")
        agent.stop()
        try:
            waiting.until(lambda: not self.is_live("db2"), 10, "silence")
            error = self.refused(ErrorCode.IDENTITY_MISMATCH, self.registry().enroll,
                                 **self.enrolment(participant="db2"))
        finally:
            self.cluster.restart("agent-db2")
            self.until_usable("db2")
        self.assertIn("bound", error.message)

    def test_displaced(self):
        self.restart_agent("db1")
        self.refused(ErrorCode.DISPLACED, self.registry().heartbeat, cluster=self.cluster.name,
                     participant="db1", epoch=1, leaving=False)

    def test_wrong_cluster(self):
        error = self.refused(ErrorCode.WRONG_CLUSTER, self.coordinator.hello, cluster="other")
        self.assertIn(self.cluster.name, error.message)

    def test_deadline(self):
        first, second = self.worked("db1", 3), self.worked("db2", 3)
        with self.stopped(self.agent("db2")):
            reply = self.commit(first.at_commit(), second.at_commit(), timeout_ms=300)
        self.assertEqual(reply.outcome, 2)
        error = self.check(reply.reason, ErrorCode.DEADLINE)
        self.assertEqual(error.participant, "db2")

    def test_deadline__agent_down(self):
        first, second = self.worked("db1", 5), self.worked("db2", 5)
        self.cluster.kill("agent-db2")
        try:
            reply = self.commit(first.at_commit(), second.at_commit(), timeout_ms=1_000)
            self.assertEqual(reply.outcome, 2)
            error = self.check(reply.reason, ErrorCode.DEADLINE)
            self.assertEqual(error.participant, "db2")
            self.assertIn("cannot connect", error.message)
        finally:
            self.cluster.restart("agent-db2")
            self.until_usable("db2")
        self.assertEqual((self.balance("db1", 5), self.balance("db2", 5)), ("100", "100"))

    def test_outcome_unknown(self):
        branch = self.worked("db1", 4)
        with self.stopped(self.agent("db1")):
            self.refused(ErrorCode.OUTCOME_UNKNOWN, self.commit_first, branch.at_commit(),
                         timeout_ms=200)
        reply = self.commit(branch.at_commit())
        self.assertEqual(reply.outcome, 1, "asking again brings the truth")

    def test_transaction_control(self):
        branch = self.worked()
        for sql in ("COMMIT", "/* x */ rollback", "PREPARE TRANSACTION 'x'"):
            branch.count = 1
            self.refused(ErrorCode.TRANSACTION_CONTROL, branch.execute, sql)
        branch.count = 1
        branch.execute("SAVEPOINT fine")
        self.abort(branch.at_commit())

    def test_internal(self):
        branch = self.worked()
        ballot = wire.common.Ballot(1, 1_000, 1)
        peer = self.connect(wire.agent, self.agent("db1"), "peer")
        name = wire.common.BranchId(self.id, "db1", branch.reference.epoch,
                                    branch.reference.attempt)
        error = self.refused(ErrorCode.INTERNAL, peer.finish, ballot=ballot, branch=name, outcome=1)
        self.assertIn("contradicts", error.message)
        self.restart_agent("db1")  # it has seen a ballot that the coordinator does not have

    def test_row_count__insufficient_funds_leave_both_databases_untouched(self):
        take = wire.statement("UPDATE accounts SET balance = balance - 500"
                              " WHERE id = 5 AND balance >= 500", expected_rows=1)
        put = wire.statement("UPDATE accounts SET balance = balance + 500 WHERE id = 5",
                             expected_rows=1)
        reply = self.commit_first(wire.one_shot("db1", take), wire.one_shot("db2", put))
        self.assertEqual(reply.outcome, 2)
        error = self.check(reply.reason, ErrorCode.ROW_COUNT)
        self.assertEqual(error.participant, "db1")
        self.assertIn("statement 1", error.message)
        self.assertEqual((self.balance("db1", 5), self.balance("db2", 5)), ("100", "100"))

    def test_row_count__of_an_interactive_statement(self):
        branch = self.worked()
        error = self.refused(ErrorCode.ROW_COUNT, branch.execute,
                             "DELETE FROM accounts WHERE id = 77", expected_rows=1)
        self.assertEqual(error.participant, "db1")
        self.abort(branch.at_commit())

    # ── helpers that wait ───────────────────────────────────────────────────────────────────────

    def has_ended(self, branch):
        try:
            branch.count = 1
            branch.execute("SELECT 1")
        except wire.AssentError as error:
            return error.code == ErrorCode.BRANCH_ENDED
        return False

    def is_live(self, name):
        return any(each.live for each in self.coordinator.hello().participants if each.name == name)

    def until_usable(self, name):
        def usable():
            try:
                client = wire.branches(self.agent(name).ports["client"])
                branch = wire.Branch(client, name, self.coordinator.start().transaction)
                branch.execute("SELECT 1")
                self.coordinator.commit(transaction=branch.id, branches=[branch.at_commit()])
                client.close()
                return True
            except Exception:  # any refusal: not yet
                return False
        waiting.until(usable, 30, f"{name} to be usable")

    def restart_agent(self, name):
        self.cluster.kill(f"agent-{name}")
        self.cluster.restart(f"agent-{name}")
        self.until_usable(name)

    def reconfigured(self, agent, old, new):
        return fixtures.Reconfigured(self, agent, old, new)

    def stopped(self, service):
        return fixtures.Stopped(service)


if __name__ == "__main__":
    unittest.main()
