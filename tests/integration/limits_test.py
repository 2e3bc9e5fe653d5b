"""Hostile and heavy bytes against real processes: what they cost, and what is left standing."""

import os
import re
import socket
import struct
import subprocess
import unittest

import fixtures
from harness import wire

MIB = 1 << 20
FRAME_MAX = 16 * MIB
CLAIM = 90 * MIB


def resident(service):
    """Bytes of memory that a process holds now."""
    with open(f"/proc/{service.identity.pid}/status", encoding="ascii") as status:
        return int(re.search(r"VmRSS:\s+(\d+) kB", status.read())[1]) * 1024


def call(name, body):
    """A framed binary call with this body of arguments, which need not be right."""
    message = struct.pack(">II", 0x80010001, len(name)) + name + struct.pack(">I", 1) + body
    return struct.pack(">I", len(message)) + message


def peak(service):
    """The most memory that a process has held since forget_peak(), in bytes."""
    with open(f"/proc/{service.identity.pid}/status", encoding="ascii") as status:
        return int(re.search(r"VmHWM:\s+(\d+) kB", status.read())[1]) * 1024


def forget_peak(service):
    with open(f"/proc/{service.identity.pid}/clear_refs", "w", encoding="ascii") as command:
        command.write("5")


def peers_of(port):
    """The remote ports of all connections to a port of this machine."""
    with open("/proc/net/tcp", encoding="ascii") as connections:
        rows = [line.split() for line in connections.readlines()[1:]]
    return {int(remote.split(":")[1], 16) for _, local, remote, state, *_ in rows
            if int(local.split(":")[1], 16) == port and state == "01"}


def claim_of_branches(size):
    """A commit whose request claims a list of that many branches, and has a megabyte of filling."""
    return call(b"commit", struct.pack(">BhBhBI", 12, 1, 15, 3, 12, size) + b"\x7f" * MIB)


def claim_of_a_string(name, size):
    """A call whose request's field 2 claims a string of that size, and ends there."""
    request = struct.pack(">BhBhI", 12, 1, 11, 2, size)
    return call(name, request)


