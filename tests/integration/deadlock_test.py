"""Deadlocks that go through two databases, which no PostgreSQL server can see, with real processes."""

import threading
import time
import unittest

import fixtures
from harness import waiting, wire

COMMITTED, ABORTED = wire.common.Outcome.COMMITTED, wire.common.Outcome.ABORTED
ADD = "UPDATE accounts SET balance = balance + $1 WHERE id = $2"
LOCK_TIMEOUT_SECONDS = 5  # the agents' default
LOCK_NOT_AVAILABLE = "55P03"


class Deadlock(fixtures.ClusterTest):
    """A cluster of two databases with the agents' default settings, accounts 1 to 9 of 0 in each."""

    databases = 2

    @classmethod
    def prepare(cls):
        for server in cls.cluster.servers:
            server.execute("CREATE TABLE accounts (id int PRIMARY KEY, balance bigint NOT NULL);"
                           "INSERT INTO accounts SELECT i, 0 FROM generate_series(1, 9) i;"
                           "GRANT ALL ON accounts TO assent_work", server.database)

    def client(self):
        return self.connect(wire.coordinator, self.cluster.coordinators[0], "client")

    def branch(self, name, transaction):
        agent = self.connect(wire.branches, self.cluster.service(f"agent-{name}"), "client")
        return wire.Branch(agent, name, transaction)

    def balances(self, account):
        return tuple(int(self.cluster.service(f"postgres-{name}").value(
            f"SELECT balance FROM accounts WHERE id = {account}")) for name in ("db1", "db2"))

    def until_waiting(self, name):
        waiting.until(lambda: self.cluster.service(f"postgres-{name}").value(
            "SELECT count(*) FROM pg_locks WHERE NOT granted") != "0", 10, f"a waiter in {name}")

    def assert_names(self, error, transaction):
        self.assertEqual((error.code, error.sql.sqlstate, error.retryable),
                         (wire.ErrorCode.SQL, LOCK_NOT_AVAILABLE, True), error)
        self.assertIn(transaction, error.message)

    # ── statement by statement ──────────────────────────────────────────────────────────────────

    def interactive(self, transaction, amount, account, order):
        """One transaction's two branches, the second statement in a thread: it is to be waited for.

        Returns the branches, the thread and what the second statement failed with, if it did.
        """
        first, second = (self.branch(name, transaction) for name in order)
        first.execute(ADD, amount, account)
        failures = []

        def go_on():
            try:
                second.execute(ADD, amount, account)
            except wire.AssentError as error:
                failures.append(error)

        return [first, second], threading.Thread(target=go_on), failures

    def end(self, client, transaction, branches, failures):
        """Commits, or aborts after a failure; the outcome."""
        if not failures:
            named = [branch.at_commit() for branch in branches]
            return client.commit(transaction=transaction, branches=named,
                                 **wire.first(client)).outcome
        named = [branch.at_commit() for branch in branches if branch.reference]
        client.abort(transaction=transaction, branches=named, never_committed=True)
        return ABORTED

    def test_lock_timeout_ends_it_and_names_the_blocker(self):
        client = self.client()
        one, other = client.start().transaction, client.start().transaction
        first = self.interactive(one, 1, 1, ("db1", "db2"))
        second = self.interactive(other, 10, 1, ("db2", "db1"))
        begun = time.monotonic()
        first[1].start()
        self.until_waiting("db2")
        second[1].start()
        self.until_waiting("db1")
        outcomes = {}
        for name, (branches, thread, failures) in ((one, first), (other, second)):
            thread.join()
            outcomes[name] = self.end(client, name, branches, failures)
        self.assertLess(time.monotonic() - begun, 3 * LOCK_TIMEOUT_SECONDS)

        self.assertEqual(outcomes[one], ABORTED, "it waited first and longest")
        self.assert_names(first[2][0], other)
        expected = 10 if outcomes[other] == COMMITTED else 0
        waiting.until(lambda: self.balances(1) == (expected, expected), 10, "the same end in both")
        if second[2]:
            self.assert_names(second[2][0], one)

        for transaction, amount in ((one, 1), (other, 10)):
            if outcomes[transaction] == COMMITTED:
                continue
            again = client.start().transaction
            branches, thread, failures = self.interactive(again, amount, 1, ("db1", "db2"))
            thread.start()
            thread.join()
            self.assertEqual(self.end(client, again, branches, failures), COMMITTED)
        self.assertEqual(self.balances(1), (11, 11))

    # ── in one message each: the locks are held by prepared branches ────────────────────────────

    def move(self, client, amount, account, late):
        """A one-shot that changes the row of database `late` last."""
        pause = wire.statement("SELECT pg_sleep(0.5)")
        add = wire.statement(ADD, amount, account)
        branches = [wire.one_shot(name, *([pause, add] if name == late else [add]))
                    for name in ("db1", "db2")]
        transaction = client.start().transaction
        return transaction, client.commit(transaction=transaction, branches=branches,
                                          timeout_ms=60_000, **wire.first(client))

    def test_prepared_branches_that_hold_each_others_rows(self):
        replies = {}

        def run(amount, late):
            replies[amount] = self.move(self.client(), amount, 2, late)

        threads = [threading.Thread(target=run, args=each) for each in ((1, "db1"), (10, "db2"))]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

        lost = [amount for amount, (_, reply) in replies.items() if reply.outcome == ABORTED]
        self.assertTrue(lost, "at least one gives way")
        for amount in lost:
            winner, _ = replies[11 - amount]
            self.assert_names(replies[amount][1].reason, winner)
            self.assertRegex(replies[amount][1].reason.message, "prepared transaction assent:")
        kept = sum({1, 10} - set(lost))
        waiting.until(lambda: self.balances(2) == (kept, kept), 10, "the same end in both")
        for amount in lost:
            self.assertEqual(self.move(self.client(), amount, 2, "db1")[1].outcome, COMMITTED)
        self.assertEqual(self.balances(2), (11, 11))
        for server in self.cluster.servers:
            self.assertEqual(server.prepared_transactions(), [])


if __name__ == "__main__":
    unittest.main()
