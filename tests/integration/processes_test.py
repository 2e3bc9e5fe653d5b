"""Processes are told apart by when they began, not by their pids alone."""

import dataclasses
import os
import signal
import unittest

import fixtures
from harness import processes, waiting
from harness.errors import HarnessError


class Processes(fixtures.DirectoryTest):
    """Starting, naming and ending processes."""

    def spawn(self, *command):
        identity = processes.spawn(command, self.directory / "log")
        self.addCleanup(processes.kill, [identity])
        return identity

    def test_outputs_go_to_the_log(self):
        identity = self.spawn("sh", "-c", "echo out; echo err >&2")

        self.assertTrue(processes.wait_until_gone(identity, 10))
        self.assertEqual((self.directory / "log").read_text(encoding="utf-8"), "out\nerr\n")

    def test_exit_code_of_an_ended_child_is_known(self):
        identity = self.spawn("sh", "-c", "exit 7")

        self.assertTrue(processes.wait_until_gone(identity, 10))
        self.assertEqual(processes.exit_code(identity), 7)

    def test_a_program_that_is_missing_is_named(self):
        with self.assertRaisesRegex(HarnessError, "/nonexistent/program cannot be started"):
            self.spawn("/nonexistent/program")

    def test_nobody_signals_a_stranger_who_got_the_pid(self):
        stranger = fixtures.stranger(self)
        earlier = dataclasses.replace(processes.identify(stranger.pid), birth="boot:1")

        sent = processes.send(earlier, signal.SIGKILL)

        self.assertFalse(sent)
        self.assertFalse(processes.is_running(earlier))
        self.assertTrue(processes.wait_until_gone(earlier, 0))
        self.assertIsNone(stranger.poll())

    def test_a_process_that_ended_but_is_not_reaped_does_not_run(self):
        identity = self.spawn("true")

        waiting.until(lambda: not processes.is_running(identity), 10, "its end")

        self.assertEqual(processes.read_stat(identity.pid).state, "Z")

    def test_a_process_that_ignores_sigterm_is_killed(self):
        identity = self.spawn("sh", "-c", "trap '' TERM; echo ready; while :; do read x; done")
        log = self.directory / "log"
        waiting.until(lambda: "ready" in log.read_text(encoding="utf-8"), 10, "the trap")

        gently = processes.end(identity, signal.SIGTERM, 0.2)

        self.assertFalse(gently)
        self.assertFalse(processes.is_running(identity))

    def test_children_are_found(self):
        identity = self.spawn("sh", "-c", "sleep 600 & wait")

        found = waiting.until(lambda: processes.children_of(identity.pid), 10, "the child")
        self.addCleanup(processes.kill, found)

        self.assertEqual(processes.read_stat(found[0].pid).parent, identity.pid)

    def test_cpu_time_is_counted(self):
        identity = self.spawn("sh", "-c", "while :; do :; done")

        waiting.until(lambda: processes.cpu_seconds(identity) > 0.05, 20, "some CPU time")

        self.assertEqual(processes.cpu_seconds(dataclasses.replace(identity, birth="boot:1")), 0)

    def test_libpq_is_not_led_elsewhere_by_the_environment(self):
        os.environ["PGHOST"] = "example.org"
        self.addCleanup(os.environ.pop, "PGHOST")

        self.assertNotIn("PGHOST", processes.clean_environment())


if __name__ == "__main__":
    unittest.main()
