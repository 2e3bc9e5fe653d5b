"""What the tests of this folder share: directories of their own, and a look at who runs in one."""

import os
import pathlib
import shutil
import subprocess
import tempfile
import unittest

from harness import cluster, ports, repository

BUILD_DIRECTORY = pathlib.Path(
    os.environ.get("ASSENT_BUILD_DIR", repository.build_directory("dev")))


class DirectoryTest(unittest.TestCase):
    """A test with an empty directory that every user may enter."""

    def setUp(self):
        self.directory = pathlib.Path(tempfile.mkdtemp(prefix="assent-test-", dir="/tmp"))
        self.addCleanup(shutil.rmtree, self.directory, ignore_errors=True)
        self.directory.chmod(0o755)


class ServerTest(DirectoryTest):
    """A test with a cluster of one PostgreSQL server and nothing else."""

    def setUp(self):
        super().setUp()
        self.cluster = cluster.Cluster(self.directory / "cluster", "test", "/nonexistent")
        self.cluster.directory.mkdir()
        self.addCleanup(self._end)
        with ports.exclusive():
            self.cluster.add_server("db1", ports.Allocator())
        self.server = self.cluster.servers[0]

    def _end(self):
        if self.cluster.directory.exists():
            self.cluster.abandon()


def stranger(test):
    """A process that has nothing to do with a cluster; ends with the test."""
    process = subprocess.Popen(["sleep", "600"])
    test.addCleanup(process.wait)
    test.addCleanup(process.kill)
    return process


def processes_of(directory):
    """The pids of all processes that run in a directory or name it on their command line."""
    return [int(pid) for pid in filter(str.isdigit, os.listdir("/proc"))
            if _belongs(pathlib.Path("/proc") / pid, str(directory))]


def _belongs(process, directory):
    try:
        command = (process / "cmdline").read_bytes().decode(errors="replace")
        return directory in command or os.readlink(process / "cwd").startswith(directory)
    except OSError:
        return False
