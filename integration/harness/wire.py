"""A stock Thrift client in Python for every port: what any program in any language would write."""

import atexit
import importlib
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
import time
import uuid

from thrift.protocol.TBinaryProtocol import TBinaryProtocolAccelerated
from thrift.transport.TSocket import TSocket
from thrift.transport.TTransport import TFramedTransport

from . import repository

HOST = "127.0.0.1"


GENERATED = "ASSENT_TEST_WIRE"  # in the environment: where a parent process has generated it


def _generate():
    """Returns the directory that has the generated code."""
    if GENERATED in os.environ:
        return os.environ[GENERATED]
    directory = tempfile.mkdtemp(prefix="assent-test-wire-", dir="/tmp")
    atexit.register(shutil.rmtree, directory, ignore_errors=True)
    for name in ("common", "transaction", "participant", "replica", "admin"):
        idl = pathlib.Path(repository.ROOT) / "thrift" / f"{name}.thrift"
        subprocess.run(["thrift", "--gen", "py", "-out", directory, str(idl)], check=True)
    return directory


DIRECTORY = _generate()
sys.path.insert(0, DIRECTORY)
common = importlib.import_module("assent_wire.common.ttypes")
transaction = importlib.import_module("assent_wire.transaction.ttypes")
participant = importlib.import_module("assent_wire.participant.ttypes")
admin = importlib.import_module("assent_wire.admin.ttypes")
VERSION = importlib.import_module("assent_wire.common.constants").PROTOCOL_VERSION
AssentError = common.AssentError
ErrorCode = common.ErrorCode


class Client:
    """One connection that calls one service; methods are the service's, fields are keywords.

    client.commit(transaction=…, branches=[…]) makes the request with the right version.
    """

    def __init__(self, module, service, port, timeout_ms=60_000):
        self._socket = TSocket(HOST, port)
        self._socket.setTimeout(timeout_ms)
        self._transport = TFramedTransport(self._socket)
        self._transport.open()
        code = importlib.import_module(f"assent_wire.{module}.{service}")
        self._types = importlib.import_module(f"assent_wire.{module}.ttypes")
        self._client = code.Client(TBinaryProtocolAccelerated(self._transport))
        self._names = {"process_status": "ProcessStatus", "enroll": "Register"}

    def __getattr__(self, method):
        name = self._names.get(method, method.capitalize())
        request = getattr(self._types, f"{name}Request")

        def call(protocol_version=VERSION, **fields):
            return getattr(self._client, method)(request(protocol_version, **fields))

        return call

    def close(self):
        """Ends the connection."""
        self._transport.close()


def coordinator(port):
    """The client port of a replica."""
    return Client("transaction", "Coordinator", port)


def branches(port):
    """The client port of an agent."""
    return Client("transaction", "Branches", port)


def registry(port):
    """The peer port of a replica."""
    return Client("participant", "Registry", port)


def agent(port):
    """The peer port of an agent."""
    return Client("participant", "Participant", port)


def administration(port):
    """The admin port of any process."""
    return Client("admin", "Admin", port)


def group_administration(port):
    """The admin port of a replica."""
    return Client("admin", "CoordinatorAdmin", port)


def first(replica):
    """The promise that a commit is the first of its kind, to the present office."""
    return {"first": True, "office": replica.start().office}


def statement(sql, *parameters, **options):
    """A statement with its parameters as text."""
    values = [common.Value(None if each is None else str(each)) for each in parameters]
    return common.Statement(sql, values, **options)


def one_shot(name, *statements, **mode):
    """A whole branch of a commit."""
    work = common.OneShot(list(statements), common.BranchMode(**mode) if mode else None)
    return transaction.CommitBranch(name, 0, 0, 0, one_shot=work)


def new_id(age_ms=0):
    """A transaction id whose time lies that far in the past."""
    millis = int(time.time() * 1000) - age_ms
    bits = uuid.uuid4().int & ((1 << 80) - 1)
    number = (millis << 80) | bits
    number = (number & ~(0xF << 76)) | (0x7 << 76)
    number = (number & ~(0x3 << 62)) | (0x2 << 62)
    return f"{uuid.UUID(int=number)}-00000000000000ab"


class Branch:
    """An interactive branch, opened by its first statement."""

    def __init__(self, client, name, transaction_id, **opening):
        self._client, self.name, self.id = client, name, transaction_id
        self._opening = {"nonce": uuid.uuid4().hex, **opening}
        self.reference, self.count = None, 0

    def execute(self, sql, *parameters, **options):
        """Runs one statement; returns its result."""
        which = {"branch": self.reference} if self.reference else {
            "start": transaction.OpenBranch(**self._opening)}
        self.count += 1
        reply = self._client.execute(
            transaction=self.id, participant=self.name, statement_number=self.count,
            statement=statement(sql, *parameters, **options), **which)
        self.reference = reply.branch
        return reply.result

    def at_commit(self, **hints):
        """How a commit names it."""
        return transaction.CommitBranch(
            self.name, self.reference.epoch, self.reference.attempt, self.count, **hints)