class Limits(fixtures.ClusterTest):
    """Every port that clients reach, of the coordinator and of an agent."""

    def targets(self):
        """(service, port, method) of each."""
        coordinator, agent = self.cluster.coordinators[0], self.cluster.service("agent-db1")
        return [(coordinator, coordinator.ports["client"], b"hello"),
                (coordinator, coordinator.ports["peer"], b"enroll"),
                (agent, agent.ports["client"], b"execute"),
                (agent, agent.ports["peer"], b"prepare")]

    def raw(self, port, data):
        """A connection that has sent these bytes; closed at the end of the test."""
        connection = socket.create_connection((wire.HOST, port), timeout=20)
        self.addCleanup(connection.close)
        try:
            connection.sendall(data)
        except OSError:
            pass  # refused already
        return connection

    def assert_closed(self, connection):
        connection.settimeout(20)
        try:
            while connection.recv(65_536):
                pass
        except ConnectionError:
            pass

    def assert_serves(self):
        """Both processes still do their work."""
        coordinator = self.connect(wire.coordinator, self.cluster.coordinators[0], "client")
        agent = self.connect(wire.branches, self.cluster.service("agent-db1"), "client")
        branch = wire.Branch(agent, "db1", coordinator.start().transaction)
        branch.execute("SELECT 1")
        reply = coordinator.commit(transaction=branch.id, branches=[branch.at_commit()])
        self.assertEqual(reply.outcome, wire.common.Outcome.COMMITTED)

    def test_twenty_claims_of_90_mib_in_a_string_cost_next_to_nothing(self):
        for service, port, method in self.targets():
            with self.subTest(service.name, method=method):
                before = resident(service)
                connections = [self.raw(port, claim_of_a_string(method, CLAIM)) for _ in range(20)]
                for connection in connections:
                    self.assert_closed(connection)
                grown = resident(service) - before
                print(f"{service.name} {method.decode()}: {grown / MIB:.1f} MiB for 20 claims")
                self.assertLess(grown, 64 * MIB)
        self.assert_serves()

    def test_twenty_claims_of_90_mib_in_a_frame_cost_next_to_nothing(self):
        for service, port, _ in self.targets():
            with self.subTest(service.name):
                before = resident(service)
                for _ in range(20):
                    self.assert_closed(self.raw(port, struct.pack(">I", CLAIM) + b"x" * 22))
                self.assertLess(resident(service) - before, 64 * MIB)
        self.assert_serves()

    def test_twenty_claims_of_a_long_list_cost_next_to_nothing(self):
        service, port, _ = self.targets()[0]
        for size in (1 << 16, (1 << 16) + 1, 1 << 20, 0x7FFFFFFF):
            with self.subTest(size=size):
                forget_peak(service)
                before = peak(service)
                for connection in [self.raw(port, claim_of_branches(size)) for _ in range(20)]:
                    self.assert_closed(connection)
                grown = peak(service) - before
                print(f"a list of {size}: {grown / MIB:.1f} MiB at most for 20 claims")
                self.assertLess(grown, 64 * MIB)
        self.assert_serves()

    def test_unfinished_frames_of_the_largest_size_are_paid_for_as_they_come(self):
        service, port, _ = self.targets()[0]
        before = resident(service)
        for _ in range(20):
            self.raw(port, struct.pack(">I", FRAME_MAX) + b"\x80\x01\x00\x01" + b"x" * 100_000)
        self.assertLess(resident(service) - before, 64 * MIB)
        self.assert_serves()

    def test_frames_beyond_the_limit_by_one_byte_and_by_a_thousand_times(self):
        for service, port, _ in self.targets():
            for size in (FRAME_MAX + 1, min(FRAME_MAX * 1_000, 0xFFFFFFFF)):
                with self.subTest(service.name, size=size):
                    before = resident(service)
                    self.assert_closed(self.raw(port, struct.pack(">I", size) + b"x" * 1_000))
                    self.assertLess(resident(service) - before, MIB)
        self.assert_serves()

    def test_strings_beyond_the_limit_by_one_byte_and_by_a_thousand_times(self):
        for service, port, method in self.targets():
            for size in (FRAME_MAX + 1, min(FRAME_MAX * 1_000, 0x7FFFFFFF)):
                with self.subTest(service.name, size=size):
                    before = resident(service)
                    self.assert_closed(self.raw(port, claim_of_a_string(method, size)))
                    self.assertLess(resident(service) - before, MIB)
        self.assert_serves()

    def test_garbage_ends_its_connection_and_nothing_else(self):
        for service, port, _ in self.targets():
            for garbage in (b"GET / HTTP/1.1\r\nHost: x\r\n\r\n", b"\x16\x03\x01\x02\x00\x01\x00",
                            os.urandom(4_096), b"\x00\x00\x00\x08" + os.urandom(8)):
                with self.subTest(service.name, garbage=garbage[:8]):
                    connection = self.raw(port, garbage)
                    connection.shutdown(socket.SHUT_WR)
                    self.assert_closed(connection)
        self.assert_serves()

    def test_senders_that_stop_half_way_keep_nobody_else_waiting(self):
        for _, port, method in self.targets():
            for _ in range(50):
                self.raw(port, claim_of_a_string(method, 1_000)[:9])
        self.assert_serves()

    def test_120_mib_pass_over_one_connection_from_python(self):
        agent = self.connect(wire.branches, self.cluster.service("agent-db1"), "client")
        coordinator = self.connect(wire.coordinator, self.cluster.coordinators[0], "client")
        branch = wire.Branch(agent, "db1", coordinator.start().transaction)
        text = "x" * MIB
        for _ in range(120):
            result = branch.execute("SELECT length($1)", text)
            self.assertEqual(result.rows[0].values[0].text, str(MIB))
        coordinator.commit(transaction=branch.id, branches=[branch.at_commit()])

    def test_120_mib_come_back_over_one_connection_to_python(self):
        agent = self.connect(wire.branches, self.cluster.service("agent-db1"), "client")
        coordinator = self.connect(wire.coordinator, self.cluster.coordinators[0], "client")
        branch = wire.Branch(agent, "db1", coordinator.start().transaction)
        for _ in range(60):
            result = branch.execute(f"SELECT repeat('y', {2 * MIB})")
            self.assertEqual(len(result.rows[0].values[0].text), 2 * MIB)
        coordinator.commit(transaction=branch.id, branches=[branch.at_commit()])

    def test_120_mib_pass_both_ways_over_one_connection_of_the_cpp_client(self):
        agent = self.cluster.service("agent-db1")
        address = f"{wire.HOST}:{self.cluster.coordinators[0].ports['client']}"
        program = fixtures.BUILD_DIRECTORY / "bin" / "heavy_client"
        with subprocess.Popen([program, address, "db1"], stdin=subprocess.PIPE,
                              stdout=subprocess.PIPE, text=True) as client:
            self.addCleanup(client.kill)
            seen = []
            for word in ("begun", "done"):
                self.assertEqual(client.stdout.readline().strip(), word)
                seen.append(peers_of(agent.ports["client"]))
                client.stdin.write("on\n")
                client.stdin.flush()
            self.assertEqual(client.wait(60), 0)
        self.assertEqual(len(seen[0]), 1)
        self.assertEqual(seen[0], seen[1])

    def test_results_beyond_their_limit_end_the_branch_with_a_reason(self):
        agent = self.connect(wire.branches, self.cluster.service("agent-db1"), "client")
        service = self.cluster.service("agent-db1")
        branch = wire.Branch(agent, "db1", wire.new_id())
        branch.execute("SELECT 1")
        before = resident(service)
        with self.assertRaises(wire.AssentError) as caught:
            branch.execute("SELECT repeat('x', 1000) FROM generate_series(1, 10000000)")
        self.assertEqual(caught.exception.sql.sqlstate, "54000")
        print(f"a result of 10 GB: {(resident(service) - before) / MIB:.1f} MiB in the agent")
        self.assertLess(resident(service) - before, 64 * MIB)


if __name__ == "__main__":
    unittest.main()
