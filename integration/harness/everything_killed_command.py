"""The command integration/faults/everything_killed: every process dies at once, under load."""

import time

from . import bank_run, crash_report, stages

DESCRIPTION = """\
Starts PostgreSQL servers with agents and three replicas of the coordinator, moves money between the
servers, kills every process with -9 at once (replicas, agents, servers) under that load, starts all of
them again, and tells how long branches were in doubt: what was prepared when they died, or while
they came back, and when the last of it was settled. So many times in a row."""

EPILOG = """\
"The last process is up" when every process takes connections, whether it serves yet or not.
Exit code 0 only if nothing of before was left prepared --settle-max after the last process was up, in
every round; the databases hold what clients were told of each transfer, once; no money was lost or
made, no prepared transaction is left on any server, all replicas have executed the same, and all
processes stopped in good order."""


def main(arguments):
    """Runs the command; returns its exit code."""
    options = crash_report.parse("everything_killed", DESCRIPTION, EPILOG, arguments, clients=16)
    return bank_run.run("everything_killed", options, _Everything)


class _Everything(crash_report.CrashAct):
    """The run itself, on a cluster that is up."""

    praise = "everything was killed at once {times} times at work"

    def crash(self, number, meter):
        """One round: everything dies, comes back, and settles."""
        self._cluster.kill_all()
        killed = time.time()
        up = self._cluster.begin_all()
        meter.wait_until_settled(up, crash_report.PATIENCE_SECONDS)
        found = meter.crash(killed, up)
        self._cluster.wait_ready()
        self._steps.say(f"round {number:>3}: {crash_report.told(found)}")
        self._steps.say(f"           {stages.told(up, self._stages())}")
        return found

    def _stages(self):
        coordinators, agents = self._cluster.coordinators, self._cluster.agents
        return [("leader", stages.earliest(coordinators, "coordinator ready")),
                ("agents enrolled", stages.last(agents, "agent enrolled")),
                ("ready", stages.last(agents, "agent ready"))]
