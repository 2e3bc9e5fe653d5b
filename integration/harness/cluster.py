"""A local cluster: PostgreSQL servers, replicas of the coordinator, one agent for each server.

All that belongs to a cluster lies in its directory, and `cluster.json` in it says what runs, so
that any later process can end it. The file is written anew after each start of a process.
"""

import json
import os
import pathlib
import shutil
import time

from . import interrupts, ports, processes, status
from .errors import HarnessError
from .postgres import SUPERUSER, Postgres
from .programs import Agent, Coordinator
from .standby import Copy, Standby

RECORD = "cluster.json"


class Cluster:
    """Use up() to make one, load() for one that is there."""

    def __init__(self, directory, name, bin_directory, network=None):
        """`network`, which outlives the cluster, is where the replicas of the coordinator live."""
        self.directory = pathlib.Path(directory)
        self.name = name
        self.bin_directory = pathlib.Path(bin_directory)
        self.servers = []
        self.standbys = []
        self.coordinators = []
        self.agents = []
        self.network = network
        self._allocator = ports.Allocator()

    def services(self):
        """All services, in the order in which they start."""
        return [*self.servers, *self.standbys, *self.coordinators, *self.agents]

    def service(self, name):
        """The service of that name, for example "agent-db1"."""
        return next(service for service in self.services() if service.name == name)

    def kill(self, name):
        """Ends a process, of a PostgreSQL server all of them, with SIGKILL."""
        self.service(name).kill()

    def kill_all(self):
        """Ends every process of the cluster with SIGKILL, all of them at once."""
        processes.kill([identity for service in self.services() for identity in service.doomed()])

    def begin_all(self):
        """Starts every process, in no order; returns when each one takes connections.

        Returns the moment of that, in time.time(): none of them need serve yet.
        """
        for service in self.services():
            service.spawn()
        self.save()
        for service in self.services():
            service.wait_until_up()
        return time.time()

    def wait_ready(self):
        """Returns when every process serves."""
        for service in self.services():
            service.wait_ready()

    def restart(self, name):
        """Begins the next life of a killed process and returns when it is ready."""
        self.begin_life(self.service(name))

    def leader(self):
        """The replica of the coordinator that leads; waits for an election that is under way."""
        return status.wait_for_leader(self.coordinators)

    def follower(self):
        """A replica that does not lead, None when there is none."""
        leader = self.leader()
        return next((each for each in self.coordinators if each is not leader), None)

    def prepared_transactions(self):
        """For each server by name its gids, None when the server does not run."""
        return {
            server.name: server.prepared_transactions() if server.is_running() else None
            for server in self.servers
        }

    def down(self, keep=False):
        """Ends every process. Returns what was not in order as sentences, none when all was.

        The coordinator goes first: it ends what it has begun, and needs the agents for it. The
        directory is removed, unless `keep` is set or something was not in order; then a second
        down() removes it.
        """
        problems = [service.stop() for service in [*self.coordinators, *self.agents]]
        problems += [_prepared_problem(server) for server in self.servers]
        problems += [server.stop() for server in [*self.servers, *self.standbys]]
        problems = [problem for problem in problems if problem is not None]
        self._allocator.release()
        if keep or problems:
            self.save()
        else:
            shutil.rmtree(self.directory)
        return problems

    def to_json(self):
        """The content of cluster.json."""
        return {
            "cluster": self.name,
            "dir": str(self.directory),
            "bin": str(self.bin_directory),
            "processes": [service.to_json() for service in self.services()],
            "databases": [_database_json(server) for server in self.servers],
        }

    def save(self):
        """Writes cluster.json; readers see the old or the new one, never a part."""
        new = self.directory / (RECORD + ".new")
        new.write_text(json.dumps(self.to_json(), indent=2) + "\n", encoding="utf-8")
        os.replace(new, self.directory / RECORD)

    def begin_life(self, service):
        """Starts a service and records it at once, ready or not."""
        self.spawn(service)
        service.wait_ready()

    def add_server(self, name, settings=None):
        """Makes and starts a PostgreSQL server with an empty database of participant `name`."""
        server = self._new(self.servers, Postgres, f"postgres-{name}", self._postgres_ports())
        server.create(settings)
        self.begin_life(server)
        server.create_database()

    def add_standby(self, server, name):
        """Makes a standby of a server and starts it; returns it when it streams."""
        standby = Standby(name, self.directory / name, server)
        standby.create()
        self.standbys.append(standby)
        self.begin_life(standby)
        standby.wait_until_streaming()
        return standby

    def promote(self, standby):
        """Puts a standby into the place of its primary, which is dead and out of the cluster then."""
        standby.promote()
        self.replace_primary(standby)

    def add_copy(self, server, name):
        """Makes a base backup of a server; returns it, not started and no part of the cluster yet."""
        copy = Copy(name, self.directory / name, server)
        copy.create()
        return copy

    def replace_primary(self, copy):
        """Puts a copy that runs into the place of its primary, which is dead."""
        copy.take_place()
        if copy in self.standbys:
            self.standbys.remove(copy)
        self.servers[self.servers.index(copy.primary)] = copy
        self.save()

    def add_coordinators(self, replicas, settings=None):
        """Makes and starts a group of replicas; returns when one leads and all others follow it."""
        for replica in range(1, replicas + 1):
            self._new_coordinator(replica)
        for coordinator in self.coordinators:
            coordinator.create(self.name, self.coordinators, settings)
        for coordinator in self.coordinators:
            coordinator.spawn()
        self.save()
        for coordinator in self.coordinators:
            coordinator.wait_ready()
        self.leader()

    def create_joining_replica(self):
        """Makes a replica that joins the group, once started and added; it does not run yet."""
        new = self._new_coordinator(max(each.replica for each in self.coordinators) + 1)
        new.create(self.name, self.coordinators, joins=True)
        return new

    def spawn(self, service):
        """Starts a service and records it, without waiting until it is ready."""
        service.spawn()
        self.save()

    def add_agent(self, server, settings=None):
        """Makes and starts the agent of a server, with further settings {table: {key: value}}."""
        self.begin_life(self._create_agent(server, f"agent-{participant_of(server)}", settings))

    def create_second_agent(self, server, settings=None, word="second"):
        """Makes another agent of a server that has one, on ports of its own; it does not run yet.

        `settings` are further tables of its configuration: {table: {key: value}}; its name ends with
        the `word`.
        """
        return self._create_agent(server, f"agent-{participant_of(server)}-{word}", settings)

    def add_clone(self, server, name):
        """Starts a base backup of a server beside it, and returns it."""
        clone = self.add_copy(server, name)
        self.standbys.append(clone)
        self.begin_life(clone)
        return clone

    def _create_agent(self, server, name, settings=None):
        numbers = self._program_ports(ports.agent_first)
        agent = self._new(self.agents, Agent, name, numbers)
        if self.network:
            agent.host = self.network.host  # where replicas in namespaces of their own reach it
        agent.create(self.name, participant_of(server), server, self.coordinators, settings)
        return agent

    def adopt(self, entry):
        """Takes a service over from its entry in cluster.json."""
        kind, group = {
            "postgres": (Postgres, self.servers),
            "coordinator": (Coordinator, self.coordinators),
            "agent": (Agent, self.agents),
        }[entry["kind"]]
        self._new(group, kind, entry["name"], entry["ports"]).take_identity(entry)

    def abandon(self):
        """Kills what runs and removes the directory: for a cluster that never came up."""
        for service in reversed(self.services()):
            if service.is_running():
                service.kill()
        self._allocator.release()
        shutil.rmtree(self.directory)

    def _postgres_ports(self):
        return {"postgres": self._allocator.take(ports.FIRST["postgres"])}

    def _program_ports(self, first_of):
        return {role: self._allocator.take(first_of(role)) for role in ("client", "peer", "admin")}

    def _new_coordinator(self, replica):
        numbers = self._program_ports(ports.FIRST.get)
        new = self._new(self.coordinators, Coordinator, f"coordinator-{replica}", numbers)
        if self.network:
            new.live_at(self.network.attach(replica))
        return new

    def _new(self, group, kind, name, numbers):
        own = () if kind is Postgres else (self.bin_directory,)
        service = kind(name, self.directory / name, numbers, *own)
        group.append(service)
        return service


