"""One cluster in which trials of the crash matrix run, one after the other."""

import contextlib
import dataclasses
import threading
import time

from . import aftermath, arming, bank, in_doubt, status, waiting
from . import crash_cells as cells
from .client_process import Address, ClientProcess, Gone, addresses_of
from .crash_victims import BackendVictim, ClientVictim, ProgramVictim, ServerVictim
from .errors import HarnessError

TRIES = 5
HALT_SECONDS = 10


@dataclasses.dataclass(frozen=True)
class Shown:
    """What a trial has shown."""

    trial: cells.Trial
    outcome: str  # what the client is told for ever; empty: the trial came to no end
    known_seconds: float  # from the stroke until somebody knew the outcome
    ages: list  # of the branches that were in doubt at the stroke or after it, in seconds
    problems: list  # sentences; none: all held that is guaranteed
    seconds: float  # that it took


class Lane:
    """A cluster that is up, with an open bank, from start() until close()."""

    def __init__(self, money, options):
        from . import single_transfer  # noqa: PLC0415 (needs packages, which are there by now)
        self._new_transfer = single_transfer.SingleTransfer
        self._outcomes = single_transfer.NAMES
        self._money = money
        self._options = options
        self.cluster = money.cluster
        self._addresses = addresses_of(self.cluster)
        self._transfers = []
        self._count = 0
        self._client = None
        self._meter = None

    def start(self):
        """Every program begins a life that can be armed while it runs."""
        self._money.open_with_receipts()
        for service in (*self.cluster.coordinators, *self.cluster.agents):
            service.takes_orders = True
            problem = service.stop()
            if problem:
                raise HarnessError(problem)
            self.cluster.begin_life(service)
        self._client = ClientProcess()
        self._meter = in_doubt.Meter(self.cluster.servers)

    def stop(self):
        """What looks at the cluster and works in it ends; the cluster stays."""
        if self._meter:
            self._meter.stop()
        if self._client:
            self._client.kill()
        for service in self.cluster.services():
            if service.is_running():
                service.go_on()

    def close(self):
        """What is wrong in the end, as sentences: every answer is given once more, and money counted."""
        books, problems = aftermath.at_the_end(self.cluster, self._money, self._transfers)
        return [*problems, *books.problems()]

    def run(self, trial):
        """Returns the Shown. Raises a HarnessError when the cluster cannot be used any more."""
        begun = time.monotonic()
        missed = "the office changed hands"
        for _ in range(TRIES):
            run = _Run(self, trial, self._next_transfer(trial.kind))
            try:
                found = run.run()
                outcome = self._outcomes[run.transfer.outcome]
                if outcome in cells.OUTCOMES[trial.guaranteed] or not run.lost_a_leader_unstruck():
                    break
            except arming.Missed as why:
                missed = why
                run.forget_the_moment()
                self._disarm()
        else:
            raise HarnessError(f"It was tried {TRIES} times in vain; the last time: {missed}")
        return Shown(trial, outcome, run.known_seconds, found.ages,
                     [*found.problems, *self._broken(trial, outcome, found.ages)],
                     time.monotonic() - begun)

    def _broken(self, trial, outcome, ages):
        """What is guaranteed and did not hold."""
        found = []
        if outcome not in cells.OUTCOMES[trial.guaranteed]:
            found.append(f"The outcome is {outcome}.")
        limit = self._options.in_doubt_max / 1000
        limit += self._options.stop if trial.stroke == cells.STOP else 0
        if any(age > limit for age in ages):
            found.append(f"A branch was in doubt for {max(ages):.1f} s.")
        return found

    def _next_transfer(self, kind):
        """On accounts of its own: what an earlier one left locked does not stand in its way."""
        self._count += 1
        account = 2 * self._count % bank.ACCOUNTS + 1
        return self._new_transfer(self._addresses, kind, self._count, account=account)

    def _disarm(self):
        """After a trial in which somebody did not come to his failpoint."""
        self._client.kill()
        self._client = ClientProcess()
        for service in (*self.cluster.coordinators, *self.cluster.agents):
            service.go_on()
            service.wait_ready()
            service.order("")

    # ── for the run of a trial ──────────────────────────────────────────────────────────────────

    @property
    def client(self):
        """The present client process."""
        return self._client

    @property
    def meter(self):
        """What sees the branches in doubt."""
        return self._meter

    @property
    def stop_seconds(self):
        """How long who is stopped stands still."""
        return self._options.stop

    def remember(self, transfer):
        """It is asked for once more at the end."""
        self._transfers.append(transfer)

    def replace_client(self):
        """Another one, when the present one is dead."""
        self._client.kill()
        self._client = ClientProcess()


