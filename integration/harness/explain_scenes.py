"""Situations in which somebody asks `assentctl explain`, each made by real processes.

Import it only when the packages are installed: it needs python3-thrift.
"""

import datetime
import threading

from thrift.Thrift import TException

from . import arming, assentctl, bank, cluster, single_transfer, waiting, wire
from .errors import HarnessError
from .single_transfer import INTERACTIVE, ONE_PHASE

SECONDS = 60
TRIES = 3
ACCOUNTS = 100
RESTART = 1  # the exit code of an agent whose life is over and that is to be started again
IDLE_MS = 500  # of a client that is lost
PATIENCE_MS = 30_000  # of a commit whose participant is down

# failpoints
VOTING = "leader.vote.arrived"
TELLING = "leader.finish.sending"
ASKED = "agent.prepare.asked"
TOLD = "agent.finish.sending"
TOLD_HALTS = "agent.finish.sending:stop"
ONE_PHASE_DONE = "agent.one_phase.committed"


class Scenes:
    """One after the other, on a cluster of two databases and three replicas; each cleans up."""

    def __init__(self, made, say):
        self._cluster = made
        self._say = say
        self._number = 0
        self._office = 0  # in which the transaction of the scene was begun
        for server in made.servers:
            bank.open_accounts(server, ACCOUNTS)
            bank.open_receipts(server)

    def all(self):
        """(name, text of assentctl explain) of each situation, as it is played."""
        for play in (self._client_gone, self._participant_down_before, self._participant_down_after,
                     self._leader_lost_before, self._leader_lost_after, self._ended_by_hand,
                     self._given_up,
                     self._foreign_orphan, self._one_phase, self._no_leader,
                     self._history_lost, self._unknown):
            yield from self._tried(play).items()

    # ── the scenes ──────────────────────────────────────────────────────────────────────────────

    def _client_gone(self):
        transaction = self._start()
        for name in ("db1", "db2"):
            client = wire.branches(self._agent(name).ports["client"])
            branch = wire.Branch(client, name, transaction, idle_timeout_ms=IDLE_MS)
            branch.execute(single_transfer.ADD, 1, 1)
            client.close()
        return {"client-gone": self._explained(transaction, "client-gone", _all_ended)}

    def _participant_down_before(self):
        transaction, branches = self._opened()
        agent = self._agent("db2")
        agent.kill()
        asking = self._ask(transaction, branches, timeout_ms=PATIENCE_MS)
        told = self._explained(transaction, "participant-down-before",
                               lambda told: _log_of(told, "db1") == "voted YES", missing=1)
        self._cluster.begin_life(agent)
        asking.join(SECONDS)
        return self._settled({"participant-down-before": told})

    def _participant_down_after(self):
        agent = self._agent("db2")
        arming.begin(self._cluster, agent, TOLD)
        leader = self._cluster.leader()
        transfer = self._transfer(INTERACTIVE, leader)
        arming.wait_for_death(agent, TOLD, self._cluster, leader)
        told = self._explained(transfer.id, "participant-down-after",
                               lambda told: _log_of(told, "db1") == "confirmed", missing=1)
        self._cluster.begin_life(agent)
        transfer.await_answer()
        return self._settled({"participant-down-after": told})

    def _leader_lost_before(self):
        # The second branch is asked, and never prepared.
        agent = self._agent("db2")
        arming.begin(self._cluster, agent, ASKED)
        leader = arming.leader(self._cluster, VOTING)
        transfer = self._transfer(INTERACTIVE, leader)
        arming.wait_for_death(leader, VOTING, self._cluster, leader)
        self._cluster.begin_life(leader)
        agent.wait_for_end(SECONDS)
        self._cluster.begin_life(agent)
        transfer.await_answer()
        told = self._explained(transfer.id, "leader-lost-before",
                               lambda told: told["outcome"] == "ABORTED" and _applied(told))
        return self._settled({"leader-lost-before": told}, successors=1)

    def _leader_lost_after(self):
        leader = arming.leader(self._cluster, TELLING)
        transfer = self._transfer(INTERACTIVE, leader)
        arming.wait_for_death(leader, TELLING, self._cluster, leader)
        self._cluster.begin_life(leader)
        transfer.await_answer()
        told = self._explained(transfer.id, "leader-lost-after", _applied)
        return self._settled({"leader-lost-after": told}, successors=1)

    def _ended_by_hand(self):
        agent = self._agent("db2")
        arming.begin(self._cluster, agent, TOLD_HALTS)
        leader = self._cluster.leader()
        transfer = self._transfer(INTERACTIVE, leader)
        arming.wait_for_halt(agent, TOLD_HALTS, self._cluster, leader)
        server = self._cluster.servers[1]
        gid, = [each for each in server.prepared_transactions() if transfer.id in each]
        server.execute(f"ROLLBACK PREPARED '{gid}'")
        agent.go_on()
        transfer.await_answer()
        told = self._explained(transfer.id, "ended-by-hand", _applied)
        assentctl.forget_heuristic(self._cluster, transfer.id, "booked by hand")
        return self._settled({"ended-by-hand": told})

    def _given_up(self):
        """A participant is given up as gone for good, and comes back all the same."""
        agent = self._agent("db2")
        arming.begin(self._cluster, agent, TOLD)
        leader = self._cluster.leader()
        transfer = self._transfer(INTERACTIVE, leader)
        arming.wait_for_death(agent, TOLD, self._cluster, leader)
        self._explained(transfer.id, "participant-down-after",
                        lambda told: _log_of(told, "db1") == "confirmed", missing=1)
        assentctl.told(self._cluster, "participants", "drain", "db2", "--timeout", "0")
        give_up = ("participants", "remove", "db2", "--abandon-outcomes")
        waiting.until(lambda: assentctl.told(self._cluster, *give_up).get("abandoned"), SECONDS,
                      "the agent's silence to be noticed")
        assentctl.run(self._cluster, *give_up, "--yes", "--reason", "its disk is lost")
        hazard = self._explained(transfer.id, "hazard", _applied, missing=1)
        self._cluster.begin_life(agent)
        transfer.await_answer()
        settled = self._explained(transfer.id, "settled", _applied)
        assentctl.forget_heuristic(self._cluster, transfer.id, "it came back")
        assentctl.run(self._cluster, "participants", "resume", "db2")
        return self._settled({"hazard": hazard, "settled": settled})

    def _no_leader(self):
        transaction, branches = self._opened()
        agent, left = self._agent("db2"), self._cluster.follower()
        others = [each for each in self._cluster.coordinators if each is not left]
        agent.kill()
        self._ask(transaction, branches, timeout_ms=PATIENCE_MS)
        waiting.until(lambda: self._cluster.prepared_transactions()["postgres-db1"], SECONDS,
                      "the first branch to be prepared")
        for each in others:
            each.kill()
        agents = [word for each in ("db1", "db2")
                  for word in ("--agent", f"{each}={self._agent(each).address('admin')}")]
        told = self._explained(transaction, "no-leader", missing=2, words=agents)
        for each in [*others, agent]:
            self._cluster.begin_life(each)
        self._until_nothing_is_prepared()
        return {"no-leader": told}

    def _foreign_orphan(self):
        server = self._cluster.servers[0]
        gid = f"assent:{self._cluster.name}:{wire.new_id()}:db1:1.1"
        server.execute("BEGIN; UPDATE accounts SET balance = balance WHERE id = 7;"
                       f" PREPARE TRANSACTION '{gid}'")
        told = self._explained(gid, "stranger")
        server.execute(f"ROLLBACK PREPARED '{gid}'")
        return self._settled({"foreign-orphan": told})

    def _one_phase(self):
        agent = self._agent("db1")
        arming.begin(self._cluster, agent, ONE_PHASE_DONE)
        leader = self._cluster.leader()
        transfer = self._transfer(ONE_PHASE, leader)
        arming.wait_for_death(agent, ONE_PHASE_DONE, self._cluster, leader)
        unknown = self._explained(transfer.id, "one-phase-unknown", missing=1)
        self._cluster.begin_life(agent)
        transfer.await_answer()
        known = self._explained(transfer.id, "one-phase",
                                lambda told: "it is over" in told["next"][0])
        return self._settled({"one-phase-unknown": unknown, "one-phase": known})

    def _history_lost(self):
        primary, agent = self._cluster.servers[1], self._agent("db2")
        self._number += 1
        standby = self._cluster.add_standby(primary, f"postgres-db2-standby-{self._number}")
        standby.hold_replication()
        leader = self._cluster.leader()
        transfer = self._transfer(INTERACTIVE, leader)
        transfer.await_answer()
        self._explained(transfer.id, "done")
        primary.kill_for_good()
        self._cluster.promote(standby)
        if agent.wait_for_end(SECONDS) != RESTART:
            raise HarnessError(f"{agent.name} ended otherwise.\n{agent.log_tail()}")
        self._cluster.begin_life(agent)
        told = self._explained(transfer.id, "history-lost", _applied)
        for each in assentctl.heuristics(self._cluster):
            assentctl.forget_heuristic(self._cluster, each, "seen to")
        return self._settled({"history-lost": told})

    def _unknown(self):
        return {"unknown": self._explained(wire.new_id(), "unknown")}

    # ── parts ───────────────────────────────────────────────────────────────────────────────────

    def _tried(self, play):
        """What the scene gives; it is played again when the office changed hands unasked."""
        self._say(play.__name__.strip("_").replace("_", " "))
        for _ in range(TRIES):
            try:
                self._office = self._present_office()
                return play()
            except arming.Missed as missed:
                self._say(f"   {missed} Once more.")
        raise HarnessError(f"The office changed hands {TRIES} times.")

    def _agent(self, name):
        return self._cluster.service(f"agent-{name}")

    def _transfer(self, kind, leader):
        """One that has asked for its commit."""
        self._number += 1
        transfer = single_transfer.SingleTransfer(self._cluster, kind, f"explained-{self._number}")
        self._office = self._present_office()
        if not transfer.open(leader):
            raise arming.Missed(f"{leader.name} has lost the office.")
        transfer.ask(leader)
        return transfer

    def _start(self):
        client = wire.coordinator(self._cluster.leader().ports["client"])
        try:
            return client.start().transaction
        finally:
            client.close()

    def _opened(self):
        return opened(self._cluster, self._start())

    def _ask(self, transaction, branches, **options):
        return ask(self._cluster, transaction, branches, **options)

    def _explained(self, asked, cause, condition=lambda told: True, missing=0, words=()):
        return explained(self._cluster, asked, cause, condition, missing, words)

    def _settled(self, texts, successors=0):
        """The texts, at the end of a scene, if just so many leaders have succeeded its first one."""
        self._until_nothing_is_prepared()
        if self._present_office() != self._office + successors:
            raise arming.Missed("The office has changed hands.")
        return texts

    def _present_office(self):
        return assentctl.told(self._cluster, "status")["viewpoint"]["office"]

    def _until_nothing_is_prepared(self):
        waiting.until(lambda: not any(self._cluster.prepared_transactions().values()), SECONDS,
                      "all branches to be settled")


