"""One PostgreSQL server of a local cluster, with its own data directory, socket and port.

It trusts every local user (authentication `trust` on its unix socket and on loopback): a cluster to
test and play with, not to keep data in. What durability rests on is real: fsync is on.
"""

import os
import pathlib
import shutil
import signal
import subprocess

from . import processes, repository, sql, waiting
from .errors import HarnessError
from .ports import HOST
from .service import Service

BIN = pathlib.Path("/usr/lib/postgresql/15/bin")
SUPERUSER = "postgres"
COMMAND_SECONDS = 60
SOCKET_PATH_BYTES_MAX = 107  # sockaddr_un's sun_path, less its NUL
INSTALL_SQL = repository.ROOT / "participant" / "schema" / "install.sql"

SETTINGS = {
    "fsync": "on",
    # One call for the whole file system, before crash recovery, instead of one for each file.
    "recovery_init_sync_method": "syncfs",
    "full_page_writes": "on",
    "synchronous_commit": "on",
    "max_connections": 300,
    "max_prepared_transactions": 500,
    "shared_buffers": "128MB",
    "listen_addresses": HOST,
    "timezone": "UTC",
    "log_timezone": "UTC",
    "log_line_prefix": "%m [%p] %q%u@%d ",
}


def system_user():
    """Who runs the servers: PostgreSQL refuses root, so root's are run by the package's user."""
    return SUPERUSER if os.geteuid() == 0 else None


