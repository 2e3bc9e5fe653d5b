"""The crash matrix as data: steps of the protocol, who may be struck there, how, and what holds then.

A step lies between two moments, at each of which a process stands still at a failpoint. A cell is a
step, a victim and a way; what shows it is a trial: a moment, a victim and a stroke. Cells of adjacent
steps share trials: to crash after one step is to crash before the next.
"""

import dataclasses
import enum
import re

# ── who, and how ────────────────────────────────────────────────────────────────────────────────

CLIENT, LEADER, FOLLOWER, AGENT = "client", "leader", "follower", "agent"
BACKEND, POSTGRES = "backend", "postgres"
VICTIMS = (CLIENT, LEADER, FOLLOWER, AGENT, BACKEND, POSTGRES)

CRASH, LOSE, STOP = "crash", "lose", "stop"  # strokes
STOP_SECONDS = 10

WAYS = {  # name: (whether it strikes before or after the step, the stroke)
    "crash-before": ("before", CRASH),
    "crash-after": ("after", CRASH),
    "connection-lost": ("before", LOSE),
    "stopped": ("before", STOP),
}

# ── how far a transaction is ────────────────────────────────────────────────────────────────────


class Phase(enum.IntEnum):
    """What is certain of it at a moment."""

    BARE = 0  # the database has nothing of it yet
    OPEN = 1  # nobody has asked for its end
    ASKED = 2  # the leader has heard of it; no agent has anything to send to its database
    SENT = 3  # PREPARE, or COMMIT of one phase, may be on its way into a database
    PREPARED = 4  # the database has prepared, and not all votes are heard
    VOTED = 5  # the last vote has left, and nobody can tell how far the leader has come with it
    HEARD = 6  # the leader has heard all votes
    DECIDED = 7  # the outcome is durable


# By victim and stroke, a letter for each Phase: the client will be told Committed, Aborted, or Either.
GUARANTEES = {
    (CLIENT, CRASH): "AACCCCCC", (CLIENT, LOSE): "AACCCCCC", (CLIENT, STOP): "CCCCCCCC",
    (LEADER, CRASH): "CCEEEEEC", (LEADER, LOSE): "EEEEEEEC", (LEADER, STOP): "CCEEEEEC",
    (FOLLOWER, CRASH): "CCCCCCCC", (FOLLOWER, LOSE): "CCCCCCCC", (FOLLOWER, STOP): "CCCCCCCC",
    (AGENT, CRASH): "AAAEEECC", (AGENT, LOSE): "AAEEEECC", (AGENT, STOP): "CCEEEECC",
    (BACKEND, CRASH): "-AAEEEEC", (BACKEND, LOSE): "-AAEEEEC", (BACKEND, STOP): "-CEEEEEC",
    (POSTGRES, CRASH): "EAAEEECC", (POSTGRES, LOSE): "EAAEEECC", (POSTGRES, STOP): "ECEEEECC",
}
# Nobody but the client has a one-shot's statements: the next leader cannot know whether they ran, and
# a repeated request is no first one. An agent's next life may be given them instead.
ONE_SHOT_GUARANTEES = GUARANTEES | {
    (LEADER, CRASH): "--AAAEEC", (AGENT, CRASH): "--EEEECC", (POSTGRES, CRASH): "--EEEECC",
    (POSTGRES, LOSE): "--EEEECC",
}
OUTCOMES = {"C": {"committed"}, "A": {"aborted"}, "E": {"committed", "aborted"}}

# ── which backend has the transaction at a moment, or why none has ──────────────────────────────

IN_TRANSACTION, MOST_RECENT, CONTROL = "in transaction", "most recent", "control"  # see crash_victims

NO_BRANCH = "no backend serves the branch before its first statement"
PREPARED = "a prepared branch belongs to no backend"
NOT_CHOSEN = "which backend will carry it out is not known before it is sent"
OVER = "the branch's transaction is over, and its backend idle"
UNTOUCHED = "the transaction is over in this database: nothing of it was prepared here"
TOLD = "the client has its answer and waits for nothing"

REASONS = {CLIENT: (TOLD,), BACKEND: (NO_BRANCH, PREPARED, NOT_CHOSEN, OVER, UNTOUCHED)}

# ── moments ─────────────────────────────────────────────────────────────────────────────────────


@dataclasses.dataclass(frozen=True)
class Moment:
    """`actor` stands still at a failpoint."""

    actor: str
    path: str  # as ASSENT_FAILPOINT
    phase: Phase
    backend: str  # which one has the transaction, or one of REASONS
    database: str = "db1"  # whose agent, backend and server are meant
    first: str = ""  # the leader stands still there before the actor is armed
    client: str = ""  # one of REASONS when there is no client any more
    opening: bool = False  # it is met before anybody asks for the transaction's end


