"""More connections and transactions than there is room for, with the programs of this build."""

import resource
import unittest

import fixtures
from harness import bank, cluster, crowd, open_loop, ports

CONNECTIONS = 10_000
TRANSACTIONS = 10_000
FILES = 12_000  # of the coordinator, and of the crowd: the connections, and some to spare
SOFT_FILES = 1_024
KILOBYTES_PER_CONNECTION_MAX = 64
SLOTS = 10


class Crowd(fixtures.DirectoryTest):
    """What a crowd costs the coordinator, and that it answers everybody."""

    def setUp(self):
        super().setUp()
        usual, limit = resource.getrlimit(resource.RLIMIT_NOFILE)
        if limit != resource.RLIM_INFINITY and limit < FILES:
            self.skipTest(f"needs {FILES} open files; the hard limit of this machine is {limit}")
        # What a login shell gives: the programs must raise it themselves.
        resource.setrlimit(resource.RLIMIT_NOFILE, (SOFT_FILES, limit))
        self.addCleanup(resource.setrlimit, resource.RLIMIT_NOFILE, (usual, limit))
        self.cluster = cluster.up(self.directory / "cluster", "test", 1,
                                  fixtures.BUILD_DIRECTORY / "bin",
                                  settings={"agents": {"one_shots_max": 2 * TRANSACTIONS}})
        self.addCleanup(self._end)
        bank.open_accounts(self.cluster.servers[0])

    def _end(self):
        if self.cluster.directory.exists():
            self.cluster.abandon()

    def test_everybody_is_answered_at_a_bounded_cost(self):
        seen = crowd.gather(self.cluster, CONNECTIONS, TRANSACTIONS, bank.ACCOUNTS)

        print(f"{seen.kilobytes_per_connection:.1f} kB per connection,"
              f" {seen.kilobytes_per_transaction:.1f} kB per transaction", flush=True)
        for service in [*self.cluster.coordinators, *self.cluster.agents]:
            soft, hard = resource.prlimit(service.identity.pid, resource.RLIMIT_NOFILE)
            self.assertEqual(soft, hard, f"{service.name} raises its limit of open files")
        self.assertEqual(seen.answered, TRANSACTIONS, seen.report)
        self.assertGreater(seen.report["committed"], 0, seen.report)
        self.assertEqual(seen.driving.threads, seen.before.threads)
        self.assertEqual(crowd.usage(self.cluster.coordinators[0]).threads, seen.before.threads)
        self.assertLess(seen.kilobytes_per_connection, KILOBYTES_PER_CONNECTION_MAX)
        self.assertEqual(self.cluster.down(), [])


class FewSlots(fixtures.DirectoryTest):
    """More clients than a server has slots for prepared transactions."""

    def setUp(self):
        super().setUp()
        self.cluster = cluster.Cluster(cluster.claim(self.directory / "cluster"), "test",
                                       fixtures.BUILD_DIRECTORY / "bin")
        self.addCleanup(self._end)
        with ports.exclusive():
            for name in ("db1", "db2"):
                self.cluster.add_server(name, {"max_prepared_transactions": SLOTS})
            self.cluster.add_coordinators(1)
            for server in self.cluster.servers:
                self.cluster.add_agent(server)
        for server in self.cluster.servers:
            bank.open_accounts(server)

    def _end(self):
        if self.cluster.directory.exists():
            self.cluster.abandon()

    def load(self, rate, seconds):
        """What came of one-shots over both databases, so many a second, each sent once."""
        with open_loop.started(self.cluster, ("db1", "db2"), bank.ACCOUNTS, rate,
                               seconds) as load:
            return load.wait()

    def test_one_shots_beyond_the_slots_are_refused_at_once_and_none_fails_for_want_of_one(self):
        self.load(20, 3)  # the agents have told their slots by then
        report = self.load(4_000, 0.1)
        self.assertGreater(report["committed"], 0, report)
        self.assertGreater(report["reasons"].get("OVERLOADED", 0), 0, report)
        self.assertNotIn("SQL 53200", report["reasons"], report)
        self.assertEqual(self.cluster.down(), [])


if __name__ == "__main__":
    unittest.main()
