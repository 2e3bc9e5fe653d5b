"""The command integration/faults/by_hand: somebody ends a prepared branch against the decision."""

import argparse
import dataclasses
import time

from . import arming, assentctl, bank, bank_run, waiting
from .errors import HarnessError

SECONDS = 60
TRIES = 3
VOTED = "agent.vote.answering,wire.written:stop"  # it has voted, and stands still
TOLD = "agent.finish.sending:stop"  # it knows the decision, and stands still
DECIDED = "leader.decision.executed"  # the decision has taken effect, and the leader dies

DESCRIPTION = """\
Starts PostgreSQL servers with agents and three replicas of the coordinator, and four times lets somebody
end one prepared branch by hand, between the decision and its end: ROLLBACK PREPARED of one that is to
commit and COMMIT PREPARED of one that is to roll back, each of them while the agent stands still at a
failpoint, and while it does and the leader has died at one."""

EPILOG = """\
Exit code 0 only if each time assentctl heuristic list tells the transaction and what was done with
which branch, and tells the same after the leader was killed; the client is told the decision for ever,
and that the branch was ended otherwise; assentctl heuristic forget clears it; the databases
hold what the hand has made of it, and nothing else was lost or made; no prepared transaction is left on
any server, all replicas have executed the same, and all processes stopped in good order.
The programs must have failpoints: the presets dev and asan have them."""


@dataclasses.dataclass(frozen=True)
class Scene:
    """One end by hand."""

    title: str
    kind: str  # of single_transfer
    participant: str  # whose branch
    command: str  # with which somebody ends it
    leader_dies: bool
    outcome: str  # the decision
    result: str  # what the list says of the branch
    held: list  # how often each server holds the transfer in the end
    made: int  # money, by the hand


def _scenes():
    scenes = []
    for leader_dies in (False, True):
        when = "and the leader is dead" if leader_dies else "and the agent knows the decision"
        scenes.append(Scene(f"a branch that is to commit is rolled back, {when}", "interactive", "db2",
                            "ROLLBACK PREPARED", leader_dies, "COMMITTED", "heuristic-rollback",
                            [1, 0], -1))
        scenes.append(Scene(f"a branch that is to roll back is committed, {when}", "refused", "db1",
                            "COMMIT PREPARED", leader_dies, "ABORTED", "heuristic-commit", [1, 0], -1))
    return scenes


def main(arguments):
    """Runs the command; returns its exit code."""
    parser = argparse.ArgumentParser(
        prog="integration/faults/by_hand", description=DESCRIPTION, epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter)
    bank_run.add_options(parser, clients=0, preset="dev")
    options = parser.parse_args(arguments)
    bank_run.check_options(parser, options)
    return bank_run.run("by_hand", options, _ByHand)