def _at(actor):
    return lambda path, phase, backend, **more: Moment(actor, path, phase, backend, **more)


_leader, _agent, _follower = _at(LEADER), _at(AGENT), _at(FOLLOWER)
PROPOSING = "leader.decision.proposing"
TO_ALL = "log.sending,wire.written:2"
PREPARES = "leader.prepare.sending,wire.written:2"
# A leader may have something to finish, to answer or to forget of a transaction before.
TOOK_EFFECT = "leader.decision.executed"
FINISHES = f"{TOOK_EFFECT},leader.finish.sending,wire.written"
FORGETTING = "leader.answer.sending,leader.forgotten.proposing"
VOTE = "agent.vote.answering,wire.written"
SENT = "agent.prepare.sending,agent.sql.sent"

EXECUTE_ASKED = _agent("agent.execute.asked", Phase.BARE, NO_BRANCH, opening=True)
EXECUTED = _agent("agent.execute.answering", Phase.OPEN, IN_TRANSACTION, opening=True)
COMMIT_ASKED = _leader("leader.commit.asked", Phase.ASKED, IN_TRANSACTION)
PREPARES_WRITTEN = _leader(PREPARES, Phase.SENT, IN_TRANSACTION)
PREPARE_ASKED = _agent("agent.prepare.asked", Phase.ASKED, IN_TRANSACTION)
PREPARE_SENDING = _agent("agent.prepare.sending", Phase.ASKED, IN_TRANSACTION)
PREPARE_SENT = _agent(SENT, Phase.SENT, MOST_RECENT)
PREPARE_ANSWERED = _agent("agent.prepared", Phase.PREPARED, PREPARED)
VOTE_WRITTEN = _agent(VOTE, Phase.VOTED, PREPARED)
VOTES_HEARD = _leader("leader.vote.arrived:2", Phase.HEARD, PREPARED)


def _deciding(phase, backend):
    """The moments of a decision: it is given to the log, and takes effect."""
    return (
        _leader(PROPOSING, phase, backend),
        _leader(f"{PROPOSING},{TO_ALL}", phase, backend),
        _follower("log.received", phase, backend, first=PROPOSING),
        _follower("log.persisted", phase, backend, first=PROPOSING),
        _leader(f"{PROPOSING},log.persisted", phase, backend),
        _leader("leader.decision.executed", Phase.DECIDED, backend),
    )


def _finishing(finishes):
    """The moments of phase two, with so many branches to finish."""
    nth = f":{finishes}" if finishes > 1 else ""
    return (
        _leader(f"{TOOK_EFFECT},leader.finish.sending", Phase.DECIDED, PREPARED),
        _leader(f"{FINISHES}{nth}", Phase.DECIDED, PREPARED),
        _agent("agent.prepared,agent.finish.sending", Phase.DECIDED, NOT_CHOSEN),
        _agent("agent.prepared,agent.finish.sending,agent.sql.sent", Phase.DECIDED, MOST_RECENT),
        _agent("agent.prepared,agent.finish.done", Phase.DECIDED, OVER),
        _leader(f"{TOOK_EFFECT},leader.finish.confirmed{nth}", Phase.DECIDED, OVER),
    )


def _telling(backend, phase=Phase.DECIDED, after=TOOK_EFFECT):
    return (_leader(f"{after},leader.answer.sending", phase, backend),
            _leader(f"{after},leader.answer.sending,wire.written", phase, backend))


def _forgetting():
    return (_leader(FORGETTING, Phase.DECIDED, OVER, client=TOLD),
            _leader(f"{FORGETTING},leader.forgotten.executed", Phase.DECIDED, OVER, client=TOLD))


# ── steps ───────────────────────────────────────────────────────────────────────────────────────


@dataclasses.dataclass(frozen=True)
class Step:
    """One step of one scenario; its number counts from 1 there."""

    scenario: str
    number: int
    title: str
    before: Moment
    after: Moment


def _decision_steps(what, moments):
    proposing, proposed, received, persisted, on_disk, executed = moments
    return ((f"{what} proposed", proposing, proposed),
            (f"{what} accepted by a follower", received, persisted),
            (f"{what} executed", on_disk, executed))


def _finish_steps(what, command, moments):
    sending, written, asked, sent, done, confirmed = moments
    return ((f"{what} sent", sending, written),
            (f"{command} sent", asked, sent),
            (f"{command} answered", sent, done),
            ("confirmed", done, confirmed))


