"""The command integration/faults/leader_steps: the leader dies between any two steps of the protocol."""

from . import arming, bank_run, steps
from .steps import Step

DESCRIPTION = """\
Starts PostgreSQL servers with agents and three replicas of the coordinator. For each step of the protocol
a replica is armed with a failpoint (runtime/failpoint.h) and made the leader; a client drives one
transaction, the leader kills itself by -9 exactly there, the client asks the others again until it is
told, the dead one is started again, and all are asked once more. The kinds of transactions: interactive,
one-shot, one-phase (one branch writes, the other reads), refused (a branch votes NO), abort (the client
asks for it), abort-one-phase (of what might have committed in one phase)."""

EPILOG = """\
Exit code 0 only if each leader died at its failpoint; every client was told one outcome for ever, by
every replica, in the end again; the databases hold each transaction as often as that outcome says; no
branch was in doubt for longer than --in-doubt-max; no money was lost or made, no prepared transaction is
left on any server, all replicas have executed the same, and all processes stopped in good order.
The programs must have failpoints: the presets dev and asan have them."""

PROPOSING = "leader.decision.proposing"
FIRST_PEER = f"{PROPOSING},log.sending,wire.written"  # one replica is sent the decision
EVERY_PEER = f"{PROPOSING},log.sending,wire.written:2"
ON_DISK = f"{PROPOSING},log.persisted"  # the leader's own
PREPARES = "leader.prepare.sending,wire.written"
FINISHES = "leader.finish.sending,wire.written"
ANSWERED = "leader.answer.sending,wire.written"

DECIDING = (PROPOSING, FIRST_PEER, EVERY_PEER, ON_DISK, "leader.decision.executed")
ENDING = ("leader.finish.sending", FINISHES, "leader.finish.confirmed", "leader.answer.sending",
          ANSWERED)
TWO_PHASES = (
    "leader.commit.asked", "leader.prepare.sending", PREPARES, f"{PREPARES}:2",
    "leader.vote.arrived", "leader.vote.arrived:2", *DECIDING,
    "leader.finish.sending", FINISHES, f"{FINISHES}:2", "leader.finish.confirmed",
    "leader.finish.confirmed:2", "leader.answer.sending", ANSWERED, "leader.forgotten.proposing",
    "leader.forgotten.executed")
ONE_PHASE = (
    "leader.commit.asked", "leader.prepare.sending", PREPARES, "leader.vote.arrived",
    "leader.vote.arrived,leader.prepare.sending", f"leader.vote.arrived,{PREPARES}",
    "leader.vote.arrived:2", "leader.answer.sending", ANSWERED)
VOTED_NO = ("leader.vote.arrived", *DECIDING, *ENDING)
ABORTING = ("leader.abort.asked", *DECIDING, *ENDING)
SETTLING = ("leader.abort.asked", "leader.settle.sending", "leader.settle.sending,wire.written",
            "leader.settle.answered", PROPOSING, "leader.decision.executed", "leader.answer.sending")

QUICK = {
    ("interactive", "leader.vote.arrived"), ("interactive", PROPOSING), ("interactive", FIRST_PEER),
    ("interactive", "leader.decision.executed"), ("interactive", FINISHES),
    ("one-shot", f"{PREPARES}:2"), ("one-shot", "leader.vote.arrived:2"), ("one-shot", ANSWERED),
    ("one-phase", f"leader.vote.arrived,{PREPARES}"), ("one-phase", "leader.vote.arrived:2"),
    ("refused", "leader.decision.executed"), ("abort-one-phase", "leader.settle.answered"),
}


def _steps():
    by_kind = {"interactive": TWO_PHASES, "one-shot": TWO_PHASES, "one-phase": ONE_PHASE,
               "refused": VOTED_NO, "abort": ABORTING, "abort-one-phase": SETTLING}
    return [Step(kind, path, (kind, path) in QUICK) for kind, paths in by_kind.items()
            for path in paths]


STEPS = _steps()


def main(arguments):
    """Runs the command; returns its exit code."""
    options = steps.parse("leader_steps", DESCRIPTION, EPILOG, arguments)
    if options.replicas < 3:
        raise SystemExit("leader_steps: --replicas must be at least 3: one of them dies")
    return bank_run.run("leader_steps", options, _LeaderSteps)


class _LeaderSteps(steps.StepsAct):
    """The run itself, on a cluster that is up."""

    steps = STEPS
    praise = "a leader was killed at {count} steps of the protocol"

    def take(self, step, transfer):
        """One leader's death; it starts again."""
        victim = arming.leader(self._cluster, step.path)
        if not transfer.open(victim):
            raise arming.Missed(f"{victim.name} has lost the office.")
        transfer.ask(victim)
        died = arming.wait_for_death(victim, step.path, self._cluster, victim)
        self._cluster.spawn(victim)
        return died