def alone(directory, bin_directory, say):
    """As Scenes.all(), on clusters of their own with a single replica."""
    for play, settings in ((_restored, None), (_undecidable, {"outcomes": {"retention_ms": 1000}})):
        name = play.__name__.strip("_")
        say(name)
        made = cluster.up(directory / name, "local", 2, bin_directory, replicas=1, settings=settings)
        try:
            for server in made.servers:
                bank.open_accounts(server, ACCOUNTS)
                bank.open_receipts(server)
            yield from play(made).items()
        finally:
            made.abandon()


def opened(made, transaction):
    """A transaction with an open branch in each database; and how a commit names them."""
    branches = []
    for name in ("db1", "db2"):
        client = wire.branches(made.service(f"agent-{name}").ports["client"])
        branch = wire.Branch(client, name, transaction)
        branch.execute(single_transfer.ADD, 1, 2)
        branches.append(branch.at_commit())
        client.close()
    return transaction, branches


def ask(made, transaction, branches, **options):
    """A client that asks for the commit once, in a thread of its own."""
    def call():
        try:
            client = wire.coordinator(made.leader().ports["client"])
            client.commit(transaction=transaction, branches=branches, **options)
        except (wire.AssentError, TException, OSError):
            pass  # what it was told is not what is looked at
    asking = threading.Thread(target=call, daemon=True)
    asking.start()
    return asking


