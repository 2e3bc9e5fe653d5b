"""What the tests of this folder share: directories of their own, and a look at who runs in one."""

import os
import pathlib
import shutil
import signal
import subprocess
import tempfile
import unittest

from harness import cluster, ports, processes, repository

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
            self.cluster.add_server("db1")
        self.server = self.cluster.servers[0]

    def _end(self):
        if self.cluster.directory.exists():
            self.cluster.abandon()


class ClusterTest(unittest.TestCase):
    """Tests that share one whole cluster; each leaves it as it found it."""

    databases = 1
    replicas = 1
    settings = None  # further tables of the replicas' configuration

    @classmethod
    def setUpClass(cls):
        directory = pathlib.Path(tempfile.mkdtemp(prefix="assent-test-", dir="/tmp"))
        directory.chmod(0o755)
        cls.addClassCleanup(shutil.rmtree, directory, ignore_errors=True)
        cls.cluster = cluster.up(directory / "cluster", "test", cls.databases,
                                 BUILD_DIRECTORY / "bin", replicas=cls.replicas,
                                 settings=cls.settings)
        cls.addClassCleanup(cls.cluster.abandon)
        cls.prepare()

    @classmethod
    def prepare(cls):
        """What the databases need; once."""

    def connect(self, kind, service, role):
        """A client that is closed at the end of the test."""
        client = kind(service.ports[role])
        self.addCleanup(client.close)
        return client


class Stopped:
    """With it a process stands still."""

    def __init__(self, service):
        self._service = service

    def __enter__(self):
        processes.send(self._service.identity, signal.SIGSTOP)

    def __exit__(self, *_):
        processes.send(self._service.identity, signal.SIGCONT)


class Reconfigured:
    """With it an agent runs with another configuration."""

    def __init__(self, test, agent, old, new):
        self._test, self._agent, self._old, self._new = test, agent, old, new
        self._text = agent.config.read_text(encoding="utf-8")

    def __enter__(self):
        self._write(self._text.replace(self._old, self._new))

    def __exit__(self, *_):
        self._write(self._text)

    def _write(self, text):
        self._agent.config.write_text(text, encoding="utf-8")
        self._test.restart_agent(self._agent.name.removeprefix("agent-"))


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