class _Run:
    """One try at a trial."""

    def __init__(self, lane, trial, transfer):
        self.transfer = transfer
        self.known_seconds = 0.0
        self._lane = lane
        self._cluster = lane.cluster
        self._trial = trial
        self._moment = trial.moment
        self._leader = self._cluster.leader()
        self._ballot = status.ballot_of(self._leader)
        self._follower = next(each for each in self._cluster.coordinators
                              if each is not self._leader)
        self._agent = self._cluster.service(f"agent-{self._moment.database}")
        self._server = self._cluster.service(f"postgres-{self._moment.database}")
        self._actor = {cells.LEADER: self._leader, cells.FOLLOWER: self._follower,
                       cells.AGENT: self._agent}[self._moment.actor]

    def run(self):
        """Returns the Aftermath."""
        self._start()
        if not self._moment.opening:
            self._execute()
        self._come_to_the_moment()
        victim = self._victim()
        struck = time.time()
        with self._struck(victim):
            self._hear(struck)
        victim.heal()
        return aftermath.of(self._cluster, self._lane.meter, self.transfer, struck)

    def lost_a_leader_unstruck(self):
        """The office changed hands, for want of time on a busy machine, and nobody meant it to.

        That is another trial: what a leader leaves undecided may come to either outcome.
        """
        return self._trial.victim != cells.LEADER and status.ballot_of(
            self._cluster.leader()) != self._ballot

    def forget_the_moment(self):
        """It was missed; the transaction, if it has begun, comes to an end like any other."""
        if self.transfer.id is None:
            return
        if self._moment.opening:
            self.transfer.give_up()
        self._lane.remember(self.transfer)

    # ── up to the moment ────────────────────────────────────────────────────────────────────────

    def _start(self):
        if not self.transfer.start(self._leader):
            raise arming.Missed(f"{self._leader.name} has lost the office.")

    def _execute(self):
        self._lane.client.begin(self.transfer, "execute")
        why = self._opened()
        if why:
            raise HarnessError(f"{self.transfer.name}: nothing was struck, and its client could not open"
                               f" it: {why}")

    def _opened(self):
        """Why the client has not opened all branches, and gives up; empty: it has."""
        try:
            self.transfer, why = self._lane.client.answer()
        except Gone:
            self._check_that_it_was_killed()
            why = "the client is dead"
        if why:
            self.transfer.give_up()
        return why

    def _come_to_the_moment(self):
        """Somebody asks, and the actor stands still."""
        arms_leader_first = bool(self._moment.first)
        if arms_leader_first:
            self._leader.order(f"{self._moment.first}:stop")
        else:
            self._actor.order(f"{self._moment.path}:stop")
        request = ("execute",) if self._moment.opening else self._request_to_end()
        self._lane.client.begin(self.transfer, *request)
        if arms_leader_first:
            self._wait_for_halt(self._leader, self._moment.first)
            self._actor.order(f"{self._moment.path}:stop")
            self._leader.go_on()
        self._wait_for_halt(self._actor, self._moment.path)

    def _request_to_end(self):
        return ("ask_once", Address(self._leader.name, self._leader.ports))

    def _wait_for_halt(self, service, path):
        """Also a trial whose transaction took another way, as a NO may overtake a YES, is tried again."""
        try:
            arming.wait_for_halt(service, path, self._cluster, self._leader, HALT_SECONDS)
        except waiting.WaitedInVain as vain:
            raise arming.Missed(str(vain)) from None

    # ── the stroke ──────────────────────────────────────────────────────────────────────────────

    def _victim(self):
        name = self._trial.victim
        if name == cells.CLIENT:
            return ClientVictim(self._lane.client)
        if name == cells.POSTGRES:
            return ServerVictim(self._cluster, self._server, self._agent)
        if name == cells.BACKEND:
            return BackendVictim(self._server, self._moment.backend)
        return ProgramVictim(self._cluster, self._program(name))

    def _program(self, name):
        """A follower that is struck is the one that stands still, if one does."""
        return {cells.LEADER: self._leader, cells.FOLLOWER: self._follower,
                cells.AGENT: self._agent}[name]

    @contextlib.contextmanager
    def _struck(self, victim):
        """Everybody goes on in the block, but who is dead; who is stopped does later, by itself."""
        going_on = threading.Timer(self._lane.stop_seconds, victim.go_on)
        self._strike(victim)
        if self._trial.stroke == cells.STOP:
            going_on.start()
        try:
            yield
        finally:
            if self._trial.stroke == cells.STOP:
                going_on.join()

    def _strike(self, victim):
        stroke = self._trial.stroke
        {cells.CRASH: victim.crash, cells.LOSE: victim.lose, cells.STOP: victim.halt}[stroke]()
        if not (self._trial.actor_is_struck and stroke == cells.STOP):
            self._actor.go_on()
        if stroke == cells.CRASH:
            victim.revive()

    # ── the answer ──────────────────────────────────────────────────────────────────────────────

    def _hear(self, struck):
        """Returns when the outcome is known, to the client, too, if it lives."""
        asked = not self._moment.opening or self._ask_if_it_opened()
        self._lane.remember(self.transfer)
        if self._trial.victim != cells.CLIENT:
            self._ask_elsewhere(struck)
        if asked:
            self._take_answer()
        if self._client_was_killed():
            self._lane.replace_client()
        if self._trial.victim == cells.CLIENT:
            self._settle_without_a_client()
            self._ask_elsewhere(struck)

    def _ask_if_it_opened(self):
        """When the moment was before anybody asked."""
        opened = not self._opened()
        if opened:
            self._lane.client.begin(self.transfer, *self._request_to_end())
        return opened

    def _ask_elsewhere(self, struck):
        """The same request by somebody else, at any replica but one that stands still."""
        still = {cells.LEADER: self._leader, cells.FOLLOWER: self._follower}.get(self._trial.victim)
        stopped = self._trial.stroke == cells.STOP
        self.transfer.repeat([each for each in self._cluster.coordinators
                              if not (stopped and each is still)])
        self.known_seconds = time.time() - struck

    def _take_answer(self):
        """What the client was told, or refused, if it was."""
        try:
            told, why = self._lane.client.answer()
        except Gone:
            self._check_that_it_was_killed()
            return
        if why:
            raise HarnessError(f"{self.transfer.name}: its client failed: {why}")
        self.transfer.outcomes += told.outcomes
        self.transfer.refusals += told.refusals

    def _client_was_killed(self):
        return (self._trial.victim, self._trial.stroke) == (cells.CLIENT, cells.CRASH)

    def _check_that_it_was_killed(self):
        if not self._client_was_killed():
            raise HarnessError(f"{self.transfer.name}: its client died by itself.")

    def _settle_without_a_client(self):
        for service in (*self._cluster.coordinators, *self._cluster.agents):
            service.wait_ready()
        aftermath.wait_until_nothing_is_prepared(self._cluster, self._lane.meter, self.transfer)
