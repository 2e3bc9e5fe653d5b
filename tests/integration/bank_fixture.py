"""A cluster with a bank in it: two databases, a group of three replicas, and transfers by hand."""

import fixtures
from harness import bank, bank_run, status, waiting, wire

COMMITTED, ABORTED = wire.common.Outcome.COMMITTED, wire.common.Outcome.ABORTED
ADD = "UPDATE accounts SET balance = balance + $1 WHERE id = $2"
TRAFFIC_ACCOUNTS = 100  # those above are the tests' own


class BankTest(fixtures.ClusterTest):
    """Each test leaves all of the cluster running."""

    databases = 2
    replicas = 3

    @classmethod
    def prepare(cls):
        for server in cls.cluster.servers:
            bank.open_accounts(server, 2 * TRAFFIC_ACCOUNTS)

    def at(self, replica):
        """A client of one replica."""
        return self.connect(wire.coordinator, replica, "client")

    def worked(self, transaction, account):
        """A branch on each database that has written; as a commit names them."""
        branches = []
        for name, amount in (("db1", -1), ("db2", 1)):
            agent = self.connect(wire.branches, self.cluster.service(f"agent-{name}"), "client")
            branch = wire.Branch(agent, name, transaction)
            branch.execute(ADD, amount, account)
            branches.append(branch.at_commit())
        return branches

    def committed(self, account):
        """A transaction that has committed: what asked for it."""
        client = self.at(self.cluster.leader())
        transaction = client.start().transaction
        asked = {"transaction": transaction, "branches": self.worked(transaction, account)}
        self.assertEqual(client.commit(**asked).outcome, COMMITTED)
        return asked

    def assert_still_committed(self, asked):
        self.assertEqual(self.at(self.cluster.leader()).commit(**asked).outcome, COMMITTED)

    def traffic(self):
        """Clients that move money until they are told to end."""
        chosen = bank_run.Traffic(clients=4, one_shot=False, accounts=TRAFFIC_ACCOUNTS)
        return bank_run.endless_traffic(self.cluster, chosen)

    def assert_all_equal(self):
        """All replicas have executed the same, or will have in a moment."""
        slots = status.wait_until_equal(self.cluster.coordinators)
        self.assertEqual(len(set(slots)), 1, slots)

    def until_nothing_is_prepared(self):
        waiting.until(lambda: not any(self.cluster.prepared_transactions().values()), 20,
                      "all branches to be settled")
