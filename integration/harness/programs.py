"""Our own programs as services: their configuration files, and the log line that says "ready"."""

import json
import pathlib
import signal

from . import processes, status, waiting
from .service import Service

ORDER_SECONDS = 10
ORDERED = "ordered"  # how a process acknowledges an order


def toml(tables):
    """A TOML text: {table: {key: value}}, the table "" first; JSON's scalars are TOML's too."""
    lines = []
    for table, values in tables.items():
        lines += ["", f"[{table}]"] if table else []
        lines += [f"{key} = {json.dumps(value)}" for key, value in values.items()]
    return "\n".join(lines) + "\n"


class Program(Service):
    """A program of ours: `BIN/assent-KIND --config FILE`."""

    def __init__(self, name, directory, port_numbers, bin_directory):
        super().__init__(name, directory, port_numbers)
        self.bin_directory = pathlib.Path(bin_directory)
        self.takes_orders = False  # lives that begin from now on can be armed while they run
        self._armed = None
        self._flags = ()

    def order(self, failpoint):
        """Arms the life that runs, in the place of what it was armed with; "" disarms it.

        Precondition: it does not stand still, and has taken orders from its beginning on.
        """
        self._orders.write_text(f"{failpoint}\n", encoding="utf-8")
        self._hits.write_bytes(b"")  # it appends to this very file
        processes.send(self.identity, signal.SIGUSR2)
        waiting.until(lambda: ORDERED in self._hit_lines(), ORDER_SECONDS,
                      f"{self.name} to take an order")

    def arm(self, failpoint):
        """The next life, and no later one, ends or stops there; see runtime/failpoint.h."""
        self._hits.unlink(missing_ok=True)
        self._armed = failpoint

    def hits(self):
        """The names of the failpoints that did so since arm() or order()."""
        return [line for line in self._hit_lines() if line != ORDERED]

    def environment(self):
        failpoint, self._armed = self._armed, None
        made = {"ASSENT_FAILPOINT_HITS": str(self._hits)} if failpoint or self.takes_orders else {}
        if failpoint:
            made["ASSENT_FAILPOINT"] = failpoint
        if self.takes_orders:
            made["ASSENT_FAILPOINT_ORDERS"] = str(self._orders)
        return made

    def _hit_lines(self):
        return self._hits.read_text(encoding="utf-8").split() if self._hits.exists() else []

    @property
    def _hits(self):
        return self.directory / "failpoint-hits"

    @property
    def _orders(self):
        return self.directory / "failpoint-orders"

    def command(self):
        flags, self._flags = self._flags, ()
        return [self.bin_directory / f"assent-{self.kind}", "--config", self.config, *flags]

    def give_flags(self, *flags):
        """The next life, and no later one, is started with these as well."""
        self._flags = flags

    def is_ready(self):
        return f"{self.kind} ready" in self.new_log_text() and super().is_ready()

    def addresses(self, *roles):
        """Where it listens, by the role of the port."""
        return {role: self.address(role) for role in roles}

    def _write_config(self, head, tables):
        self.directory.mkdir(mode=0o755)
        text = toml({"": head, "listen": self.addresses(*self.ports), **tables, "log": {"level": "info"}})
        self.config.write_text(text, encoding="utf-8")


class Coordinator(Program):
    """One replica of the coordinator."""

    kind = "coordinator"

    def __init__(self, name, directory, port_numbers, bin_directory):
        super().__init__(name, directory, port_numbers, bin_directory)
        self.replica = int(name.rpartition("-")[2])

    def create(self, cluster, group, settings=None, joins=False):
        """Makes its directory and configuration; `group` are all replicas, this one included.

        `settings` are further tables of its configuration: {table: {key: value}}. One that `joins`
        waits until the group adds it.
        """
        head = {
            "cluster": cluster,
            "replica": self.replica,
            "data_directory": str(self.data_directory),
        }
        if joins:
            head["joins"] = True
        members = {f"replicas.{each.replica}": each.addresses("client", "peer", "admin")
                   for each in group if len(group) > 1}
        self._write_config(head, {**members, **(settings or {})})

    def is_ready(self):
        """True when it serves, or follows a replica that does."""
        if not Service.is_ready(self):
            return False
        told, = status.of([self])
        return told is not None and told.ready


class Agent(Program):
    """The agent of one database."""

    kind = "agent"

    def create(self, cluster, participant, server, coordinators, settings=None):
        """Makes its directory and configuration, with further tables {table: {key: value}}."""
        head = {
            "cluster": cluster,
            "participant": participant,
            "coordinators": [each.address("peer") for each in coordinators],
        }
        tables = {"postgres": self._postgres(server)}
        for table, keys in (settings or {}).items():
            tables[table] = {**tables.get(table, {}), **keys}
        self._write_config(head, tables)

    @staticmethod
    def _postgres(server):
        return {
            "socket": str(server.directory),
            "port": server.port,
            "database": server.database,
            "control_role": server.control_role,
            "work_role": server.work_role,
            "work_connections": 64,
            "finish_connections": 8,
        }
