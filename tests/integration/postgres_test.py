"""A server of the harness is a real one: durable, and as agents need it."""

import unittest

import fixtures
from harness import bank, cluster, processes
from harness.errors import HarnessError


class PostgresServer(fixtures.ServerTest):
    """One server with its database."""

    def test_settings_are_durable_and_allow_prepared_transactions(self):
        for name, value in (("fsync", "on"), ("synchronous_commit", "on"),
                            ("max_prepared_transactions", "500"), ("max_connections", "300")):
            self.assertEqual(self.server.value(f"SHOW {name}"), value)

    def test_client_statements_may_create_tables_and_use_those_of_the_superuser(self):
        self.server.execute("CREATE TABLE made_by_superuser (id bigserial PRIMARY KEY)")

        self.server.execute("""
            SET SESSION AUTHORIZATION assent_work;
            INSERT INTO made_by_superuser DEFAULT VALUES;
            CREATE TABLE made_by_client (id bigint)""")

        self.assertEqual(self.server.value("SELECT count(*) FROM made_by_superuser"), "1")

    def test_a_failed_statement_is_told_in_postgresqls_words(self):
        with self.assertRaisesRegex(HarnessError, 'relation "nothing" does not exist'):
            self.server.execute("SELECT * FROM nothing")

    def test_kill_ends_every_process_and_restart_keeps_what_was_prepared(self):
        bank.open_accounts(self.server, 100)
        self.server.execute("""
            BEGIN; UPDATE accounts SET balance = 0 WHERE id = 1; PREPARE TRANSACTION 'a branch'""")

        self.cluster.kill("postgres-db1")
        left = fixtures.processes_of(self.server.directory)
        self.cluster.restart("postgres-db1")

        self.assertEqual(left, [])
        self.assertEqual(self.server.prepared_transactions(), ["a branch"])
        self.assertEqual(bank.balances([self.server]), [100 * bank.BALANCE])

    def test_restart_is_recorded(self):
        self.cluster.kill("postgres-db1")
        self.cluster.restart("postgres-db1")

        found = cluster.load(self.cluster.directory)

        self.assertEqual(found.servers[0].identity, self.server.identity)
        self.assertTrue(processes.is_running(found.servers[0].identity))

    def test_a_path_too_long_for_a_socket_is_refused(self):
        other = cluster.Cluster(self.directory / ("x" * 100), "test", "/nonexistent")
        other.directory.mkdir()

        with self.assertRaisesRegex(HarnessError, "too long for a unix socket"):
            other.add_server("db1")


if __name__ == "__main__":
    unittest.main()
