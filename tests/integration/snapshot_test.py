"""Replicas whose log is cut: who was away, or starts again, goes on from a snapshot."""

import unittest

import fixtures
import wire
from harness import bank, bank_run, decisions, status, waiting

COMMITTED = wire.common.Outcome.COMMITTED
ADD = "UPDATE accounts SET balance = balance + $1 WHERE id = $2"
BATCH = 5_000  # decisions


class Snapshots(fixtures.ClusterTest):
    """A group of three with a short log; each test leaves all of it running."""

    databases = 2
    replicas = 3
    snapshot_log_bytes = 256 << 10

    @classmethod
    def prepare(cls):
        for server in cls.cluster.servers:
            bank.open_accounts(server, 200)  # of which traffic uses the first 100

    def counters(self, replica):
        told, = status.of([replica])
        return told.counters if told else None

    def is_cut_above(self, replica, slot):
        """Decides until this replica keeps no value of a slot; True when it does not."""
        decisions.run(self.cluster, 64, count=BATCH)
        return self.counters(replica)["log_first_slot"] > slot + 1

    def cut_above(self, replica, slot):
        waiting.until(lambda: self.is_cut_above(replica, slot), 120, "a log that is cut")

    def wait_until_executed(self, replica, slot):
        waiting.until(lambda: (self.counters(replica) or {"executed_slot": 0})["executed_slot"] >= slot,
                      60, f"{replica.name} to have executed {slot}")

    def assert_all_equal(self):
        slots = status.wait_until_equal(self.cluster.coordinators)
        self.assertEqual(len(set(slots)), 1, slots)

    def committed_transaction(self, account):
        """A transaction that has committed, and what asked for it."""
        client = self.connect(wire.coordinator, self.cluster.leader(), "client")
        transaction = client.start().transaction
        branches = []
        for name, amount in (("db1", -1), ("db2", 1)):
            agent = self.connect(wire.branches, self.cluster.service(f"agent-{name}"), "client")
            branch = wire.Branch(agent, name, transaction)
            branch.execute(ADD, amount, account)
            branches.append(branch.at_commit())
        answer = client.commit(transaction=transaction, branches=branches)
        self.assertEqual(answer.outcome, COMMITTED)
        return {"transaction": transaction, "branches": branches}

    def test_a_replica_that_was_away_for_long_catches_up_by_a_snapshot_while_money_moves(self):
        leader, follower = self.cluster.leader(), self.cluster.follower()
        options = bank_run.Traffic(clients=4, one_shot=False, accounts=100)
        with bank_run.traffic(self.cluster, options, 600, "--progress-every", 100,
                              show=False) as workload:
            waiting.until(workload.is_at_work, 30, "commits")
            before = self.counters(follower)["executed_slot"]
            self.cluster.kill(follower.name)
            self.cut_above(leader, before)
            self.cluster.restart(follower.name)
            target = self.counters(leader)["executed_slot"]
            self.wait_until_executed(follower, target)
            self.assertTrue(workload.is_running())
            result = workload.end(60)
        self.assertGreater(result.committed, 100)
        self.assertEqual(result.unknown, 0)
        self.assertEqual(self.counters(follower)["snapshots_fetched"], 1)
        self.assert_all_equal()

    def test_replicas_start_again_from_their_snapshots(self):
        committed = self.committed_transaction(150)
        self.cut_above(self.cluster.leader(), self.counters(self.cluster.leader())["executed_slot"])
        executed = self.counters(self.cluster.leader())["executed_slot"]
        for replica in self.cluster.coordinators:
            self.cluster.kill(replica.name)
        for replica in self.cluster.coordinators:
            replica.spawn()
        self.cluster.save()
        for replica in self.cluster.coordinators:
            replica.wait_ready()

        leader = self.cluster.leader()

        self.assertGreaterEqual(self.counters(leader)["executed_slot"], executed)
        self.assertGreater(self.counters(leader)["snapshot_slot"], 0)
        self.assertLess(self.counters(leader)["log_replayed"], 2 * executed,
                        "two records to a slot: a log from the first one on would have more")
        client = self.connect(wire.coordinator, leader, "client")
        self.assertEqual(client.commit(**committed).outcome, COMMITTED)
        self.assert_all_equal()


if __name__ == "__main__":
    unittest.main()
