"""Clusters start whole or not at all, and stop exactly what they started."""

import json
import pathlib
import subprocess
import unittest

import fixtures
from harness import cluster, processes, repository
from harness.errors import HarnessError

COMMAND = repository.ROOT / "integration" / "cluster"


class FailedStart(fixtures.DirectoryTest):
    """What is left of a cluster that does not come up: nothing."""

    def setUp(self):
        super().setUp()
        self.path = self.directory / "cluster"

    def assert_nothing_left(self):
        self.assertFalse(self.path.exists())
        self.assertEqual(fixtures.processes_of(self.path), [])

    def test_without_programs(self):
        with self.assertRaisesRegex(HarnessError, "assent-coordinator cannot be started"):
            cluster.up(self.path, "test", 1, self.directory)

        self.assert_nothing_left()

    def test_with_a_program_that_ends_at_once(self):
        (self.directory / "assent-coordinator").symlink_to("/bin/false")

        with self.assertRaisesRegex(HarnessError, "coordinator-1 ended before it could be ready"):
            cluster.up(self.path, "test", 1, self.directory)

        self.assert_nothing_left()

    def test_interrupted(self):
        def interrupt(step):
            if step == "coordinator":
                raise KeyboardInterrupt

        with self.assertRaises(KeyboardInterrupt):
            cluster.up(self.path, "test", 1, self.directory, say=interrupt)

        self.assert_nothing_left()

    def test_files_of_others_are_not_touched(self):
        self.path.mkdir()
        (self.path / "letter").touch()

        with self.assertRaisesRegex(HarnessError, "not an empty directory"):
            cluster.up(self.path, "test", 1, self.directory)

        self.assertTrue((self.path / "letter").exists())


class Down(fixtures.ServerTest):
    """Ending a cluster, here of one PostgreSQL server."""

    def test_leaves_neither_process_nor_directory(self):
        problems = self.cluster.down()

        self.assertEqual(problems, [])
        self.assertEqual(fixtures.processes_of(self.cluster.directory), [])
        self.assertFalse(self.cluster.directory.exists())

    def test_keeps_the_directory_on_request(self):
        self.assertEqual(self.cluster.down(keep=True), [])

        self.assertTrue(self.server.log.exists())

    def test_tells_of_prepared_transactions_and_keeps_them(self):
        self.server.execute("BEGIN; CREATE TABLE t (); PREPARE TRANSACTION 'a branch'")

        problems = self.cluster.down()

        self.assertEqual(len(problems), 1)
        self.assertIn("1 prepared transactions left, for example a branch", problems[0])
        self.assertTrue(self.server.data_directory.exists())

    def test_a_second_time_removes_what_the_first_has_kept(self):
        self.cluster.down(keep=True)

        problems = cluster.load(self.cluster.directory).down()

        self.assertEqual(problems, [])
        self.assertFalse(self.cluster.directory.exists())

    def test_never_ends_a_stranger_who_got_the_pid(self):
        self.cluster.kill("postgres-db1")
        stranger = fixtures.stranger(self)
        self._give_pid_to(stranger.pid)

        problems = cluster.load(self.cluster.directory).down()

        self.assertEqual(len(problems), 1)
        self.assertIn("postgres-db1 had ended by itself", problems[0])
        self.assertIsNone(stranger.poll())

    def _give_pid_to(self, pid):
        record = self.cluster.directory / cluster.RECORD
        content = json.loads(record.read_text(encoding="utf-8"))
        content["processes"][0]["pid"] = pid
        record.write_text(json.dumps(content), encoding="utf-8")


class ClusterCommand(fixtures.DirectoryTest):
    """integration/cluster from up to down, with the programs of this build."""

    def setUp(self):
        super().setUp()
        self.path = self.directory / "cluster"
        self.addCleanup(self._end)

    def _end(self):
        if self.path.exists():
            cluster.load(self.path).abandon()

    def run_command(self, action, *options):
        command = [COMMAND, action, "--dir", self.path, *options]
        return subprocess.run([str(word) for word in command], stdin=subprocess.DEVNULL,
                              capture_output=True, text=True, timeout=120, check=False)

    def up(self, databases=2, *options):
        return self.run_command("up", "--databases", str(databases),
                                "--build-dir", fixtures.BUILD_DIRECTORY, *options)

    def record(self):
        return json.loads((self.path / cluster.RECORD).read_text(encoding="utf-8"))

    def test_up_describes_what_runs_and_down_leaves_nothing(self):
        up = self.up(databases=3)
        self.assertEqual(up.returncode, 0, up.stderr)
        record = self.record()
        self._check_processes(record["processes"])
        self._check_databases(record["databases"])

        down = self.run_command("down")

        self.assertEqual(down.returncode, 0, down.stderr)
        self.assertEqual(fixtures.processes_of(self.path), [])
        self.assertFalse(self.path.exists())

    def test_second_up_is_refused_and_harms_nothing(self):
        self.assertEqual(self.up(1).returncode, 0)

        second = self.up(1)

        self.assertEqual(second.returncode, 1)
        self.assertIn("There is a cluster in", second.stderr)
        self.assertEqual(self.run_command("status").returncode, 0)

    def test_status_tells_of_a_process_that_died(self):
        self.assertEqual(self.up(1).returncode, 0)
        cluster.load(self.path).kill("agent-db1")

        status = self.run_command("status", "--json")

        self.assertEqual(status.returncode, 3)
        running = {entry["name"]: entry["running"]
                   for entry in json.loads(status.stdout)["processes"]}
        self.assertEqual(running,
                         {"postgres-db1": True, "coordinator-1": True, "coordinator-2": True,
                          "coordinator-3": True, "agent-db1": False})

    def test_status_tells_who_leads(self):
        self.assertEqual(self.up(1).returncode, 0)

        status = self.run_command("status", "--json")

        roles = [entry["role"] for entry in json.loads(status.stdout)["processes"]
                 if entry["kind"] == "coordinator"]
        self.assertEqual(sorted(roles), ["follower", "follower", "leader"])

    def test_a_group_of_one_serves(self):
        self.assertEqual(self.up(1, "--replicas", "1").returncode, 0)

        self.assertRegex(self.run_command("status").stdout, "coordinator-1 .* leader")

    def test_a_group_of_two_is_refused(self):
        refused = self.run_command("up", "--replicas", "2")

        self.assertEqual(refused.returncode, 2)
        self.assertIn("choose from 1, 3, 5", refused.stderr)

    def test_down_without_a_cluster_says_so(self):
        down = self.run_command("down")

        self.assertEqual(down.returncode, 1)
        self.assertIn("There is no cluster in", down.stderr)

    def _check_processes(self, entries):
        self.assertEqual(sorted(entry["name"] for entry in entries),
                         ["agent-db1", "agent-db2", "agent-db3",
                          "coordinator-1", "coordinator-2", "coordinator-3",
                          "postgres-db1", "postgres-db2", "postgres-db3"])
        for entry in entries:
            self.assertTrue(processes.is_running(processes.identify(entry["pid"])))
            self.assertTrue(pathlib.Path(entry["log"]).exists())
            self.assertTrue(pathlib.Path(entry["config"]).exists())

    def _check_databases(self, entries):
        self.assertEqual([entry["participant"] for entry in entries], ["db1", "db2", "db3"])
        for entry in entries:
            socket = pathlib.Path(entry["socket"]) / f".s.PGSQL.{entry['port']}"
            self.assertTrue(socket.is_socket())


if __name__ == "__main__":
    unittest.main()
