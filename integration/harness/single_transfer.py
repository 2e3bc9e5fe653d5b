"""One transaction, from one client that asks until it is told, and asks again for ever after.

Import it only when the packages are installed: it needs python3-thrift.
"""

import logging
import threading
import time

from thrift.Thrift import TException

from . import waiting, wire
from .errors import HarnessError

COMMITTED, ABORTED = wire.common.Outcome.COMMITTED, wire.common.Outcome.ABORTED
NAMES = {COMMITTED: "committed", ABORTED: "aborted"}
ANSWER_SECONDS = 60
logging.getLogger("thrift").setLevel(logging.CRITICAL)  # a dead replica is no news here

ADD = "UPDATE accounts SET balance = balance + $1 WHERE id = $2"
RECEIPT = "INSERT INTO receipts (transfer) VALUES ($1)"

# What may pass: the same request is repeated. Any other refusal is a problem.
PASSING = {wire.ErrorCode.NOT_LEADER, wire.ErrorCode.UNAVAILABLE, wire.ErrorCode.OVERLOADED,
           wire.ErrorCode.OUTCOME_UNKNOWN, wire.ErrorCode.DEADLINE}

INTERACTIVE = "interactive"
ONE_SHOT = "one-shot"  # told as soon as it is decided
ONE_PHASE = "one-phase"  # one writes, the other only reads
REFUSED = "refused"  # db2 votes NO
ABORT = "abort"  # the client asks for it
ABORT_ONE_PHASE = "abort-one-phase"  # also, of what might have committed in one phase
READ_ONLY = "read-only"  # both only read


