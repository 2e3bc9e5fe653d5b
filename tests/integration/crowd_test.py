"""Ten thousand connections and transactions at once, with the programs of this build."""

import resource
import unittest

import fixtures
from harness import bank, cluster, crowd

CONNECTIONS = 10_000
TRANSACTIONS = 10_000
FILES = 12_000  # of the coordinator, and of the crowd: the connections, and some to spare
SOFT_FILES = 1_024
KILOBYTES_PER_CONNECTION_MAX = 64


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


if __name__ == "__main__":
    unittest.main()