def _commit():
    return (
        ("statement executed", EXECUTE_ASKED, EXECUTED),
        ("prepare sent", COMMIT_ASKED, PREPARES_WRITTEN),
        ("prepare received", PREPARE_ASKED, PREPARE_SENDING),
        ("PREPARE sent", PREPARE_SENDING, PREPARE_SENT),
        ("PREPARE answered", PREPARE_SENT, PREPARE_ANSWERED),
        ("vote sent", PREPARE_ANSWERED, VOTE_WRITTEN),
        ("votes heard", VOTE_WRITTEN, VOTES_HEARD),
        *_decision_steps("decision", _deciding(Phase.HEARD, PREPARED)),
        *_finish_steps("commit", "COMMIT PREPARED", _finishing(2)),
        ("client told", *_telling(OVER)),
        ("Forgotten", *_forgetting()))


def _one_shot():
    """Told as soon as it is decided."""
    heard = _leader("leader.commit.asked", Phase.ASKED, NOT_CHOSEN)
    written = _leader(PREPARES, Phase.SENT, NOT_CHOSEN)
    asked = _agent("agent.prepare.asked", Phase.ASKED, NOT_CHOSEN)
    sending = _agent("agent.prepare.sending", Phase.ASKED, NOT_CHOSEN)
    return (
        ("prepare sent", heard, written),
        ("prepare received", asked, sending),
        ("BEGIN to PREPARE sent", sending, PREPARE_SENT),
        ("PREPARE answered", PREPARE_SENT, PREPARE_ANSWERED),
        ("vote sent", PREPARE_ANSWERED, VOTE_WRITTEN),
        ("votes heard", VOTE_WRITTEN, VOTES_HEARD),
        *_decision_steps("decision", _deciding(Phase.HEARD, PREPARED)),
        ("client told", *_telling(PREPARED)))


def _refused():
    no = {"database": "db2"}
    asked = _agent("agent.prepare.asked", Phase.ASKED, IN_TRANSACTION, **no)
    answering = _agent("agent.vote.answering", Phase.ASKED, OVER, **no)
    written = _agent(VOTE, Phase.ASKED, OVER, **no)
    deciding = _deciding(Phase.HEARD, PREPARED)
    return (
        ("branch refused", asked, answering),
        ("vote NO sent", answering, written),
        ("vote NO heard", written, deciding[0]),
        *_decision_steps("abort", deciding),
        *_finish_steps("rollback", "ROLLBACK PREPARED", _finishing(1)),
        ("client told", *_telling(OVER)))


def _abort():
    asked = _leader("leader.abort.asked", Phase.ASKED, IN_TRANSACTION)
    deciding = _deciding(Phase.ASKED, IN_TRANSACTION)
    sending = _leader(f"{TOOK_EFFECT},leader.finish.sending", Phase.DECIDED, IN_TRANSACTION)
    written = _leader(f"{FINISHES}:2", Phase.DECIDED, MOST_RECENT)
    confirmed = _leader(f"{TOOK_EFFECT},leader.finish.confirmed:2", Phase.DECIDED, OVER)
    return (
        ("abort heard", asked, deciding[0]),
        *_decision_steps("abort", deciding),
        ("rollback sent", sending, written),
        ("confirmed", written, confirmed),
        ("client told", *_telling(OVER)))


def _reading(database):
    """The steps of a branch that only reads."""
    reader = {"database": database}
    asked = _agent("agent.prepare.asked", Phase.ASKED, IN_TRANSACTION, **reader)
    left = _agent("agent.read_only.left", Phase.SENT, OVER, **reader)
    written = _agent(VOTE, Phase.SENT, OVER, **reader)
    return (("reader left", asked, left), ("vote READ_ONLY sent", left, written))


def _one_phase():
    heard = _leader("leader.vote.arrived", Phase.ASKED, IN_TRANSACTION)
    written = _leader("leader.vote.arrived,leader.prepare.sending,wire.written", Phase.SENT,
                      IN_TRANSACTION)
    answered = _agent("agent.one_phase.committed", Phase.DECIDED, OVER)
    voted = _agent(VOTE, Phase.DECIDED, OVER)
    told = _leader("leader.vote.arrived:2", Phase.DECIDED, OVER)
    return (
        *_reading("db2"),
        ("commit sent", heard, written),
        ("commit received", PREPARE_ASKED, PREPARE_SENDING),
        ("COMMIT sent", PREPARE_SENDING, PREPARE_SENT),
        ("COMMIT answered", PREPARE_SENT, answered),
        ("result sent", answered, voted),
        ("result heard", voted, told),
        ("client told", *_telling(OVER, after="leader.vote.arrived")))


