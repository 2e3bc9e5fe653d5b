"""Clusters that run at the same time do not take each other's ports."""

import socket
import unittest

from harness import ports

FIRST = 7801  # of no process of a cluster


class Ports(unittest.TestCase):
    """What an Allocator gives."""

    def setUp(self):
        self.one, self.other = ports.Allocator(), ports.Allocator()
        self.addCleanup(self.one.release)
        self.addCleanup(self.other.release)

    def test_a_port_is_given_once_though_nobody_listens_on_it(self):
        given = [self.one.take(FIRST), self.other.take(FIRST), self.one.take(FIRST)]

        self.assertEqual(len(set(given)), 3)

    def test_a_port_that_was_released_is_given_again(self):
        port = self.one.take(FIRST)
        self.one.release()

        self.assertEqual(self.other.take(FIRST), port)

    def test_a_port_on_which_somebody_listens_is_not_given(self):
        port = self.one.take(FIRST)
        self.one.release()
        with socket.create_server((ports.HOST, port)):
            self.assertGreater(self.other.take(FIRST), port)


if __name__ == "__main__":
    unittest.main()