def _restored(made):
    backup = made.directory / "backups"
    backup.mkdir()
    file = assentctl.told(made, "backup", "--to", backup)["file"]
    agent, replica = made.service("agent-db2"), made.coordinators[0]
    arming.begin(made, agent, TOLD_HALTS)
    transfer = single_transfer.SingleTransfer(made, INTERACTIVE, "restored")
    if not transfer.open(replica):
        raise HarnessError(f"{replica.name} does not lead.")
    transfer.ask(replica)
    arming.wait_for_halt(agent, TOLD_HALTS, made, replica)
    explained(made, transfer.id, "participant-down-after",
              lambda told: _log_of(told, "db1") == "confirmed", missing=1)
    replica.kill()
    agent.kill()
    transfer.await_answer()
    replica.data_directory.rename(replica.directory / "lost")
    assentctl.alone(made, "restore", file, "--config", replica.config, "--yes")
    made.begin_life(replica)
    for each in made.agents:
        if each is not agent and each.wait_for_end(SECONDS) != RESTART:
            raise HarnessError(f"{each.name} ended otherwise.\n{each.log_tail()}")
        made.begin_life(each)
    waiting.until(lambda: transfer.id in assentctl.heuristics(made), SECONDS, "it to be listed")
    told = explained(made, transfer.id, "restored", lambda told: told["timeline"][-1]["who"] == "log")
    assentctl.run(made, "resolve", transfer.id, "--commit", "--yes", "--operator", "somebody",
                  "--reason", "db1 has committed")
    resolved = explained(made, transfer.id, "resolved",
                         lambda told: _log_of(told, "db2") == "ended as decided")
    return {"restored": told, "resolved": resolved}


