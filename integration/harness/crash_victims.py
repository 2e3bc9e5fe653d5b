"""Who is struck in a trial of the crash matrix, and how: crash, lost connections, a stop.

Every victim has crash(), lose(), halt() and go_on(), which do not wait, for somebody else stands still
meanwhile; revive(), which starts again what was crashed; and heal(), which returns when it serves.
"""

import signal

from . import crash_cells as cells
from . import processes, severing, waiting
from .errors import HarnessError

SECONDS = 60


class _Victim:
    """One process."""

    def __init__(self, identity):
        self._identity = identity

    def crash(self):
        """As if its machine had lost its power, or the kernel were short of memory."""
        processes.send(self._identity, signal.SIGKILL)

    def lose(self):
        """Its connections. What lies in them is still read."""
        severing.sever(self._identity)

    def halt(self):
        """Until go_on()."""
        processes.send(self._identity, signal.SIGSTOP)

    def go_on(self):
        """Undoes halt()."""
        processes.send(self._identity, signal.SIGCONT)

    def revive(self):
        """Nothing, if others do it, or nobody."""

    def heal(self):
        """Nothing, as well."""


class ClientVictim(_Victim):
    """The client's process. One that died stays dead; whoever has it replaces it."""

    def __init__(self, client):
        super().__init__(client.identity)


class ProgramVictim(_Victim):
    """A replica or an agent; it loses its connections to other programs, not those to PostgreSQL."""

    def __init__(self, cluster, service):
        super().__init__(service.identity)
        self._cluster = cluster
        self._service = service

    def lose(self):
        severing.sever(self._identity, severing.is_tcp)

    def revive(self):
        code = self._service.wait_for_end(SECONDS)
        if code != -signal.SIGKILL:
            raise HarnessError(f"{self._service.name} ended by itself, with exit code {code}.\n"
                               f"{self._service.log_tail()}")
        self._cluster.spawn(self._service)

    def heal(self):
        self._service.wait_ready()


class ServerVictim:
    """A PostgreSQL server, all of its processes."""

    def __init__(self, cluster, server, agent):
        self._cluster = cluster
        self._server = server
        self._agent = agent
        self._processes = []

    def crash(self):
        """As if its machine had lost its power."""
        self._signal_all(signal.SIGKILL)

    def lose(self):
        """Every connection of its agent, whose commands may lie in them."""
        severing.sever(self._agent.identity, severing.leads_to(self._server.socket))

    def halt(self):
        """Until go_on()."""
        self._signal_all(signal.SIGSTOP)

    def go_on(self):
        """Undoes halt()."""
        for identity in self._processes:
            processes.send(identity, signal.SIGCONT)

    def revive(self):
        processes.kill(self._processes)  # and returns when they are gone
        self._cluster.spawn(self._server)

    def heal(self):
        self._server.wait_ready()

    def _signal_all(self, number):
        self._processes = self._server.doomed()
        for identity in self._processes:
            processes.send(identity, number)


class BackendVictim(_Victim):
    """One backend. When it is killed PostgreSQL ends all others, and recovers by itself.

    Who stops one does it where it waits for its client: there it holds nothing that others need.
    """

    # By what a moment says of it: whose transaction is the newest, who has done something last.
    QUERIES = {
        cells.IN_TRANSACTION: ("work_role", "xact_start DESC NULLS LAST"),
        cells.MOST_RECENT: ("work_role", "state_change DESC"),
        cells.CONTROL: ("control_role", "state_change DESC"),
    }

    def __init__(self, server, which):
        self._server = server
        role, order = self.QUERIES[which]
        pid = self._ask(f"SELECT pid FROM pg_stat_activity WHERE usename = '{getattr(server, role)}'"
                        f" ORDER BY {order} LIMIT 1")
        super().__init__(processes.identify(int(pid)))
        self._before = self._checkpointer()
        self._crashed = False

    def crash(self):
        self._crashed = True
        super().crash()

    def heal(self):
        if self._crashed:
            waiting.until(self._has_recovered, SECONDS, f"{self._server.name} to recover")

    def _has_recovered(self):
        try:
            return self._checkpointer() != self._before
        except HarnessError:
            return False

    def _checkpointer(self):
        """A new one comes with each recovery."""
        return self._ask("SELECT pid FROM pg_stat_activity WHERE backend_type = 'checkpointer'")

    def _ask(self, query):
        connection = self._server.connect()
        try:
            rows = connection.rows(query)
        finally:
            connection.close()
        if not rows:
            raise HarnessError(f"{self._server.name} has no such backend (in: {query})")
        return rows[0][0]