class SingleTransfer:
    """Moves 1 between the same account of db1 and db2; in one phase, between two of the `writer`."""

    def __init__(self, cluster, kind, number, writer="db1", account=1):
        """Of the cluster only the agents' names and ports are needed; the next account is used, too."""
        self.kind = kind
        self._accounts = (account, account + 1)
        self._gives_up = False
        self._names = ("db1", "db2") if writer == "db1" else ("db2", "db1")  # the writer first
        self.name = f"{kind}-{number}"
        self.id = None
        self.outcomes = []  # all that were told, in their order
        self.ended_otherwise = set()  # participants of which the latest answer said so
        self.unknown = False  # an answer was that, since answer_again() began
        self.refusals = []  # texts of refusals that are a problem
        self._cluster = cluster
        self._branches = []
        self._first = {}
        self._asking = None

    # ── the client ──────────────────────────────────────────────────────────────────────────────

    def open(self, replica):
        """Does all that comes before the end of the transaction; `replica` leads.

        False: it does not, or could not be asked; nothing is open then.
        """
        if not self.start(replica):
            return False
        self.execute()
        return True

    def start(self, replica):
        """The first half of open(): it has an id then, and nothing else."""
        try:
            client = wire.coordinator(replica.ports["client"])
        except TException:
            return False
        try:
            started = client.start()
        except (wire.AssentError, TException, OSError):
            return False
        finally:
            client.close()
        self.id = started.transaction
        if self.kind == ONE_SHOT:
            self._first = {"first": True, "office": started.office}
        return True

    def execute(self):
        """The second half: every branch does its work."""
        if self.kind == ONE_SHOT:
            self._branches = [wire.one_shot("db1", *self._work(-1)), wire.one_shot("db2", *self._work(1))]
        elif self.kind == READ_ONLY:
            self._branches = [self._opened(name, wire.statement("SELECT 1")) for name in self._names]
        elif self.kind in (ONE_PHASE, ABORT_ONE_PHASE):
            writer, reader = self._names
            self._branches = [self._opened(writer, *self._moves_within()),
                              self._opened(reader, wire.statement("SELECT 1"), reads=True)]
        else:
            self._branches = [self._opened("db1", *self._work(-1)), self._opened("db2", *self._work(1))]
        if self.kind == REFUSED:
            self._branches[1].statements += 1  # as if the agent had missed one

    def give_up(self):
        """From now on it is asked to abort. Precondition: nobody has ever asked to commit it."""
        self._gives_up = True

    def ask(self, replica):
        """Asks for the end in a thread of its own; what is told, if anything, is among the outcomes."""
        self._asking = threading.Thread(target=self.ask_once, args=(replica,), daemon=True)
        self._asking.start()

    def ask_once(self, replica):
        """As ask(), and returns when it is answered, or the connection has ended."""
        self._call(replica, self._first)

    def await_answer(self):
        """Returns when ask() was answered, or its connection has ended."""
        self._asking.join(ANSWER_SECONDS)
        if self._asking.is_alive():
            raise HarnessError(f"{self.name}: no answer within {ANSWER_SECONDS} s.")

    def repeat(self, replicas):
        """Asks some replicas in turn, until one tells the outcome; returns the seconds that it took."""
        begun = time.monotonic()

        def told():
            return any(self._call(replica) for replica in replicas if replica.is_running())

        waiting.until(told, ANSWER_SECONDS, f"an answer to the repeated {self.name}")
        return time.monotonic() - begun

    def answer_again(self, replicas):
        """As repeat(), but an OUTCOME_UNKNOWN is an answer, too; returns what was answered, as a text."""
        self.unknown = False
        waiting.until(lambda: self.unknown or any(self._call(replica) for replica in replicas),
                      ANSWER_SECONDS, f"an answer to the repeated {self.name}")
        return "unknown" if self.unknown else NAMES[self.outcomes[-1]]

    def repeat_everywhere(self, replicas):
        """Asks each of these; a replica that does not lead says so, and knows the outcome yet."""
        for replica in replicas:
            self._call(replica)
            self._ask_status(replica)

    # ── what came of it ─────────────────────────────────────────────────────────────────────────

    @property
    def outcome(self):
        """What it is for ever, by the first that was told."""
        return self.outcomes[0] if self.outcomes else None

    def told(self):
        """All outcomes that were told, by their names."""
        return {NAMES[outcome] for outcome in self.outcomes}

    def problems(self, receipts):
        """What is wrong, as sentences; `receipts` are the names on each server, in their order."""
        found = [f"{self.name} was refused: {text}" for text in dict.fromkeys(self.refusals)]
        if len(set(self.outcomes)) > 1:
            told = ", ".join(NAMES[outcome] for outcome in self.outcomes)
            found.append(f"{self.name} was told {told}.")
        held = [names.count(self.name) for names in receipts]
        if held != self._expected(len(held)):
            found.append(f"{self.name} was told {NAMES.get(self.outcome, 'nothing')}, and stands"
                         f" {held} times on the servers.")
        return found

    def _expected(self, servers):
        counts = [0] * servers
        if self.outcome == COMMITTED and self.kind != READ_ONLY:
            counts[0] = 1
            counts[1] = 0 if self.kind in (ONE_PHASE, ABORT_ONE_PHASE) else 1
        return counts

    # ── the wire ────────────────────────────────────────────────────────────────────────────────

    def _work(self, amount):
        return (wire.statement(ADD, amount, self._accounts[0]),
                wire.statement(RECEIPT, self.name))

    def _moves_within(self):
        one, other = self._accounts
        return (wire.statement(ADD, -1, one), wire.statement(ADD, 1, other),
                wire.statement(RECEIPT, self.name))

    def _opened(self, name, *statements, **hints):
        agent = next(each for each in self._cluster.agents if each.name == f"agent-{name}")
        client = wire.branches(agent.ports["client"])
        try:
            branch = wire.Branch(client, name, self.id)
            for each in statements:
                branch.execute(each.sql, *[value.text for value in each.parameters])
        finally:
            client.close()
        return branch.at_commit(**hints)

    def _call(self, replica, promise=None):
        """True when an outcome was told."""
        try:
            client = wire.coordinator(replica.ports["client"])
        except TException:
            return False
        try:
            asked = {"transaction": self.id, "branches": self._branches}
            if self.kind == ONE_SHOT:
                asked["acknowledge"] = wire.transaction.Acknowledge.DECIDED
            if self._gives_up:
                asked["never_committed"] = True
            aborts = self._gives_up or self.kind in (ABORT, ABORT_ONE_PHASE)
            reply = client.abort(**asked) if aborts else client.commit(**asked, **(promise or {}))
            self.outcomes.append(reply.outcome)
            if not aborts:
                self.ended_otherwise = set(reply.heuristic or [])
            return True
        except wire.AssentError as error:
            self.unknown = self.unknown or error.code == wire.ErrorCode.OUTCOME_UNKNOWN
            if error.code not in PASSING:
                self.refusals.append(f"{error.code}: {error.message}")
            return False
        except (TException, OSError):
            return False
        finally:
            client.close()

    def _ask_status(self, replica):
        try:
            client = wire.coordinator(replica.ports["client"])
        except TException:
            return
        try:
            state = client.status(transaction=self.id).state
        except (wire.AssentError, TException, OSError):
            return
        finally:
            client.close()
        # What has committed in one phase has no record.
        if state == wire.transaction.TransactionState.COMMITTED:
            self.outcomes.append(COMMITTED)
        elif state == wire.transaction.TransactionState.ABORTED:
            self.outcomes.append(ABORTED)
