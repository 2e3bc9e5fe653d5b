"""The command integration/faults/promotion: a server dies under load, and a copy of it takes its place."""

import collections
import time

from . import assentctl, bank, bank_run, crash_report, receipts, waiting
from .errors import HarnessError

RESTART = 1  # the exit code of an agent whose life is over and that is to be started again
AGENT_SECONDS = 60
TOLD_SECONDS = 120
# Of the last life that claimed the database; 0: it left none.
LANDMARK = """
SELECT e.epoch, coalesce(l.wal_position, '0/0') - '0/0'::pg_lsn
  FROM assent.epoch e LEFT JOIN assent.landmark l USING (epoch)"""

DESCRIPTION = """\
Starts PostgreSQL servers with agents and three replicas of the coordinator, moves money between the
servers, makes a copy of one of them, kills it with all its processes by -9 under that load, and puts the
copy where the agent looks for its database. An agent that ends with exit code 1 is started again, as a
service manager does. So many times in a row; the servers take turns.
  --how synchronous   a standby, for which the primary's commits wait, is promoted: nothing is lost; branches
                      write outcome rows (postgres.outcome_row), so no hazard is told
  --how lagging       a standby is promoted that was cut off before the last commits: they are lost
  --how restored      a base backup is started, on the same timeline: what came after it is lost"""

EPILOG = """\
Exit code 0 only if nothing of before was left prepared on any server --settle-max after the copy took
connections, in every round (of restored: after its agent was started with --takeover); the databases
hold what clients were told of each transfer, once; no prepared transaction is left on any server, all
replicas have executed the same, and all processes stopped in good order. With synchronous no branch was
reported as ended by somebody else, and no money was lost or made. With the others every branch that a
client was told has committed, and that is not there, is a hazard in assentctl heuristic list; none that a
copy which is still there had prepared is one, and none that lies before the landmark with which a copy
began, in whatever round; a lost commit in one phase is answered OUTCOME_UNKNOWN. With restored the agent
without --takeover was refused."""


def main(arguments):
    """Runs the command; returns its exit code."""
    options = crash_report.parse("promotion", DESCRIPTION, EPILOG, arguments, clients=16,
                                 add=_add_how)
    if options.outcome_row or options.how == "synchronous":
        options.agent_settings = {"postgres": {"outcome_row": True}}
    return bank_run.run("promotion", options, ACTS[options.how])


def _add_how(parser):
    parser.add_argument("--how", choices=sorted(ACTS), default="synchronous",
                        help="what the copy has when it takes the place (default: synchronous)")
    parser.add_argument("--outcome-row", action="store_true",
                        help="also with the others branches write outcome rows")


