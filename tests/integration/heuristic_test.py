"""Somebody ends a prepared branch by hand, against the decision."""

import threading
import time
import unittest

import fixtures
import verbs
from bank_fixture import COMMITTED, BankTest
from harness import bank, errors, status, wire

GOOD, PROBLEM = 0, 1  # exit codes of assentctl


class ByHand(BankTest):
    """A group of three; each test leaves all of it running."""

    def assentctl(self, *words):
        """What a verb of `assentctl heuristic` says to machines, and its exit code."""
        return verbs.call_at(self.cluster, "heuristic", *words)

    def gid_of(self, transaction):
        """The gid of the second database's branch once it is prepared; None: it has ended."""
        query = f"SELECT gid FROM pg_prepared_xacts WHERE gid LIKE '%{transaction}%'"
        deadline = time.monotonic() + 20
        while time.monotonic() < deadline and self.asking.is_alive():
            gids = self.look.rows(query)
            if gids:
                return gids[0][0]
        return None

    def roll_back(self, gid):
        """False: it has ended already."""
        try:
            self.look.rows(f"ROLLBACK PREPARED '{gid}'")
            return True
        except errors.HarnessError:
            return False

    def rolled_back_by_hand(self, account):
        """A committed transaction whose second branch was rolled back by hand before it heard."""
        self.look = self.cluster.servers[1].connect()
        self.addCleanup(self.look.close)
        while True:
            client = self.at(self.cluster.leader())
            transaction = client.start().transaction
            asked = {"transaction": transaction, "branches": self.worked(transaction, account)}
            answers = []
            self.asking = threading.Thread(
                target=lambda: answers.append(client.commit(**asked)))
            self.asking.start()
            gid = self.gid_of(transaction)
            with fixtures.Stopped(self.cluster.service("agent-db2")):
                ended = gid and self.roll_back(gid)
            self.asking.join()
            self.assertEqual(answers[0].outcome, COMMITTED)
            if ended:
                return asked, answers[0]
            self.moved_whole += 1  # its agent was faster

    def test_is_told_by_every_leader_until_it_is_forgotten(self):
        self.moved_whole = 0
        account = 150
        self.assertEqual(self.assentctl("list"), ({"heuristics": [], "untold": 0}, GOOD))

        asked, answer = self.rolled_back_by_hand(account)

        self.assertEqual(answer.heuristic, ["db2"])
        leader = self.cluster.leader()
        self.cluster.kill(leader.name)
        others = [each for each in self.cluster.coordinators if each is not leader]
        client = self.at(status.wait_for_leader(others))
        self.assertEqual(client.commit(**asked).heuristic, ["db2"])
        self.assertEqual(client.status(transaction=asked["transaction"]).heuristic, ["db2"])
        self.cluster.restart(leader.name)

        told, code = self.assentctl("list")
        self.assertEqual(code, PROBLEM)
        one, = told["heuristics"]
        self.assertEqual((one["transaction"], one["outcome"], one["kind"]),
                         (asked["transaction"], "COMMITTED", "mixed"))
        branch, = one["branches"]
        self.assertEqual((branch["participant"], branch["result"]), ("db2", "heuristic-rollback"))

        done = self.assentctl("forget", asked["transaction"], "--reason", "booked by hand")
        self.assertEqual(done, ({"forgotten": True}, GOOD))
        self.assertEqual(self.assentctl("list"), ({"heuristics": [], "untold": 0}, GOOD))
        whole = self.moved_whole
        balances = [int(server.value(f"SELECT balance FROM accounts WHERE id = {account}"))
                    for server in self.cluster.servers]
        self.assertEqual(balances, [bank.BALANCE - whole - 1, bank.BALANCE + whole])


if __name__ == "__main__":
    unittest.main()