def participant_of(server):
    """The participant's name of a PostgreSQL server: "db1" of "postgres-db1"."""
    return server.participant


def up(directory, name, databases, bin_directory, say=lambda line: None, replicas=1,
       settings=None, network=None, agent_settings=None):
    """Makes a cluster of that many databases and replicas; returns it when all of it serves.

    `say` is told each step, `settings` and `agent_settings` are further tables of the replicas' and the
    agents' configuration, `network` is where the replicas live, this machine without one. On any
    failure, Ctrl-C too, nothing of the cluster is left.
    """
    cluster = Cluster(claim(directory), name, bin_directory, network)
    try:
        with ports.exclusive():
            _start(cluster, databases, replicas, say, settings, agent_settings)
    except BaseException:
        with interrupts.ignored():
            cluster.abandon()
        raise
    return cluster


def load(directory):
    """The cluster that cluster.json in this directory describes."""
    try:
        text = (pathlib.Path(directory) / RECORD).read_text(encoding="utf-8")
    except (FileNotFoundError, NotADirectoryError):
        raise HarnessError(f"There is no cluster in {directory}.") from None
    try:
        record = json.loads(text)
    except ValueError:
        raise HarnessError(f"{directory}/{RECORD} is damaged: it is not JSON.") from None
    cluster = Cluster(directory, record["cluster"], record["bin"])
    for entry in record["processes"]:
        cluster.adopt(entry)
    return cluster


def _start(cluster, databases, replicas, say, settings, agent_settings):
    for number in range(1, databases + 1):
        say(f"PostgreSQL server db{number}")
        cluster.add_server(f"db{number}")
    say("coordinator" if replicas == 1 else f"coordinator of {replicas} replicas")
    cluster.add_coordinators(replicas, settings)
    for server in cluster.servers:
        say(f"agent of {participant_of(server)}")
        cluster.add_agent(server, agent_settings)


def claim(directory):
    """Makes the directory ours, whole and alone: it must be new, or empty and owned by us."""
    path = pathlib.Path(os.path.abspath(directory))
    path.mkdir(mode=0o755, parents=True, exist_ok=True)
    if (path / RECORD).exists():
        raise HarnessError(
            f"There is a cluster in {path} already;"
            f" `integration/cluster down --dir {path}` ends it.")
    if path.stat().st_uid != os.geteuid() or any(path.iterdir()):
        raise HarnessError(f"{path} is not an empty directory of yours; choose another one.")
    path.chmod(0o755)  # the servers' user must pass, whatever the umask is
    try:
        (path / RECORD).open("x").close()
    except FileExistsError:
        raise HarnessError(f"Another cluster is starting in {path}.") from None
    return path


def _prepared_problem(server):
    if not server.is_running():
        return None  # its stop() says so
    try:
        gids = server.prepared_transactions()
    except HarnessError as error:
        return str(error)
    if not gids:
        return None
    return f"{server.name} has {len(gids)} prepared transactions left, for example {gids[0]}."


def _database_json(server):
    return {
        "name": participant_of(server),
        "participant": participant_of(server),
        "socket": str(server.directory),
        "port": server.port,
        "database": server.database,
        "user": SUPERUSER,
    }
