"""A coordinator that was lost as a whole, and goes on from a backup: docs/operations.md, step by step."""

import json
import subprocess
import threading
import unittest

from thrift.Thrift import TException

import fixtures
from bank_fixture import BankTest
from harness import arming, assentctl, bank, errors, status, waiting, wire

GOOD, PROBLEM, USAGE = 0, 1, 2  # exit codes of assentctl


class Restore(BankTest):
    """The group of replicas is lost once; the databases and their agents are not."""

    def assentctl(self, *words):
        """A verb that names no admin port: what it says to machines, and its exit code."""
        command = [fixtures.BUILD_DIRECTORY / "bin" / "assentctl", *words, "--json"]
        done = subprocess.run([str(word) for word in command], capture_output=True, text=True,
                              timeout=60, check=False)
        return json.loads(done.stdout), done.returncode

    def balances(self, account):
        query = f"SELECT balance FROM accounts WHERE id = {account}"
        return [int(server.value(query)) - bank.BALANCE for server in self.cluster.servers]

    def half_done(self, account):
        """A transaction that is committed in the first database, and only prepared in the second."""
        agent = self.cluster.service("agent-db2")
        arming.begin(self.cluster, agent, "agent.finish.sending:stop")
        leader = self.cluster.leader()
        transaction = self.at(leader).start().transaction
        asked = {"transaction": transaction, "branches": self.worked(transaction, account)}
        asking = threading.Thread(target=self.ask_in_vain, args=(asked,), daemon=True)
        asking.start()
        arming.wait_for_halt(agent, "agent.finish.sending:stop", self.cluster, leader)
        waiting.until(lambda: self.balances(account)[0] == -1, 20, "db1 to have committed")
        return asked, agent, asking

    def ask_in_vain(self, asked):
        """A client that asks whoever leads, until nobody is left."""
        while any(each.is_running() for each in self.cluster.coordinators):
            try:
                self.at(self.cluster.leader()).commit(**asked)
            except (TException, errors.HarnessError):
                pass  # it is dead, or leads no more

    def backup(self):
        return json.loads(assentctl.run(
            self.cluster, "backup", "--to", self.cluster.directory / "backups", "--json"))

    def refused_by_who_has_not_executed_enough(self):
        """One that lags does not serve: it has not what clients were told of."""
        replica = self.connect(wire.group_administration, self.cluster.follower(), "admin")
        chosen = self.connect(wire.group_administration, self.cluster.leader(), "admin").group()
        with self.assertRaises(wire.AssentError) as caught:
            replica.backup(at_least=chosen.chosen_slot + 1_000_000)
        self.assertEqual(caught.exception.code, wire.ErrorCode.UNAVAILABLE)
        self.assertIn("has executed slot", caught.exception.message)

    def lose_everything(self):
        """The last one that is left can still be copied; nobody knows then what it lacks."""
        *others, last = self.cluster.coordinators
        for each in others:
            if each.is_running():
                each.kill_for_good()
        self.assertFalse(self.backup()["complete"])
        last.kill_for_good()
        for each in self.cluster.coordinators:
            each.data_directory.rename(each.directory / "lost")

    def restore(self, replica, backup):
        """The verb's dry run changes nothing; the verb itself does it once."""
        words = ("restore", backup, "--config", replica.config)
        told, code = self.assentctl(*words)
        self.assertEqual((told["done"], code), (False, GOOD), told)
        self.assertFalse(replica.data_directory.exists())
        told, code = self.assentctl(*words, "--yes")
        self.assertEqual((told["done"], code), (True, GOOD), told)
        told, code = self.assentctl(*words, "--yes")
        self.assertEqual((told["error"]["code"], code), ("INVALID_ARGUMENT", USAGE))
        self.assertIn("is not empty", told["error"]["message"])

    def refused_while_a_replica_lives(self, backup):
        replica = self.cluster.follower()
        replica.kill_for_good()
        replica.data_directory.rename(replica.directory / "away")
        told, code = self.assentctl("restore", backup, "--config", replica.config, "--yes")
        (replica.directory / "away").rename(replica.data_directory)
        self.assertEqual((told["error"]["code"], code), ("INVALID_ARGUMENT", USAGE))
        self.assertIn(" runs: only a group", told["error"]["message"])

    def begin_lives(self):
        """The replicas are there again; agents of before end, and are started again."""
        for each in self.cluster.coordinators:
            each.spawn()
        self.cluster.save()
        for each in self.cluster.coordinators:
            each.wait_ready()
        for agent in self.cluster.agents:
            if agent.is_running():
                self.assertEqual(agent.wait_for_end(20), PROBLEM, "a new life has to enrol")
            self.cluster.begin_life(agent)

    def heuristic_of(self, transaction):
        return assentctl.heuristics(self.cluster).get(transaction)

    def kind_becomes(self, transaction, kind):
        def holds():
            kept = self.heuristic_of(transaction)
            return kept is not None and kept["kind"] == kind
        waiting.until(holds, 30, f"{transaction} to be kept as {kind}")

    def resolve(self, transaction, *words):
        return json.loads(assentctl.run(self.cluster, "resolve", transaction, "--json", *words))

    def test_decides_nothing_about_what_it_may_have_decided(self):
        before = self.committed(150)
        backup = self.backup()
        self.assertEqual((backup["cluster"], backup["complete"]), (self.cluster.name, True))
        self.refused_by_who_has_not_executed_enough()
        lost, agent, asking = self.half_done(151)
        self.refused_while_a_replica_lives(backup["file"])
        self.lose_everything()
        agent.kill_for_good()
        asking.join(20)

        for each in self.cluster.coordinators:
            self.restore(each, backup["file"])
        self.begin_lives()

        # What the backup knows is as it was; what was lost is left to the operator, and prepared.
        self.assert_still_committed(before)
        transaction = lost["transaction"]
        self.kind_becomes(transaction, "hazard")
        kept = self.heuristic_of(transaction)
        self.assertIsNone(kept["outcome"])
        self.assertEqual([each["participant"] for each in kept["branches"]], ["db2"])
        self.assertEqual(self.balances(151), [-1, 0])
        with self.assertRaises(wire.AssentError) as caught:
            self.at(self.cluster.leader()).commit(**lost)
        self.assertEqual(caught.exception.code, wire.ErrorCode.EXPIRED)
        self.committed(152)
        self.assertEqual(self.balances(152), [-1, 1])

        # He sees that db1 has committed, looks at what would be done, and does it.
        self.assertFalse(self.resolve(transaction, "--commit")["done"])
        self.assertEqual(self.balances(151), [-1, 0])
        told = self.resolve(transaction, "--commit", "--yes", "--reason", "db1 has committed")
        self.assertEqual(told["resolution"]["outcome"], "COMMITTED")
        with self.assertRaisesRegex(errors.HarnessError, f"exit code {USAGE}"):
            self.resolve(transaction, "--abort", "--yes", "--reason", "a mistake")
        self.kind_becomes(transaction, "settled")
        self.assertEqual(self.balances(151), [-1, 1])
        assentctl.forget_heuristic(self.cluster, transaction, "seen to")
        self.until_nothing_is_prepared()

        # Who was not restored is not of this log, though its configuration names it.
        stranger = self.cluster.follower()
        stranger.kill_for_good()
        stranger.data_directory.rename(stranger.directory / "restored")
        stranger.spawn()
        self.cluster.save()
        stranger.wait_for_log("was not restored from a backup", 20)
        self.committed(153)
        stranger.kill_for_good()
        subprocess.run(["rm", "-rf", stranger.data_directory], check=True)
        (stranger.directory / "restored").rename(stranger.data_directory)
        self.cluster.begin_life(stranger)
        status.wait_until_equal(self.cluster.coordinators)


if __name__ == "__main__":
    unittest.main()
