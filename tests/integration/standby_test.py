"""Standbys of the harness: they stream, lag when they are held back, and take their primary's place."""

import unittest

import fixtures
from harness import sql


class Standbys(fixtures.ServerTest):
    """A server and its standby."""

    def setUp(self):
        super().setUp()
        self.server.execute("CREATE TABLE seen (number int)")
        self.standby = self.cluster.add_standby(self.server, "postgres-db1-standby")

    def write(self, number):
        self.server.execute(f"INSERT INTO seen VALUES ({number})")

    def through_the_front(self, query):
        connection = sql.Connection(self.standby.front, "postgres", "app")
        self.addCleanup(connection.close)
        return connection.rows(query)

    def test_a_synchronous_one_has_all_and_takes_the_place(self):
        self.standby.make_synchronous()
        self.write(1)
        self.server.kill_for_good()

        self.cluster.promote(self.standby)

        self.assertEqual(self.through_the_front("SELECT number FROM seen"), [["1"]])
        self.assertEqual(self.through_the_front("SELECT substr(pg_walfile_name("
                                                "pg_current_wal_lsn()), 1, 8)"), [["00000002"]])
        self.assertEqual(self.cluster.servers, [self.standby])
        self.assertEqual(self.standby.participant, "db1")
        self.standby.execute("INSERT INTO seen VALUES (2)")

    def test_one_that_is_held_back_lacks_what_was_written_since(self):
        self.write(1)
        self.standby.hold_replication()
        self.write(2)
        self.server.kill_for_good()

        self.cluster.promote(self.standby)

        self.assertEqual(self.through_the_front("SELECT number FROM seen"), [["1"]])

    def test_one_that_is_released_gets_what_it_lacks(self):
        self.standby.hold_replication()
        self.write(1)
        self.standby.release_replication()
        self.standby.make_synchronous()
        self.write(2)

        self.server.kill_for_good()
        self.cluster.promote(self.standby)

        self.assertEqual(self.through_the_front("SELECT number FROM seen"), [["1"], ["2"]])


if __name__ == "__main__":
    unittest.main()