def _undecidable(made):
    """1. One database is down, so a transaction is prepared in the other one and not decided. 2. The
    coordinator is down for longer than outcomes are kept. 3. The other one's standby takes its place."""
    replica, primary = made.coordinators[0], made.servers[1]
    agents = [made.service("agent-db1"), made.service("agent-db2")]
    standby = made.add_standby(primary, "postgres-db2-standby")
    client = wire.coordinator(replica.ports["client"])
    transaction, branches = opened(made, client.start().transaction)
    _move_log_time(client)  # or it goes on from before the transaction when the replica is back
    client.close()
    agents[0].kill()
    ask(made, transaction, branches, timeout_ms=PATIENCE_MS)
    waiting.until(lambda: made.prepared_transactions()[primary.name], SECONDS,
                  "the second branch to be prepared")
    standby.wait_until_it_has_all()
    for each in (replica, agents[1]):
        each.kill()
    primary.kill_for_good()
    made.promote(standby)
    made.begin_life(replica)
    waiting.until(lambda: _is_below_floor(made, transaction), SECONDS, "the transaction to expire")
    for each in agents:
        made.begin_life(each)
    return {"undecidable": explained(made, transaction, "undecidable",
                                     lambda told: told["timeline"][-1]["who"] == "log")}


def _move_log_time(client):
    """Log time goes on with what the log is told, so it is told something."""
    client.abort(transaction=client.start().transaction, branches=[], never_committed=True)


def _is_below_floor(made, transaction):
    client = wire.coordinator(made.leader().ports["client"])
    _move_log_time(client)
    client.close()
    floor = assentctl.told(made, "status")["viewpoint"]["floor"]
    at = datetime.datetime.fromisoformat(floor.replace("Z", "+00:00")).timestamp() * 1000
    return at > int(transaction.replace("-", "")[:12], 16)


def explained(made, asked, cause, condition=lambda told: True, missing=0, words=()):
    """What `assentctl explain` prints, once it names that cause and the condition holds of its JSON.

    So many are `missing`: on a busy machine somebody may be too slow to be heard.
    """
    told = {}

    def text():
        told.clear()
        told.update(assentctl.told(made, "explain", asked, *words))
        if told.get("cause") != cause or len(told["missing"]) != missing or not condition(told):
            return None
        said = assentctl.said(made, "explain", asked, *words)
        same = (told["headline"] in said and said.count("\nnot reached: ") == missing
                and all(each["what"] in said for each in told["timeline"]))
        return said if same else None

    try:
        return waiting.until(text, SECONDS, f"explain to tell {cause}")
    except waiting.WaitedInVain as error:
        raise HarnessError(f"{error} It tells {told}") from None


def _log_of(told, participant):
    """What the log says of the participant's branch."""
    return next((each["log"] for each in told["branches"]
                 if each["branch"].startswith(f"{participant}/")), None)


def _all_ended(told):
    return len(told["branches"]) == 2 and all("ended" in each["database"] for each in told["branches"])


def _applied(told):
    """The log knows that every branch has confirmed."""
    return any("every branch had confirmed" in each["what"] for each in told["timeline"])
