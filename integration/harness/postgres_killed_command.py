"""The command integration/faults/postgres_killed: a PostgreSQL server dies under load."""

import time

from . import bank_run, crash_report, waiting

DESCRIPTION = """\
Starts PostgreSQL servers with agents and three replicas of the coordinator, moves money between the
servers, kills one server with all its processes by -9 under that load, starts it again, and tells how
long branches were in doubt, on that server and on the others. So many times in a row; the servers
take turns."""

EPILOG = """\
Exit code 0 only if nothing of before was left prepared on any server --settle-max after the killed
one took connections again, in every round; the databases hold what clients were told of each
transfer, once; no money was lost or made, no prepared transaction is left on any server, all replicas
have executed the same, and all processes stopped in good order."""


def main(arguments):
    """Runs the command; returns its exit code."""
    options = crash_report.parse("postgres_killed", DESCRIPTION, EPILOG, arguments, clients=32,
                                 add=_add_outage)
    return bank_run.run("postgres_killed", options, _Postgres)


def _add_outage(parser):
    parser.add_argument("--outage", type=float, default=0, metavar="S",
                        help="seconds for which the server stays down (default: 0)")


class _Postgres(crash_report.CrashAct):
    """The run itself, on a cluster that is up."""

    praise = "a PostgreSQL server was killed {times} times at work"

    def crash(self, number, meter):
        """One round: a server dies, comes back, and all is settled."""
        victim = self._cluster.servers[number % len(self._cluster.servers)]
        victim.kill()
        killed = time.time()
        waiting.until(lambda: time.time() >= killed + self._options.outage,
                      self._options.outage + 1, "the end of the outage")
        self._cluster.spawn(victim)
        victim.wait_until_up()
        up = time.time()
        meter.wait_until_settled(up, crash_report.PATIENCE_SECONDS)
        found = meter.crash(killed, up)
        self._steps.say(f"round {number:>3}: {victim.name} took connections"
                        f" {(up - killed) * 1000:,.0f} ms after its death; {crash_report.told(found)}")
        return found
