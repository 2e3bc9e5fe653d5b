"""The command integration/faults/agent_steps: an agent dies between any two steps of the protocol."""

from . import arming, bank_run, steps
from .steps import Step

LEFT_PREPARED = "agent.prepared"  # what an agent that dies at its start finds

DESCRIPTION = """\
Starts PostgreSQL servers with agents and three replicas of the coordinator. For each step of the protocol
an agent is armed with a failpoint (runtime/failpoint.h); a client drives one transaction, the agent kills
itself by -9 exactly there and is started again; the client asks until it is told, and then every replica
once more. The kinds of transactions are those of leader_steps. For the steps of an agent's start, the
agent first dies with a branch prepared, and its next life dies as well."""

EPILOG = """\
Exit code 0 only if each agent died at its failpoint; every client was told one outcome for ever, by
every replica, in the end again; the databases hold each transaction as often as that outcome says; no
branch was in doubt for longer than --in-doubt-max; no money was lost or made, no prepared transaction is
left on any server, all replicas have executed the same, and all processes stopped in good order.
The programs must have failpoints: the presets dev and asan have them."""

SENT = "agent.prepare.sending,agent.sql.sent"  # the last word is PostgreSQL's, and nobody hears it
ANSWERED = "agent.vote.answering,wire.written"

PREPARING = ("agent.prepare.asked", "agent.prepare.sending", SENT, "agent.prepared",
             "agent.vote.answering", ANSWERED)
FINISHING = ("agent.finish.sending", "agent.finish.sending,agent.sql.sent", "agent.finish.done",
             "agent.finish.done,wire.written")
ONE_PHASE = ("agent.prepare.asked", "agent.prepare.sending", SENT, "agent.one_phase.committed",
             "agent.vote.answering", ANSWERED)
SETTLING = ("agent.settle.sending", "agent.settle.sending,agent.sql.sent", "agent.settle.done")
STARTING = ("agent.epoch.issued", "agent.epoch.claimed", "agent.enrolled", "agent.fence.complete")

BY_KIND = {
    "interactive": (*PREPARING, *FINISHING, *STARTING),
    "one-shot": (*PREPARING, *FINISHING),
    "one-phase": ONE_PHASE,
    "refused": FINISHING,
    "abort-one-phase": SETTLING,
}

QUICK = {
    ("interactive", SENT), ("interactive", "agent.prepared"),
    ("interactive", "agent.finish.sending,agent.sql.sent"), ("interactive", "agent.finish.done"),
    ("interactive", "agent.epoch.claimed"), ("one-shot", SENT), ("one-phase", SENT),
    ("one-phase", "agent.one_phase.committed"), ("abort-one-phase", "agent.settle.done"),
}


def _steps():
    found = [Step(kind, path, (kind, path) in QUICK) for kind, paths in BY_KIND.items()
             for path in paths]
    return [*found, Step("one-phase", "agent.read_only.left", who="agent-db2")]


STEPS = _steps()


def main(arguments):
    """Runs the command; returns its exit code."""
    return bank_run.run("agent_steps", steps.parse("agent_steps", DESCRIPTION, EPILOG, arguments),
                        _AgentSteps)


class _AgentSteps(steps.StepsAct):
    """The run itself, on a cluster that is up."""

    steps = STEPS
    praise = "an agent was killed at {count} steps of the protocol"

    def take(self, step, transfer):
        """One agent's death, or two; it starts again."""
        victim = self._cluster.service(step.who or "agent-db1")
        starting = step.path in STARTING
        arming.begin(self._cluster, victim, LEFT_PREPARED if starting else step.path)
        leader = self._cluster.leader()
        if not transfer.open(leader):
            raise arming.Missed(f"{leader.name} has lost the office.")
        transfer.ask(leader)
        died = arming.wait_for_death(victim, LEFT_PREPARED if starting else step.path, self._cluster,
                                     leader)
        if starting:
            victim.arm(step.path)
            self._cluster.spawn(victim)
            arming.wait_for_death(victim, step.path, self._cluster, leader)
        self._cluster.spawn(victim)
        return died
