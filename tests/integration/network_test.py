"""Networks of clusters: what they cut, and that nothing of them stays."""

import pathlib
import subprocess
import sys
import unittest

import fixtures  # noqa: F401 (the harness's path)
from harness import network, waiting

LEFT_BEHIND = """
import os, subprocess
from harness import network
made = network.Network()
place = made.attach(1)
subprocess.Popen([*place.inside, "sleep", "600"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
print(place.namespace, flush=True)
os.kill(os.getpid(), 9)
"""


def start_inside(place):
    """A process in the place. Until it has entered, which takes a moment, no end finds it there."""
    running = subprocess.Popen([*place.inside, "sleep", "600"])
    waiting.until(lambda: str(running.pid) in network.pids_in(place.namespace), 20,
                  "the process to enter")
    return running


def end(running):
    running.kill()
    running.wait()


def is_reached(place):
    done = subprocess.run(["/usr/bin/python3", "-c", "import socket, sys;"
                           " s = socket.socket(socket.AF_INET, socket.SOCK_STREAM); s.settimeout(1);"
                           f" sys.exit(s.connect_ex(('{place.host}', 7)) == 111)"], check=False)
    return done.returncode == 1  # refused, by the machine at the other end


@unittest.skipUnless(network.is_permitted(), "network namespaces are not permitted here")
class Networks(unittest.TestCase):
    """Each test has one of its own."""

    def test_who_is_cut_off_is_not_reached_until_the_link_is_mended(self):
        with network.opened() as made:
            one, other = made.attach(1), made.attach(2)
            self.assertEqual([is_reached(one), is_reached(other)], [True, True])

            made.cut(one)
            self.assertEqual([is_reached(one), is_reached(other)], [False, True])

            made.heal(one)
            waiting.until(lambda: is_reached(one), 20, "the link")

    def test_two_networks_are_apart(self):
        with network.opened() as made, network.opened() as another:
            self.assertNotEqual(made.host, another.host)
            self.assertNotEqual(made.attach(1), another.attach(1))

    def test_nothing_stays_when_a_run_ends_with_a_failure(self):
        with self.assertRaisesRegex(ValueError, "a failure"), network.opened() as made:
            place = made.attach(1)
            running = start_inside(place)
            self.addCleanup(end, running)
            raise ValueError("a failure")

        self.assert_gone(place.namespace)
        self.assertEqual(running.wait(10), -9)

    def test_what_a_killed_run_left_is_removed_by_the_next_one(self):
        done = subprocess.run([sys.executable, "-c", LEFT_BEHIND], capture_output=True, text=True,
                              check=False)
        namespace = done.stdout.strip()
        self.assertTrue((network.NAMESPACES / namespace).exists(), done.stderr)

        with network.opened():
            self.assert_gone(namespace)

    def assert_gone(self, namespace):
        self.assertFalse((network.NAMESPACES / namespace).exists())
        waiting.until(lambda: not pathlib.Path(network.LINKS, namespace).exists(), 10,
                      "the link to go")


if __name__ == "__main__":
    unittest.main()