class _Promotion(crash_report.CrashAct):
    """The run itself, on a cluster that is up."""

    praise = "a synchronous standby was promoted {times} times at work"

    def crash(self, number, meter):
        """One round: a copy is made, its primary dies, it takes the place."""
        place = number % len(self._cluster.servers)
        primary, agent = self._cluster.servers[place], self._cluster.agents[place]
        copy = self.prepare_copy(primary, f"postgres-{primary.participant}-copy-{number}")
        primary.kill_for_good()
        killed = time.time()
        self.put_in_place(copy)
        up = time.time()
        meter.watch(copy)
        lives = self.tend(agent)
        up = max(up, lives[-1]) if lives else up
        self._wait_until_settled(agent, lives, lambda: meter.is_settled(up, up))
        found = meter.crash(killed, up)
        self._wait_ready(agent)
        self._steps.say(f"round {number:>3}: {copy.name} took the place"
                        f" {(up - killed) * 1000:,.0f} ms after the death of {primary.name},"
                        f" {agent.name} {'started again' if lives else 'went on'};"
                        f" {crash_report.told(found)}")
        return found

    def prepare_copy(self, primary, name):
        """The copy, when the primary may die."""
        standby = self._cluster.add_standby(primary, name)
        standby.make_synchronous()
        self._workload.wait_for_commits()
        return standby

    def put_in_place(self, copy):
        """The dead primary's clients are the copy's from now on."""
        self._cluster.promote(copy)

    def tend(self, agent):  # noqa: ARG002 (another way needs it)
        """What an operator does with the agent; returns when he started it, each in time.time()."""
        return []

    def _wait_until_settled(self, agent, lives, settled):
        """Starts the agent again whenever it ends, until all is settled."""

        def tended():
            if not agent.is_running():
                self.expect_end(agent)
                self._cluster.spawn(agent)
                lives.append(time.time())
            return settled()

        try:
            waiting.until(tended, crash_report.PATIENCE_SECONDS, "all branches to be settled")
        except waiting.WaitedInVain:
            pass  # the meter tells what is left

    def _wait_ready(self, agent):
        """Where nothing was in doubt, all may be settled before its life has met the copy, and ended."""
        try:
            agent.wait_ready()
        except HarnessError:
            if agent.is_running():
                raise
            self.expect_end(agent)
            self._cluster.spawn(agent)
            agent.wait_ready()

    @staticmethod
    def expect_end(agent):
        """Waits until a life of it ends as one does that is to be started again."""
        code = agent.wait_for_end(AGENT_SECONDS)
        if code != RESTART:
            raise HarnessError(f"{agent.name} ended with exit code {code}.\n{agent.log_tail()}")