class Postgres(Service):
    """A server with the database that one participant is."""

    kind = "postgres"
    stop_signal = signal.SIGINT  # "fast": does not wait until its clients have left
    database = "app"
    control_role = "assent_agent"
    work_role = "assent_work"

    def __init__(self, name, directory, port_numbers):
        super().__init__(name, directory, port_numbers)
        self.user = system_user()
        self.participant = name.removeprefix("postgres-")
        self.front = self.socket  # where agents look for it

    @property
    def port(self):
        """The port on loopback, and in the name of the socket."""
        return self.ports["postgres"]

    @property
    def socket(self):
        """The path of its unix socket."""
        return self.directory / f".s.PGSQL.{self.port}"

    @property
    def config(self):
        return self.data_directory / "postgresql.conf"

    def command(self):
        return [BIN / "postgres", "-D", self.data_directory]

    def accepts(self):
        """Its port is open before crash recovery is over; until then it refuses everybody."""
        return self._status() == "ready" and super().accepts()

    def create(self, settings=None):
        """Makes the data directory and the configuration, with further settings by their names."""
        self.make_directory()
        # Not synced: until the cluster is up there is nothing to lose.
        self.run("initdb", "--no-sync", "-D", self.data_directory, "-U", SUPERUSER, "--auth=trust",
                  "--encoding=UTF8", "--locale=C.UTF-8")
        own = {"port": self.port, "unix_socket_directories": self.directory}
        with open(self.config, "a", encoding="utf-8") as config:
            config.writelines(f"{name} = '{value}'\n"
                              for name, value in (SETTINGS | (settings or {}) | own).items())

    def create_database(self):
        """Makes the application's database and installs Assent's schema and roles in it.

        Clients' statements may create tables, and use those that the superuser makes.
        """
        self.install(self.database, self.control_role, self.work_role)

    def install(self, database, control_role, work_role):
        """Makes a database with a schema and roles for an agent of its own."""
        self.execute(f"CREATE DATABASE {database}", database="postgres")
        self._psql(database, "-q", "-v", f"control_role={control_role}",
                   "-v", f"work_role={work_role}", "-f", INSTALL_SQL)
        self.execute(f"""
            GRANT CREATE, USAGE ON SCHEMA public TO {work_role};
            ALTER DEFAULT PRIVILEGES IN SCHEMA public
              GRANT SELECT, INSERT, UPDATE, DELETE, TRUNCATE ON TABLES TO {work_role};
            ALTER DEFAULT PRIVILEGES IN SCHEMA public
              GRANT USAGE, SELECT, UPDATE ON SEQUENCES TO {work_role};""", database)

    def execute(self, statements, database=None):
        """Runs statements as the superuser, each in its own transaction; returns their output."""
        return self._psql(database or self.database, "-qAt", "-F", "\t", input=statements)

    def value(self, query):
        """The only value of the only row, as text."""
        return self.execute(query).strip()

    def connect(self, seconds=5):
        """A kept connection as the superuser; no answer for so long counts as lost."""
        return sql.Connection(self.socket, SUPERUSER, self.database, seconds)

    def set(self, **settings):
        """Changes settings for this server from now on, as ALTER SYSTEM does, and for later lives."""
        for name, value in settings.items():
            self.execute(f"ALTER SYSTEM SET {name} = '{value}'")
        self.execute("SELECT pg_reload_conf()")

    def prepared_transactions(self):
        """The gids of all prepared transactions of this server, the oldest first."""
        return self.execute("SELECT gid FROM pg_prepared_xacts ORDER BY prepared").splitlines()

    def doomed(self):
        """The postmaster and everything that it started.

        The postmaster is stopped first, so that it starts nobody while they are counted. Without
        the others' death a new postmaster would find the shared memory in use.
        """
        if not processes.send(self.identity, signal.SIGSTOP):
            return []
        waiting.until(lambda: processes.is_stopped(self.identity), 10, f"{self.name} to halt")
        return [self.identity, *processes.children_of(self.identity.pid)]

    def make_directory(self):
        """Its own directory, of the user who runs it."""
        self._check_socket_path()
        self.directory.mkdir(mode=0o755)
        if self.user is not None:
            shutil.chown(self.directory, self.user, self.user)
            self._check_reachable()

    def _check_reachable(self):
        seen = subprocess.run(["test", "-x", self.directory], check=False,
                              **processes.as_user(self.user))
        if seen.returncode != 0:
            raise HarnessError(
                f"The user {self.user}, who runs PostgreSQL for root, may not enter"
                f" {self.directory.parent}. Choose a directory below /tmp.")

    def _status(self):
        """As pg_ctl does: by the first and the last line of the postmaster's own status file."""
        try:
            lines = (self.data_directory / "postmaster.pid").read_text(encoding="utf-8").split("\n")
        except FileNotFoundError:
            return ""
        return lines[7].strip() if lines[0] == str(self.identity.pid) and lines[7:8] else ""

    def _check_socket_path(self):
        longest = len(os.fsencode(self.socket))
        if longest > SOCKET_PATH_BYTES_MAX:
            raise HarnessError(
                f"The path {self.directory} is too long for a unix socket in it"
                f" ({longest} bytes of at most {SOCKET_PATH_BYTES_MAX}). Choose a shorter one.")

    def _psql(self, database, *arguments, input=None):
        fixed = ["-X", "-v", "ON_ERROR_STOP=1", "-h", self.directory, "-p", self.port,
                 "-U", SUPERUSER, "-d", database]
        return self.run("psql", *fixed, *arguments, input=input).stdout

    def run(self, program, *arguments, input=None):
        """Runs a program of PostgreSQL as the user of the server; its failure is a HarnessError."""
        command = [str(word) for word in (BIN / program, *arguments)]
        try:
            done = subprocess.run(
                command, input=input, text=True, capture_output=True, timeout=COMMAND_SECONDS,
                cwd="/", env=processes.clean_environment(), check=False,
                start_new_session=True,  # the terminal's Ctrl-C is for us
                **processes.as_user(self.user))
        except subprocess.TimeoutExpired:
            raise HarnessError(f"{self.name}: {program} took over {COMMAND_SECONDS} s.") from None
        if done.returncode != 0:
            raise HarnessError(f"{self.name}: {program} failed: {done.stderr.strip()}")
        return done
