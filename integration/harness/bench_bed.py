"""What the benchmark measures on: two PostgreSQL servers, and groups of replicas with their agents.

All systems share the servers, each has databases of its own there: so that they can be measured in
turns, and nothing of one is in the other's way.
"""

import contextlib
import dataclasses
import pathlib
import tempfile

from . import bank, cluster, interrupts, ports, waiting
from .errors import HarnessError
from .postgres import SUPERUSER

SERVERS = 2
ACCOUNTS = 100_000
# As the peers were measured.
SETTINGS = {"shared_buffers": "256MB", "max_prepared_transactions": 500, "max_connections": 300}
SETTLED_SECONDS = 30


@dataclasses.dataclass(frozen=True)
class Database:
    """One database of a server, for one agent: in the place of a Postgres where that is meant."""

    server: object
    participant: str
    database: str

    @property
    def directory(self):
        """Where the socket is."""
        return self.server.directory

    @property
    def port(self):
        """In the name of the socket, too."""
        return self.server.port

    @property
    def control_role(self):
        return f"agent_{self.database}"

    @property
    def work_role(self):
        return f"work_{self.database}"

    def create(self):
        """Makes it, with its schema, its roles and its accounts."""
        self.server.install(self.database, self.control_role, self.work_role)
        bank.open_accounts(self, ACCOUNTS)

    def execute(self, statements):
        """As Postgres.execute()."""
        return self.server.execute(statements, self.database)

    def value(self, query):
        """As Postgres.value()."""
        return self.execute(query).strip()

    def connection_string(self, unix):
        """For libpq, by the unix socket or by TCP."""
        host = self.directory if unix else self.server.host
        return f"host={host} port={self.port} user={SUPERUSER} dbname={self.database}"


@dataclasses.dataclass(frozen=True)
class Group:
    """Databases, and what coordinates them; `made` is None for those of the floor."""

    databases: list
    made: object = None

    @property
    def participants(self):
        """The names of all of them."""
        return [each.participant for each in self.databases]


class Bed:
    """Use open_bed()."""

    def __init__(self, directory, bin_directory, participants, settings):
        self.directory = pathlib.Path(directory)
        self.bin_directory = bin_directory
        self._participants = participants
        self._settings = settings
        self._base = cluster.Cluster(cluster.claim(self.directory / "servers"), "bench",
                                     bin_directory)
        self._groups = {}

    @property
    def servers(self):
        """The PostgreSQL servers."""
        return self._base.servers

    def start_servers(self):
        """Starts the PostgreSQL servers."""
        with ports.exclusive():
            for number in range(1, SERVERS + 1):
                self._base.add_server(f"db{number}", SETTINGS)

    def group(self, replicas):
        """The group of that many replicas, 0 for none; made when first asked for."""
        if replicas not in self._groups:
            self._groups[replicas] = self._make(replicas)
        return self._groups[replicas]

    def settle(self, group):
        """Waits until nothing is prepared any more; a HarnessError when the sum is not what it was."""
        waiting.until(lambda: not any(server.prepared_transactions() for server in self.servers),
                      SETTLED_SECONDS, "prepared transactions to end")
        expected = len(group.databases) * ACCOUNTS * bank.BALANCE
        if sum(bank.balances(group.databases)) != expected:
            raise HarnessError("Money was lost or made.")

    def checkpoint(self):
        """So that none falls into a run by chance."""
        for server in self.servers:
            server.execute("CHECKPOINT")

    def down(self):
        """Ends all of it; returns what was not in order as sentences."""
        return [problem for made in self._clusters() for problem in made.down()]

    def abandon(self):
        """Kills all of it."""
        for made in self._clusters():
            if made.directory.exists():
                made.abandon()

    def _clusters(self):
        return [*(group.made for group in self._groups.values() if group.made), self._base]

    def _make(self, replicas):
        name = f"r{replicas}"
        databases = [Database(self.servers[number % SERVERS], f"db{number + 1}",
                              f"{name}_db{number + 1}") for number in range(self._participants)]
        for database in databases:
            database.create()
        if replicas == 0:
            return Group(databases)
        made = cluster.Cluster(cluster.claim(self.directory / name), name, self.bin_directory)
        try:
            with ports.exclusive():
                made.add_coordinators(replicas, self._settings)
                for database in databases:
                    made.add_agent(database)
        except BaseException:
            with interrupts.ignored():
                made.abandon()
            raise
        return Group(databases, made)


@contextlib.contextmanager
def open_bed(bin_directory, participants=SERVERS, settings=None):
    """A Bed for as long as the context lasts, with so many databases for each group.

    `settings` are further tables of the replicas' configuration: {table: {key: value}}. A HarnessError when it does not end in good order.
    """
    with tempfile.TemporaryDirectory(prefix="assent-bench-", dir="/tmp") as directory:
        pathlib.Path(directory).chmod(0o755)
        bed = Bed(directory, bin_directory, participants, settings)
        try:
            bed.start_servers()
            yield bed
            problems = bed.down()
        except BaseException:
            with interrupts.ignored():
                bed.abandon()
            raise
        if problems:
            raise HarnessError(" ".join(problems))
