"""Three nodes of etcd, put to by h2load: what the replicated log is compared with.

Both are Debian's (etcd-server, nghttp2-client), and nothing else here needs them: who has not
installed them gets the figures of the log without the comparison.
"""

import base64
import dataclasses
import json
import re
import shutil
import statistics
import subprocess
import urllib.request

from . import ports, processes, waiting
from .errors import HarnessError
from .service import Service

PROGRAMS = ("etcd", "h2load")
NODES = 3
KEY, VALUE = b"assent", b"v" * 256
FIRST_PORT = 7801
WARM_UP_SECONDS = 1
CALL_SECONDS = 10


def missing():
    """Those of its programs that are not installed here."""
    return [program for program in PROGRAMS if shutil.which(program) is None]


@dataclasses.dataclass(frozen=True)
class Load:
    """What h2load saw, once it was warm."""

    rate: float  # puts that were answered, per second
    p50: float  # ms
    p99: float


class Node(Service):
    """One etcd; `peers` names all of them to it."""

    kind = "etcd"

    def __init__(self, number, directory, taken):
        super().__init__(f"etcd-{number}", directory / f"etcd-{number}",
                         {role: taken.take(FIRST_PORT) for role in ("client", "peer")})
        self.peers = ""

    def command(self):
        client, peer = (f"http://{self.address(role)}" for role in ("client", "peer"))
        return [shutil.which("etcd"), "--name", self.name, "--data-dir", self.data_directory,
                "--listen-client-urls", client, "--advertise-client-urls", client,
                "--listen-peer-urls", peer, "--initial-advertise-peer-urls", peer,
                "--initial-cluster", self.peers, "--initial-cluster-state", "new"]

    def is_ready(self):
        """True once it knows a leader."""
        return self.accepts() and int(self.call("maintenance/status").get("leader", 0)) != 0

    def leads(self):
        """Whether it is the leader."""
        told = self.call("maintenance/status")
        return told["leader"] == told["header"]["member_id"]

    def revision(self):
        """How many puts have taken effect, and one more."""
        key = base64.b64encode(KEY).decode("ascii")
        return int(self.call("kv/range", {"key": key})["header"]["revision"])

    def call(self, what, request=None):
        """What its gateway answers to a question."""
        asked = urllib.request.Request(f"http://{self.address('client')}/v3/{what}",
                                       json.dumps(request or {}).encode("ascii"))
        try:
            with urllib.request.urlopen(asked, timeout=CALL_SECONDS) as reply:
                return json.load(reply)
        except OSError as error:
            raise HarnessError(f"{self.name} does not answer: {error}.") from None


class Group:
    """The nodes, from up() to down()."""

    def __init__(self, directory):
        self._directory = directory
        self._ports = ports.Allocator()
        with ports.exclusive():
            self.nodes = [Node(number, directory, self._ports) for number in range(1, NODES + 1)]
            members = ",".join(f"{node.name}=http://{node.address('peer')}" for node in self.nodes)
            for node in self.nodes:
                node.directory.mkdir()
                node.peers = members
                node.spawn()
            for node in self.nodes:
                node.wait_until_up()
        for node in self.nodes:
            node.wait_ready()

    def leader(self):
        """The node that leads."""
        return waiting.until(lambda: next((node for node in self.nodes if node.leads()), None),
                             CALL_SECONDS, "a leader of etcd")

    def put(self, clients, seconds):
        """Puts to the leader, each client with one at a time; returns a Load."""
        leader, log = self.leader(), self._directory / "h2load"
        (self._directory / "put").write_bytes(_grpc_put())
        log.unlink(missing_ok=True)
        before = leader.revision()
        done = subprocess.run(
            ["h2load", "--threads", "1", "--clients", str(clients), "--max-concurrent-streams", "1",
             "--duration", f"{seconds * 1000:.0f}ms", "--warm-up-time", f"{WARM_UP_SECONDS}s",
             "--data", self._directory / "put", "--header", "content-type: application/grpc",
             "--header", "te: trailers", "--log-file", log,
             f"http://{leader.address('client')}/etcdserverpb.KV/Put"],
            stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False, cwd="/",
            env=processes.clean_environment())
        counted = re.search(r"(\d+) succeeded, (\d+) failed, (\d+) errored", done.stdout)
        if done.returncode != 0 or not counted or counted[1] == "0":
            raise HarnessError(f"h2load failed: {done.stdout}{done.stderr}")
        answered = int(counted[1])
        # A refusal of gRPC's is an answer to h2load. Those of the warm-up are not in its count.
        if leader.revision() - before < answered or not leader.leads():
            raise HarnessError("etcd answered puts that it did not make, or its leader changed.")
        took = sorted(int(line.split()[2]) / 1000 for line in log.read_text("ascii").splitlines())
        return Load(answered / seconds, statistics.median(took), took[int(len(took) * 0.99)])

    def down(self):
        """Kills all of it: nobody needs its data. Returns what was not in order."""
        ended = [f"{node.name} had ended." for node in self.nodes if not node.is_running()]
        self.abandon()
        return ended

    def abandon(self):
        """Kills whatever of it runs."""
        for node in self.nodes:
            if node.is_running():
                node.kill_for_good()
        self._ports.release()


def _grpc_put():
    """A frame of gRPC with a PutRequest of etcd: key and value are its fields 1 and 2."""
    fields = b"".join(bytes([number << 3 | 2]) + _varint(len(value)) + value
                      for number, value in ((1, KEY), (2, VALUE)))
    return b"\0" + len(fields).to_bytes(4, "big") + fields


def _varint(number):
    out = b""
    while number > 0x7f:
        out += bytes([number & 0x7f | 0x80])
        number >>= 7
    return out + bytes([number])