class _Lagging(_Promotion):
    """Acknowledged commits are lost, and told."""

    praise = "a lagging standby was promoted {times} times at work, and what it had lost was told"
    money = "no money was lost or made beside that"

    def __init__(self, *arguments):
        super().__init__(*arguments)
        self._reappeared = {}  # gids of what each participant's latest copy had prepared
        self._landmarks = collections.defaultdict(list)  # with which its copies began, in their order
        self._one_phase = None  # the lost one of this round

    def crash(self, number, meter):
        found = super().crash(number, meter)
        self._check_one_phase()
        return found

    def prepare_copy(self, primary, name):
        standby = self._cluster.add_standby(primary, name)
        self._workload.wait_for_commits()
        standby.hold_replication()
        self.commit_in_one_phase(primary, name)
        self._workload.wait_for_commits()
        return standby

    def commit_in_one_phase(self, primary, name):
        """A transaction of which its database alone has a trace."""
        from . import single_transfer  # noqa: PLC0415 (needs packages, which are there by now)
        self._one_phase = single_transfer.SingleTransfer(
            self._cluster, single_transfer.ONE_PHASE, name, primary.participant)
        leader = self._cluster.leader()
        self._one_phase.open(leader)
        self._one_phase.repeat([leader])

    def _check_one_phase(self):
        transfer = self._one_phase
        answer = transfer.answer_again(self._cluster.coordinators)
        held = any(transfer.name in bank.receipts(server) for server in self._cluster.servers)
        if transfer.told() != {"committed"} or held or answer != "unknown":
            self.problems.append(f"{transfer.name} had committed, was {'not ' if held else ''}lost, and"
                                 f" is answered {answer}.")

    def put_in_place(self, copy):
        copy.promote()
        self.note_prepared(copy)
        self._cluster.replace_primary(copy)

    def note_prepared(self, copy):
        """Nobody of ours has met it yet."""
        gids = copy.prepared_transactions()
        self._reappeared[copy.participant] = gids
        self._steps.say(f"   {copy.name} has {len(gids)} branches prepared")
        epoch, position = copy.value(LANDMARK).split("\t")
        self._landmarks[copy.participant].append((int(epoch), int(position)))

    def before_closing(self, path):
        """Waits until all that is lost is told; an operator ends what is listed, and left to him."""
        begun = time.monotonic()
        servers = self._cluster.servers
        try:
            waiting.until(lambda: not receipts.problems(path, servers, self._lost()), TOLD_SECONDS,
                          "all to be told that is lost")
        except waiting.WaitedInVain:
            pass  # the audit says what is not
        self._steps.say(f"all that is lost is told {(time.monotonic() - begun) * 1000:,.0f} ms after the"
                        " last client's end")
        listed = assentctl.heuristics(self._cluster)
        left = [(server, gid) for server in servers for gid in server.prepared_transactions()]
        for server, gid in left:
            if _transaction(gid) not in listed:
                continue  # the books tell of it
            committed = listed[_transaction(gid)]["outcome"] == "COMMITTED"
            server.execute(f"{'COMMIT' if committed else 'ROLLBACK'} PREPARED '{gid}'")
        self._steps.say(f"{len(listed)} transactions are listed, {len(left)} branches were left to an"
                        " operator")

    def _lost(self):
        """The participants of branches that are listed as lost, by transaction."""
        return {transaction: {branch["participant"] for branch in told["branches"]
                              if branch["result"] == "hazard"}
                for transaction, told in assentctl.heuristics(self._cluster).items()}

    def _proven(self):
        """Branches that are told to be hazards, though a landmark proves that they are there.

        The first copy that began after a branch's life decides: it has what is before its landmark.
        """
        found = []
        for transaction, told in assentctl.heuristics(self._cluster).items():
            for branch in told["branches"]:
                copies = [position for epoch, position in self._landmarks[branch["participant"]]
                          if branch["epoch"] <= epoch]
                if branch["result"] != "hazard" or not branch.get("evidence") or not copies:
                    continue
                if branch["evidence"]["wal_position"] <= copies[0]:
                    found.append(transaction)
        return found

    def audit(self, path, books, result):
        lost = self._lost()
        proven = self._proven()
        branches = sum(len(participants) for participants in lost.values())
        reappeared = [(participant, gid) for participant, gids in self._reappeared.items()
                      for gid in gids]
        replayed = [gid for participant, gid in reappeared
                    if participant not in lost.get(_transaction(gid), ())]
        there = receipts.there(path, self._cluster.servers, lost)
        print(f"{'branches told to be lost':>34} {branches:>12,}")
        print(f"{'of them there after all':>34} {there:>12,}")
        print(f"{'branches that were prepared again':>34} {len(reappeared):>12,}")
        problems = receipts.problems(path, self._cluster.servers, lost)
        if proven:
            problems.append(f"{len(proven)} transactions are told to be lost in part that a landmark"
                            f" proves to be there, for example {proven[0]}.")
        if there == branches:
            problems.append("Nothing is told to be lost: the copies lacked nothing.")
        if len(replayed) != len(reappeared):
            problems.append(f"{len(reappeared) - len(replayed)} branches that a copy had"
                            " prepared are told to be lost.")
        if abs(sum(books.after) - sum(books.before)) > branches:
            problems.append(f"The sum was {sum(books.before)} and is {sum(books.after)}, more than"
                            f" {branches} lost branches can explain.")
        return problems + books.problems(made=sum(books.after) - sum(books.before))


class _Restored(_Lagging):
    """So they are, on the same timeline."""

    praise = "an old base backup was started {times} times in a server's place, and what it had lost" \
             " was told"

    def prepare_copy(self, primary, name):
        copy = self._cluster.add_copy(primary, name)
        self.commit_in_one_phase(primary, name)
        self._workload.wait_for_commits()
        return copy

    def put_in_place(self, copy):
        self._cluster.begin_life(copy)
        self.note_prepared(copy)
        self._cluster.replace_primary(copy)

    def tend(self, agent):
        """A service manager's attempt is refused, an operator's is not."""
        self.expect_end(agent)
        self._cluster.spawn(agent)
        self.expect_end(agent)
        if "--takeover" not in agent.new_log_text():
            self.problems.append(f"{agent.name} did not say how a restored database is taken over; see"
                                 f" {agent.log}.")
        agent.give_flags("--takeover")
        self._cluster.spawn(agent)
        return [time.time()]


def _transaction(gid):
    return gid.split(":")[2]


ACTS = {"synchronous": _Promotion, "lagging": _Lagging, "restored": _Restored}