class _ByHand(bank_run.Act):
    """The run itself, on a cluster that is up."""

    def __init__(self, *arguments):
        super().__init__(*arguments)
        self._rows = []
        self._problems = []

    def run(self):
        """Returns the Verdict."""
        from . import single_transfer  # noqa: PLC0415 (needs packages, which are there by now)
        self._money.open_with_receipts()
        scenes = _scenes()
        for number, scene in enumerate(scenes, 1):
            self._steps.say(f"{number}. {scene.title}")
            self._play(scene, number, single_transfer.SingleTransfer)
        books = self._money.close()
        made = sum(scene.made for scene in scenes)
        self._show(books, made)
        return bank_run.Verdict(
            [*self._problems, *books.problems(made)],
            f"{len(scenes)} branches were ended by hand against the decision; each was told by every"
            " leader until it was forgotten, nothing else was lost or made, nothing is left prepared,"
            " all replicas have executed the same, and every process stopped in good order.")

    def _decided(self, scene, transfer):
        """Up to the decision; returns its leader, who may be dead by now, and the agent, who halts."""
        agent = self._cluster.service(f"agent-{scene.participant}")
        halts_at = VOTED if scene.leader_dies else TOLD
        arming.begin(self._cluster, agent, halts_at)
        leader = arming.leader(self._cluster, DECIDED) if scene.leader_dies else self._cluster.leader()
        if not transfer.open(leader):
            raise arming.Missed(f"{leader.name} has lost the office.")
        transfer.ask(leader)
        arming.wait_for_halt(agent, halts_at, self._cluster, leader)
        if scene.leader_dies:
            arming.wait_for_death(leader, DECIDED, self._cluster, leader)
        return leader, agent

    def _play(self, scene, number, new_transfer):
        for attempt in range(1, TRIES + 1):
            transfer = new_transfer(self._cluster, scene.kind, f"{number}-{attempt}")
            try:
                leader, agent = self._decided(scene, transfer)
                break
            except arming.Missed as missed:
                self._steps.say(f"   {missed} Once more.")
        else:
            raise HarnessError(f"The office changed hands {TRIES} times.")
        self._end_by_hand(scene, transfer)
        agent.go_on()
        begun = time.monotonic()
        told = waiting.until(lambda: self._listed(transfer), SECONDS, f"{transfer.name} to be told")
        self._rows.append((scene.title, (time.monotonic() - begun) * 1000))
        if scene.leader_dies:
            self._cluster.begin_life(leader)
        transfer.await_answer()
        self._check(scene, transfer, told)
        self._kill_the_leader()
        self._check(scene, transfer, self._listed(transfer))
        self._forget(transfer)

    def _end_by_hand(self, scene, transfer):
        server = self._cluster.service(f"postgres-{scene.participant}")
        gid, = [each for each in server.prepared_transactions() if transfer.id in each]
        server.execute(f"{scene.command} '{gid}'")
        self._steps.say(f"   {scene.command} '{gid}'")

    def _listed(self, transfer):
        """What the list tells of it; None: nothing, or nobody leads at the moment."""
        try:
            return assentctl.heuristics(self._cluster).get(transfer.id)
        except HarnessError:
            return None

    def _kill_the_leader(self):
        leader = self._cluster.leader()
        leader.kill()
        self._cluster.leader()
        self._steps.say(f"   {leader.name} is killed; another one leads")
        self._cluster.begin_life(leader)

    def _check(self, scene, transfer, told):
        transfer.repeat(self._cluster.coordinators)
        expected = (scene.outcome, [(scene.participant, scene.result)])
        found = told and (told["outcome"], [(branch["participant"], branch["result"])
                                            for branch in told["branches"]])
        if found != expected:
            self._problems.append(f"Of {transfer.name} the list tells {found}, not {expected}.")
        outcomes = {outcome.upper() for outcome in transfer.told()}
        if outcomes != {scene.outcome}:
            self._problems.append(f"{transfer.name} was told {outcomes}, not {scene.outcome}.")
        if transfer.ended_otherwise != {scene.participant}:
            self._problems.append(f"{transfer.name} was told that {transfer.ended_otherwise} ended"
                                  f" otherwise, not {scene.participant}.")
        held = [bank.receipts(server).count(transfer.name) for server in self._cluster.servers]
        if held[:2] != scene.held:
            self._problems.append(f"{transfer.name} stands {held} times on the servers.")

    def _forget(self, transfer):
        assentctl.forget_heuristic(self._cluster, transfer.id, "booked by hand")
        if assentctl.heuristics(self._cluster):
            self._problems.append(f"{transfer.name} is told after it was forgotten, too.")

    def _show(self, books, made):
        print()
        for what, milliseconds in self._rows:
            print(f"{what:>80}: told after {milliseconds:,.0f} ms")
        print(f"{'sum before and after, and made by hand':>80}: {sum(books.before):,}"
              f" {sum(books.after):,} {made:,}")
        print(f"{'prepared transactions left':>80}: {sum(books.prepared):,}", flush=True)