def _abort_one_phase():
    asked = _leader("leader.abort.asked", Phase.ASKED, IN_TRANSACTION)
    written = _leader("leader.settle.sending,wire.written", Phase.ASKED, IN_TRANSACTION)
    sending = _agent("agent.settle.sending", Phase.ASKED, CONTROL)
    sent = _agent("agent.settle.sending,agent.sql.sent", Phase.ASKED, CONTROL)
    done = _agent("agent.settle.done", Phase.ASKED, UNTOUCHED)
    heard = _leader("leader.settle.answered", Phase.ASKED, UNTOUCHED)
    deciding = _deciding(Phase.ASKED, UNTOUCHED)
    return (
        ("settle sent", asked, written),
        ("outcome row asked for", sending, sent),
        ("abort row stands", sent, done),
        ("settled", done, heard),
        *_decision_steps("abort", deciding),
        ("client told", *_telling(UNTOUCHED)))


def _read_only():
    heard = _leader("leader.vote.arrived:2", Phase.SENT, OVER)
    return (
        *_reading("db1"),
        ("votes READ_ONLY heard", _agent(VOTE, Phase.SENT, OVER), heard),
        ("client told", *_telling(OVER, Phase.SENT, "leader.vote.arrived")))


SCENARIOS = {  # name: (kind of single_transfer, what it is, its steps)
    "commit": ("interactive", "Two branches write, and commit", _commit()),
    "one-shot": ("one-shot", "Two branches write, in one request, told as soon as it is decided",
                 _one_shot()),
    "no": ("refused", "One branch is prepared, the other votes NO", _refused()),
    "abort": ("abort", "The client asks for an abort; both branches are open", _abort()),
    "one-phase": ("one-phase", "One branch writes, the other only reads", _one_phase()),
    "abort-one-phase": ("abort-one-phase", "The client asks to abort what may have committed in one"
                        " phase", _abort_one_phase()),
    "read-only": ("read-only", "Both branches only read", _read_only()),
}
KINDS = {name: kind for name, (kind, _, _) in SCENARIOS.items()}
TITLES = {name: title for name, (_, title, _) in SCENARIOS.items()}
ABORTING = ("no", "abort", "abort-one-phase")
STEPS = [Step(name, number, *described) for name, (_, _, steps) in SCENARIOS.items()
         for number, described in enumerate(steps, 1)]

# ── trials and cells ────────────────────────────────────────────────────────────────────────────


@dataclasses.dataclass(frozen=True)
class Trial:
    """One transaction of which somebody is struck while the moment's actor stands still."""

    scenario: str
    moment: Moment
    victim: str
    stroke: str

    @property
    def kind(self):
        """Of single_transfer."""
        return KINDS[self.scenario]

    @property
    def guaranteed(self):
        """A letter of OUTCOMES."""
        table = ONE_SHOT_GUARANTEES if self.scenario == "one-shot" else GUARANTEES
        letter = table[self.victim, self.stroke][self.moment.phase]
        return "A" if self.scenario in ABORTING else letter

    @property
    def impossible(self):
        """Why there is no such trial; empty: there is."""
        told = {CLIENT: self.moment.client, BACKEND: self.moment.backend}.get(self.victim, "")
        return told if told in REASONS.get(self.victim, ()) else ""

    @property
    def actor_is_struck(self):
        """The one that stands still is the victim."""
        return self.victim == self.moment.actor

    def __str__(self):
        return (f"{self.scenario}: {self.victim}, {self.stroke}, while the {self.moment.actor} is at"
                f" {self.moment.path}")


@dataclasses.dataclass(frozen=True)
class Cell:
    """One cell of the table."""

    step: Step
    victim: str
    way: str

    @property
    def row(self):
        """The name of its row, as --only takes it."""
        title = re.sub(r"[^a-z]+", "-", self.step.title.lower())
        return f"{self.step.scenario}/{self.step.number:02}-{title}/{self.victim}"

    @property
    def name(self):
        """Its own, as --only takes it."""
        return f"{self.row}/{self.way}"

    @property
    def trial(self):
        """What shows it."""
        side, stroke = WAYS[self.way]
        return Trial(self.step.scenario, getattr(self.step, side), self.victim, stroke)


CELLS = [Cell(step, victim, way) for step in STEPS for victim in VICTIMS for way in WAYS]

# The slice that tests run: every victim, every stroke, every scenario, and no long stop of a process
# for which others wait.
QUICK = (
    "commit/01-statement-executed/client/crash-after",
    "commit/05-prepare-answered/agent/connection-lost",
    "commit/05-prepare-answered/postgres/crash-before",
    "commit/09-decision-accepted-by-a-follower/follower/crash-after",
    "commit/10-decision-executed/leader/crash-after",
    "commit/12-commit-prepared-sent/backend/crash-after",
    "commit/16-forgotten/leader/crash-before",
    "one-shot/05-vote-sent/leader/crash-before",
    "no/02-vote-no-sent/agent/crash-before",
    "abort/01-abort-heard/leader/connection-lost",
    "one-phase/06-commit-answered/backend/connection-lost",
    "abort-one-phase/03-abort-row-stands/agent/crash-after",
    "read-only/01-reader-left/follower/stopped",
)
