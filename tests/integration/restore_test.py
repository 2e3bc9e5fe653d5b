"""A coordinator that was lost as a whole, and goes on from a backup: docs/operations.md, step by step."""

import os
import re
import subprocess
import textwrap
import threading
import unittest

from thrift.Thrift import TException

import fixtures
import verbs
from bank_fixture import BankTest
from harness import arming, assentctl, bank, errors, repository, status, waiting, wire
from verbs import GOOD, PROBLEM, USAGE

PAGE = repository.ROOT / "docs" / "operations.md"
BLOCK = re.compile(r"^( *)```drill (\S+)\n(.*?)^ *```$", re.MULTILINE | re.DOTALL)


def drill():
    """The commands of the page's drill, by the name of their step."""
    return {name: textwrap.dedent(text).splitlines()
            for _, name, text in BLOCK.findall(PAGE.read_text(encoding="utf-8"))}


class Restore(BankTest):
    """The group of replicas is lost once; the databases and their agents are not."""

    def run_step(self, step, **variables):
        """What the commands of a step of the page's drill print, and their exit codes."""
        path = f"{fixtures.BUILD_DIRECTORY / 'bin'}:{os.environ['PATH']}"
        made = {name: str(value) for name, value in variables.items()}
        done = []
        for command in drill()[step]:
            did = subprocess.run(["bash", "-euc", command], env={"PATH": path, "LC_ALL": "C", **made},
                                 stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60,
                                 check=False)
            done.append((did.stdout + did.stderr, did.returncode))
        return done

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
        told, code = verbs.call_at(self.cluster, "backup", "--to", self.cluster.directory / "backups")
        self.assertEqual(code, GOOD, told)
        return told

    def backup_under_load(self):
        """The file that the page's command has made while money moved."""
        with self.traffic() as workload:
            waiting.until(workload.is_at_work, 30, "commits")
            (said, code), = self.run_step("back-up", AT=self.cluster.leader().address("admin"),
                                          BACKUPS=self.cluster.directory / "backups")
            self.assertTrue(workload.is_running())
            self.assertEqual(code, GOOD, said)
            self.assertNotIn("no leader answers", said)
            workload.end(60)
        return re.match(r"(\S+): the state of cluster test after slot \d+", said).group(1)

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
        told, code = verbs.call(*words)
        self.assertEqual((told["done"], code), (False, GOOD), told)
        self.assertFalse(replica.data_directory.exists())
        (rehearsed, code), (said, done) = self.run_step("restore", FILE=backup, CONFIG=replica.config)
        self.assertEqual((code, done), (GOOD, GOOD), rehearsed + said)
        self.assertIn("nothing was done", rehearsed)
        self.assertIn(f"replica {replica.replica} has it in", said)
        told, code = verbs.call(*words, "--yes")
        self.assertEqual((told["error"]["code"], code), ("INVALID_ARGUMENT", USAGE))
        self.assertIn("is not empty", told["error"]["message"])

    def refused_while_a_replica_lives(self, backup):
        replica = self.cluster.follower()
        replica.kill_for_good()
        replica.data_directory.rename(replica.directory / "away")
        told, code = verbs.call("restore", backup, "--config", replica.config, "--yes")
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

    def assert_not_contradicted(self, asked, account):
        """Every branch had confirmed it, so its record may have left below the floor."""
        try:
            self.assert_still_committed(asked)
        except wire.AssentError as error:
            self.assertEqual(error.code, wire.ErrorCode.EXPIRED)
        self.assertEqual(self.balances(account), [-1, 1])

    def test_the_drill_of_the_operations_guide(self):
        before = self.committed(150)
        whole = self.backup()
        self.assertEqual((whole["cluster"], whole["complete"]), (self.cluster.name, True))
        backup = self.backup_under_load()
        self.refused_by_who_has_not_executed_enough()
        lost, agent, asking = self.half_done(151)
        self.refused_while_a_replica_lives(backup)
        self.lose_everything()
        agent.kill_for_good()
        asking.join(20)

        for each in self.cluster.coordinators:
            self.restore(each, backup)
        self.begin_lives()

        # What the backup knows is as it was; what was lost is left to the operator, and prepared.
        self.assert_not_contradicted(before, 150)
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

        # He sees what waits in quarantine.
        here = {"AT": self.cluster.leader().address("admin"), "TRANSACTION": transaction}
        (listed, waits), (scanned, _), (explained, _) = self.run_step("look", **here)
        self.assertEqual(waits, PROBLEM)
        self.assertIn(f"{transaction}  NO RECORD  hazard", listed)
        self.assertRegex(scanned, f"(?s)operator's.*{transaction}|{transaction}.*operator's")
        self.assertIn(f"assentctl resolve {transaction}", explained)

        # He sees that db1 has committed, looks at what would be done, and does it.
        told, code = verbs.call_at(self.cluster, "resolve", transaction, "--commit")
        self.assertEqual((told["done"], told["resolution"], code), (False, None, GOOD))
        self.assertEqual(self.balances(151), [-1, 0])
        (rehearsed, _), (said, code) = self.run_step("decide", **here)
        self.assertIn("would be done: COMMIT PREPARED of db2/", rehearsed)
        self.assertEqual(code, GOOD, said)
        told, code = verbs.call_at(self.cluster, "resolve", transaction, "--abort", "--yes",
                                   "--reason", "a mistake")
        self.assertEqual((code, told["error"]["code"]), (USAGE, "INVALID_ARGUMENT"))
        self.kind_becomes(transaction, "settled")
        self.assertEqual(self.balances(151), [-1, 1])
        self.assertEqual(self.heuristic_of(transaction)["resolution"]["outcome"], "COMMITTED")
        self.until_nothing_is_prepared()
        waiting.until(lambda: all(code == GOOD for _, code in self.run_step("leave", **here)), 30,
                      "the quarantine to be over")

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
