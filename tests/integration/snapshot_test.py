"""Replicas whose log is cut: who was away, or starts again, goes on from a snapshot."""

import errno
import shutil
import subprocess
import time
import unittest

from bank_fixture import BankTest
from harness import decisions, status, waiting

BATCH = 5_000  # decisions


class Snapshots(BankTest):
    """A group of three with a short log; each test leaves all of it running."""

    settings = {"snapshots": {"log_bytes": 256 << 10}}

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

    def test_a_replica_that_was_away_for_long_catches_up_by_a_snapshot_while_money_moves(self):
        leader, follower = self.cluster.leader(), self.cluster.follower()
        with self.traffic() as workload:
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
        committed = self.committed(150)
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
        self.assert_still_committed(committed)
        self.assert_all_equal()


class FullDisk(BankTest):
    """A group of three, each on a file system of 16 MiB of its own."""

    settings = {"snapshots": {"log_bytes": 1 << 20}}
    disk_bytes = 16 << 20

    @classmethod
    def prepare(cls):
        super().prepare()
        for replica in cls.cluster.coordinators:
            cls._move_to_a_small_disk(replica)

    @classmethod
    def _move_to_a_small_disk(cls, replica):
        problem = replica.stop()
        if problem:
            raise AssertionError(problem)
        data, aside = replica.data_directory, replica.directory / "moved"
        data.rename(aside)
        data.mkdir()
        done = subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={cls.disk_bytes}", "tmpfs", data],
                              capture_output=True, text=True, check=False)
        if done.returncode != 0:
            raise unittest.SkipTest(f"no file system can be mounted here: {done.stderr.strip()}")
        cls.addClassCleanup(subprocess.run, ["umount", "--lazy", data], check=False)
        shutil.copytree(aside, data, dirs_exist_ok=True)
        shutil.rmtree(aside)
        cls.cluster.begin_life(replica)

    @staticmethod
    def disk_of(replica):
        told, = status.of([replica])
        return told.facts["disk"] if told else None

    def fill(self, replica):
        """Takes all that is free, as others would; returns the file."""
        path = replica.data_directory / "of others"
        self.addCleanup(path.unlink, missing_ok=True)
        with open(path, "wb", buffering=0) as file:
            try:
                while file.write(bytes(4096)) == 4096:
                    pass
            except OSError as error:
                self.assertEqual(error.errno, errno.ENOSPC)
        return path

    def test_a_leader_whose_disk_is_full_steps_aside_and_comes_back_when_there_is_room(self):
        full = self.cluster.leader()
        others = [each for each in self.cluster.coordinators if each is not full]
        with self.traffic() as workload:
            waiting.until(workload.is_at_work, 30, "commits")
            filler = self.fill(full)
            waiting.until(lambda: self._says_it_is_short(full), 120, "a disk that is short of space")
            waiting.until(lambda: status.leader_of(others) is not None, 30, "another leader")
            since = time.monotonic() + 1
            waiting.until(lambda: workload.committed_at() > since, 30, "commits without it")
            # Its last segment fills, too: it is far behind, and loses nothing.
            decisions.run(self.cluster, 64, count=20_000)
            self.assertTrue(full.is_running(), full.log_tail())
            filler.unlink()
            waiting.until(lambda: self.disk_of(full) == "has room", 30, "room")
            result = workload.end(60)
        self.assertGreater(result.committed, 100)
        self.assert_all_equal()
        self.assertEqual([problem for problem in map(self._ended, self.cluster.coordinators)
                          if problem], [])

    def _says_it_is_short(self, replica):
        if self.disk_of(replica) == "short of space":
            return True
        decisions.run(self.cluster, 64, count=2_000)
        return False

    @staticmethod
    def _ended(replica):
        return None if replica.is_running() else replica.log_tail()


if __name__ == "__main__":
    unittest.main()
