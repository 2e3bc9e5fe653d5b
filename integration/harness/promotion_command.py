"""The command integration/faults/promotion: a server dies under load, and its standby takes its place."""

import time

from . import bank_run, crash_report, waiting
from .errors import HarnessError

WAYS = ("synchronous",)
RESTART = 1  # the exit code of an agent whose life is over and that is to be started again
AGENT_SECONDS = 60

DESCRIPTION = """\
Starts PostgreSQL servers with agents and three replicas of the coordinator, moves money between the
servers, gives one of them a standby, kills it with all its processes by -9 under that load, promotes the
standby and puts it where the agent looks for its database. An agent that ends with exit code 1 is
started again, as a service manager does. So many times in a row; the servers take turns.
  --how synchronous   the primary's commits wait for the standby: nothing is lost"""

EPILOG = """\
Exit code 0 only if nothing of before was left prepared on any server --settle-max after the promoted
standby took connections, in every round; no branch was reported as ended by somebody else; the
databases hold what clients were told of each transfer, once; no money was lost or made, no prepared
transaction is left on any server, all replicas have executed the same, and all processes stopped in
good order."""


def main(arguments):
    """Runs the command; returns its exit code."""
    options = crash_report.parse("promotion", DESCRIPTION, EPILOG, arguments, clients=16,
                                 add=_add_how)
    return bank_run.run("promotion", options, _Promotion)


def _add_how(parser):
    parser.add_argument("--how", choices=WAYS, default="synchronous",
                        help="what the standby has when it is promoted (default: synchronous)")


class _Promotion(crash_report.CrashAct):
    """The run itself, on a cluster that is up."""

    praise = "a synchronous standby was promoted {times} times at work"

    def crash(self, number, meter):
        """One round: a standby is made, its primary dies, it takes the place."""
        place = number % len(self._cluster.servers)
        primary, agent = self._cluster.servers[place], self._cluster.agents[place]
        standby = self._cluster.add_standby(primary,
                                            f"postgres-{primary.participant}-standby-{number}")
        standby.make_synchronous()
        self._workload.wait_for_commits()
        primary.kill_for_good()
        killed = time.time()
        self._cluster.promote(standby)
        up = time.time()
        meter.watch(standby)
        lives = self._tend(agent, lambda: meter.is_settled(up, up))
        found = meter.crash(killed, up)
        agent.wait_ready()
        self._steps.say(f"round {number:>3}: {standby.name} took the place"
                        f" {(up - killed) * 1000:,.0f} ms after the death of {primary.name},"
                        f" {agent.name} {'started again' if lives else 'went on'};"
                        f" {crash_report.told(found)}")
        return found

    def _tend(self, agent, settled):
        """Starts the agent again whenever it ends, until all is settled; returns how often."""
        lives = []

        def tended():
            if not agent.is_running():
                lives.append(self._begin_next_life(agent))
            return settled()

        try:
            waiting.until(tended, crash_report.PATIENCE_SECONDS, "all branches to be settled")
        except waiting.WaitedInVain:
            pass  # the meter tells what is left
        return len(lives)

    def _begin_next_life(self, agent):
        code = agent.wait_for_end(AGENT_SECONDS)
        if code != RESTART:
            raise HarnessError(f"{agent.name} ended with exit code {code}.\n{agent.log_tail()}")
        self._cluster.spawn(agent)
        return agent.identity
