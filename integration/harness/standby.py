"""Copies of a PostgreSQL server's data that can take its place: base backups, and standbys.

A copy has the first server's port in a directory of its own, and listens on its unix socket alone.
Agents find it once take_place() has put it where the first one's socket was.
"""

import os

from . import waiting
from .postgres import SUPERUSER, Postgres

STREAMING_SECONDS = 60


class Copy(Postgres):
    """A base backup of `primary`, a Postgres that runs; made by create().

    Started, it is a server like the first one was then, on the same timeline.
    """

    backup_options = ()

    def __init__(self, name, directory, primary):
        super().__init__(name, directory, primary.ports)
        self.primary = primary
        self.participant = primary.participant
        self.front = primary.front

    def create(self):
        """Copies the primary's data as it is now, and what is written meanwhile."""
        self.make_directory()
        self.run("pg_basebackup", "-h", self.primary.directory, "-p", self.port, "-U", SUPERUSER,
                 "-D", self.data_directory, "--checkpoint=fast", "--wal-method=stream",
                 "--no-sync", *self.backup_options)
        with open(self.config, "a", encoding="utf-8") as config:
            config.write(f"unix_socket_directories = '{self.directory}'\nlisten_addresses = ''\n")

    def accepts(self):
        """Nothing listens on the port."""
        return self._status() == "ready"

    def take_place(self):
        """Who connects to the first server's socket comes here from now on."""
        new = self.front.with_name(self.front.name + ".new")
        new.symlink_to(self.socket)
        os.replace(new, self.front)


class Standby(Copy):
    """A physical standby of `primary`, which can be promoted."""

    backup_options = ("--write-recovery-conf",)

    def __init__(self, name, directory, primary):
        super().__init__(name, directory, primary)
        self._source = None

    def accepts(self):
        """A standby counts when it answers queries."""
        return self._status() in ("ready", "standby")

    def wait_until_streaming(self):
        """Returns when it has what the primary has, or nearly."""
        self._wait_for("state = 'streaming'", "to stream")

    def wait_until_it_has_all(self):
        """Returns when it has replayed all that its primary has written by now."""
        position = self.primary.value("SELECT pg_current_wal_lsn()")
        self._wait_for(f"replay_lsn >= '{position}'", "to have all")

    def make_synchronous(self):
        """The primary's commits wait for it from now on."""
        self.primary.set(synchronous_standby_names="*")
        self._wait_for("sync_state = 'sync'", "to be the synchronous standby")

    def hold_replication(self):
        """From now on it gets nothing of what the primary writes, until release_replication()."""
        self._source = self.value("SHOW primary_conninfo")
        self.set(primary_conninfo="")
        waiting.until(lambda: self._receivers() == "0", STREAMING_SECONDS,
                      f"{self.name} to be held back")

    def release_replication(self):
        """It gets all that it lacks."""
        self.set(primary_conninfo=self._source.replace("'", "''"))
        self.wait_until_streaming()

    def promote(self):
        """It is a primary on a timeline of its own when this returns; the old one must be dead."""
        self.execute(f"SELECT pg_promote(true, {STREAMING_SECONDS})")
        waiting.until(lambda: self._status() == "ready", STREAMING_SECONDS,
                      f"{self.name} to be a primary")

    def _wait_for(self, condition, what):
        waiting.until(
            lambda: self.primary.value(
                f"SELECT count(*) FROM pg_stat_replication WHERE {condition}") != "0",
            STREAMING_SECONDS, f"{self.name} {what}")

    def _receivers(self):
        return self.value("SELECT count(*) FROM pg_stat_wal_receiver WHERE status = 'streaming'")
