"""Three replicas of the coordinator, one of which dies, stands still or comes back."""

import threading
import time
import unittest

import fixtures
from bank_fixture import ABORTED, ADD, COMMITTED, BankTest
from harness import bank, status, waiting, wire
from harness.wire import ErrorCode

SILENCE_MS = 1_500  # agents.silence_ms


class Failover(BankTest):
    """A group of three; each test leaves all of it running."""

    # ── what the tests speak in ─────────────────────────────────────────────────────────────────

    def leader(self):
        return self.cluster.leader()

    def followers(self):
        leader = self.leader()
        return [each for each in self.cluster.coordinators if each is not leader]

    def successor(self, of):
        """Who leads when a replica does not run, or stands still."""
        others = [each for each in self.cluster.coordinators if each is not of]
        return status.wait_for_leader(others)

    def killed(self, replica):
        """Kills a replica now, and starts it again when the test is over."""
        self.addCleanup(self.cluster.restart, replica.name)
        self.cluster.kill(replica.name)

    def balances(self, account):
        return [int(server.value(f"SELECT balance FROM accounts WHERE id = {account}"))
                for server in self.cluster.servers]

    def assert_moved(self, account, amount):
        self.assertEqual(self.balances(account), [bank.BALANCE - amount, bank.BALANCE + amount])

    def refused(self, code, call, **fields):
        with self.assertRaises(wire.AssentError) as caught:
            call(**fields)
        self.assertEqual(ErrorCode._VALUES_TO_NAMES[caught.exception.code],
                         ErrorCode._VALUES_TO_NAMES[code], caught.exception.message)
        return caught.exception

    # ── who leads ───────────────────────────────────────────────────────────────────────────────

    def test_followers_name_the_leaders_port_of_the_same_kind(self):
        leader = self.leader()
        # A busy machine may have chosen another leader in between: then they all name that one.
        while not self._is_named_by_all_others(leader):
            self.assertIsNot(self.leader(), leader, "a follower does not name its leader")
            leader = self.leader()

    def _is_named_by_all_others(self, leader):
        hints = [hint for each in self.cluster.coordinators if each is not leader
                 for hint in self._hints_of(each)]
        named = [("client", leader.addresses("client")["client"])] * 5
        named.append(("peer", leader.addresses("peer")["peer"]))
        return hints == named * 2

    def _hints_of(self, replica):
        """What its ports say of who leads, for each call; None where it leads itself."""
        client, peer = self.at(replica), self.connect(wire.registry, replica, "peer")
        transaction = {"transaction": wire.new_id()}
        branches = {**transaction, "branches": [wire.transaction.CommitBranch("db1", 1, 1, 1)]}
        beat = {"cluster": self.cluster.name, "participant": "db1", "epoch": 1, "leaving": False}
        calls = [("client", client.hello, {}), ("client", client.start, {}),
                 ("client", client.status, transaction), ("client", client.commit, branches),
                 ("client", client.abort, branches), ("peer", peer.heartbeat, beat)]
        return [(port, self._hint(call, fields)) for port, call, fields in calls]

    @staticmethod
    def _hint(call, fields):
        try:
            call(**fields)
        except wire.AssentError as error:
            return error.leader if error.code == ErrorCode.NOT_LEADER and error.retryable else None
        return None

    def test_agents_are_alive_at_a_new_leader(self):
        leader = self.leader()
        self.killed(leader)
        client = self.at(self.successor(leader))
        begun = client.hello().now_ms

        # Whom a new leader has not heard of counts as alive for as long as a silence may last.
        waiting.until(lambda: client.hello().now_ms > begun + 2 * SILENCE_MS, 30, "the log's time")

        self.assertEqual([agent.live for agent in client.hello().participants], [True, True])

    def test_a_leader_that_is_told_to_stop_hands_the_office_over(self):
        leader = self.leader()
        self.addCleanup(self.cluster.restart, leader.name)

        self.assertIsNone(leader.stop())

        self.assertIsNot(self.successor(leader), leader)

    # ── one answer ──────────────────────────────────────────────────────────────────────────────

    def test_a_commit_repeated_to_another_replica_gets_the_same_answer(self):
        leader = self.leader()
        client = self.at(leader)
        committed, aborted = client.start().transaction, client.start().transaction
        branches, others = self.worked(committed, 101), self.worked(aborted, 102)
        self.assertEqual(client.commit(transaction=committed, branches=branches).outcome, COMMITTED)
        client.abort(transaction=aborted, branches=others, never_committed=True)
        self.killed(leader)

        client = self.at(self.successor(leader))

        for _ in range(2):
            answer = client.commit(transaction=committed, branches=branches)
            self.assertEqual(answer.outcome, COMMITTED)
            answer = client.commit(transaction=aborted, branches=others)
            self.assertEqual(answer.outcome, ABORTED)
        self.assert_moved(101, 1)
        self.assert_moved(102, 0)

    def test_a_first_copy_that_comes_to_a_later_office_is_not_run(self):
        leader = self.leader()
        client = self.at(leader)
        transaction, promise = client.start().transaction, wire.first(client)
        self.killed(leader)
        client = self.at(self.successor(leader))
        one_shots = [wire.one_shot(name, wire.statement(ADD, amount, 103))
                     for name, amount in (("db1", -1), ("db2", 1))]

        error = self.refused(ErrorCode.NOT_LEADER, client.commit, transaction=transaction,
                             branches=one_shots, **promise)

        self.assertGreater(error.office, promise["office"])
        self.assert_moved(103, 0)
        answer = client.commit(transaction=transaction, branches=one_shots, first=True,
                               office=error.office)
        self.assertEqual(answer.outcome, COMMITTED)
        self.assert_moved(103, 1)

    def test_what_a_dead_leader_left_prepared_is_settled(self):
        leader = self.leader()
        client = self.at(leader)
        transaction = client.start().transaction
        branches = self.worked(transaction, 104)
        asking = threading.Thread(target=self._answer, args=(leader, transaction, branches, []))
        with fixtures.Stopped(self.cluster.service("agent-db2")):
            asking.start()
            waiting.until(lambda: self.cluster.servers[0].prepared_transactions(), 20,
                          "the first branch to be prepared")
            self.killed(leader)
        asking.join()

        self.until_nothing_is_prepared()

        client = self.at(self.successor(leader))
        outcome = client.commit(transaction=transaction, branches=branches).outcome
        self.assert_moved(104, 1 if outcome == COMMITTED else 0)

    # ── a leader that stands still ──────────────────────────────────────────────────────────────

    def test_a_leader_that_stood_still_tells_no_outcome_against_its_successors(self):
        for account, expected in ((105, ABORTED), (106, COMMITTED), (107, ABORTED)):
            with self.subTest(account=account):
                self._stand_still(account, expected)

    def test_commits_go_on_while_the_leader_stands_still(self):
        with self.traffic() as workload:
            waiting.until(workload.is_at_work, 30, "commits")
            leader = self.leader()
            with fixtures.Stopped(leader):
                self.successor(leader)
                since = time.monotonic() + 1
                waiting.until(lambda: workload.committed_at() > since, 30, "more commits")
            result = workload.end(60)
        self.assertEqual(result.unknown, 0, result)
        self.assert_all_equal()
        self.until_nothing_is_prepared()

    def _stand_still(self, account, expected):
        old = self.leader()
        transaction = self.at(old).start().transaction
        branches = self.worked(transaction, account)
        answers = []
        asking = threading.Thread(target=self._answer, args=(old, transaction, branches, answers))
        with fixtures.Stopped(old):
            asking.start()  # it waits in the halted process's socket
            client = self.at(self.successor(old))
            if expected == ABORTED:
                told = client.abort(transaction=transaction, branches=branches)
            else:
                told = client.commit(transaction=transaction, branches=branches)
            self.assertEqual(told.outcome, expected)
        asking.join()

        self.assertIn(answers[0], (expected, ErrorCode.NOT_LEADER, ErrorCode.OUTCOME_UNKNOWN),
                      "codes from 3 up are errors")
        self.until_nothing_is_prepared()
        self.assert_moved(account, 1 if expected == COMMITTED else 0)
        waiting.until(old.is_ready, 20, f"{old.name} to follow")

    @staticmethod
    def _answer(replica, transaction, branches, answers):
        client = wire.coordinator(replica.ports["client"])
        try:
            answers.append(client.commit(transaction=transaction, branches=branches).outcome)
        except wire.AssentError as error:
            answers.append(error.code)
        except Exception as error:  # the connection of a process that was killed
            answers.append(error)
        finally:
            client.close()

    # ── a follower that comes back ──────────────────────────────────────────────────────────────

    def test_a_follower_that_comes_back_catches_up_while_traffic_flows(self):
        follower = self.followers()[0]
        with self.traffic() as workload:
            waiting.until(workload.is_at_work, 30, "commits")
            self.cluster.kill(follower.name)
            missed = self._executed(self.leader()) + 50
            waiting.until(lambda: self._executed(self.leader()) > missed, 30, "missed slots")
            self.cluster.restart(follower.name)
            target = self._executed(self.leader())
            waiting.until(lambda: self._executed(follower) >= target, 30, "the follower")
            self.assertTrue(workload.is_running())
            result = workload.end(60)
        self.assertGreater(result.committed, 100)
        self.assert_all_equal()
        self.until_nothing_is_prepared()

    @staticmethod
    def _executed(replica):
        slot, = status.executed_slots([replica])
        return slot or 0


if __name__ == "__main__":
    unittest.main()
