"""A cluster with a bank in it, for commands that move money while something dies."""

import contextlib
import dataclasses
import sys
import tempfile
import time

from . import bank, cluster, interrupts, repository, status, waiting
from .errors import HarnessError
from .workload import PROGRESS_MS, RUN_SECONDS, Workload

SETTLE_SECONDS = 30


@dataclasses.dataclass(frozen=True)
class Verdict:
    """What a run came to."""

    problems: list  # sentences; none when it was good
    praise: str  # what a good run has proved


@dataclasses.dataclass(frozen=True)
class Books:
    """The bank and its replicas before and after a run; lists have one element for each server."""

    before: list  # sums of the balances
    after: list
    prepared: list  # counted in pg_prepared_xacts
    settle_seconds: float  # from the last client's end until nothing was prepared
    executed: list  # the last slot that each replica of the coordinator has executed

    def problems(self, made=0):
        """What is wrong with them, as sentences; somebody has `made` so much money by hand."""
        found = []
        if sum(self.before) + made != sum(self.after):
            found.append(f"The sum was {sum(self.before)} and is {sum(self.after)}.")
        if sum(self.prepared) != 0:
            found.append(f"{sum(self.prepared)} prepared transactions are left.")
        if None in self.executed or len(set(self.executed)) != 1:
            found.append(f"The replicas have executed different slots: {self.executed}.")
        return found


class Steps:
    """Tells on the terminal what is being done, each line with the time since the start."""

    def __init__(self):
        self._begun = time.monotonic()

    def say(self, text):
        """Prints one line at once."""
        print(f"[{time.monotonic() - self._begun:6.1f} s] {text}", flush=True)


@dataclasses.dataclass(frozen=True)
class Traffic:
    """Who moves money, and how."""

    clients: int
    one_shot: bool
    accounts: int = bank.ACCOUNTS


@contextlib.contextmanager
def traffic(made, chosen, seconds, *extra, show=True):
    """Clients that move money in a cluster, from the block's beginning on and no longer."""
    mode = ["--one-shot"] if chosen.one_shot else []
    command = [
        made.bin_directory / "assent-bench", "transfers", *mode, *extra,
        "--coordinators", _addresses(made.coordinators, "client"),
        "--participants", ",".join(cluster.participant_of(each) for each in made.servers),
        "--clients", chosen.clients, "--seconds", seconds, "--accounts", chosen.accounts,
        "--admin", _addresses(made.coordinators, "admin")]
    moving = Workload(command, made.directory / "workload.json", show)
    try:
        yield moving
    finally:
        moving.stop()


def endless_traffic(made, chosen, *extra):
    """As traffic(), of clients that go on until they are told to end(); nothing is shown."""
    return traffic(made, chosen, RUN_SECONDS, "--progress-every", PROGRESS_MS, *extra, show=False)


class Bank:
    """The money of a cluster that is up, and those who move it."""

    def __init__(self, made, options, steps):
        self.cluster = made
        self._options = options
        self._steps = steps
        self._before = []

    def open(self):
        """Opens the accounts."""
        self._steps.say(f"opening {bank.ACCOUNTS:,} accounts on each server")
        for server in self.cluster.servers:
            bank.open_accounts(server)
        self._before = bank.balances(self.cluster.servers)

    def open_with_receipts(self):
        """Opens them, and what each branch of a transfer writes its name into."""
        self.open()
        for server in self.cluster.servers:
            bank.open_receipts(server)

    def workload(self, seconds, *extra, show=True):
        """As traffic(), of these options."""
        return traffic(self.cluster, self._chosen(), seconds, *extra, show=show)

    def endless_workload(self, *extra):
        """As endless_traffic(), of these options."""
        return endless_traffic(self.cluster, self._chosen(), *extra)

    def prepared_now(self):
        """Branches that are prepared, on all servers that run."""
        found = self.cluster.prepared_transactions().values()
        return sum(len(gids) for gids in found if gids is not None)

    def close(self):
        """Waits until all is settled and all replicas are equal; returns the Books."""
        settle_seconds = self._settle()
        executed = status.wait_until_equal(self.cluster.coordinators)
        return Books(
            before=self._before, after=bank.balances(self.cluster.servers),
            prepared=[len(gids) for gids in self.cluster.prepared_transactions().values()],
            settle_seconds=settle_seconds, executed=executed)

    def _chosen(self):
        return Traffic(self._options.clients, self._options.one_shot)

    def _settle(self):
        """Seconds until no server has a prepared transaction; the deadline when one stays."""
        begun = time.monotonic()
        try:
            waiting.until(lambda: self.prepared_now() == 0, SETTLE_SECONDS, "all to be settled")
        except HarnessError:
            pass
        return time.monotonic() - begun


class Act:
    """What a command does on a cluster that is up; a subclass has run(), which gives a Verdict."""

    def __init__(self, money, options, steps):
        self._money = money
        self._cluster = money.cluster
        self._options = options
        self._steps = steps

    def run(self):
        """Returns the Verdict, and has printed what happened."""
        raise NotImplementedError


def add_options(parser, clients, preset="release"):
    """The options of every command that runs so; `clients` is 0 when it has none."""
    if clients:
        parser.add_argument("--clients", type=int, default=clients,
                            help=f"at once (default: {clients})")
    else:
        parser.set_defaults(clients=1)
    parser.add_argument("--databases", type=int, default=2, help="2 to 16 (default: 2)")
    parser.add_argument("--one-shot", action="store_true",
                        help="statements travel with the commit (default: one after the other)")
    parser.add_argument("--keep", action="store_true", help="keep the data and the logs")
    repository.add_replicas_option(parser)
    repository.add_build_options(parser, preset)


def check_options(parser, options):
    """Ends the program when one of them is out of range."""
    if not 2 <= options.databases <= 16:
        parser.error("--databases must be from 2 to 16")
    if options.clients < 1:
        parser.error("--clients must be at least 1")


def run(name, options, act, network=contextlib.nullcontext):
    """Builds, starts a cluster, lets an `act`, a class of Acts, come to a Verdict, ends the cluster.

    `network` opens the network where the replicas live; without it they live on this machine.
    Returns the exit code of the command `name`.
    """
    interrupts.raise_on_signals()
    try:
        return _run(name, options, act, network)
    except HarnessError as error:
        print(f"{name}: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print(f"{name}: interrupted; nothing is left of it", file=sys.stderr)
        return 130


def _run(name, options, act, network):
    steps = Steps()
    steps.say("packages and programs")
    repository.build_programs(options)
    with network() as opened:
        return _act(name, options, act, steps, opened)


def _act(name, options, act, steps, network):
    directory = tempfile.mkdtemp(prefix=f"assent-{name.replace('_', '-')}-", dir="/tmp")
    steps.say(f"starting a cluster in {directory}")
    made = cluster.up(directory, name, options.databases, repository.bin_directory(options),
                      say=lambda step: steps.say(f"starting: {step}"), replicas=options.replicas,
                      settings=getattr(options, "settings", None), network=network,
                      agent_settings=getattr(options, "agent_settings", None))
    try:
        verdict = act(Bank(made, options, steps), options, steps).run()
    except HarnessError as error:
        return _fail(made, [str(error), *made.down(keep=True)])
    except BaseException:
        with interrupts.ignored():
            made.abandon()
        raise
    return _finish(made, options, verdict)


def _finish(made, options, verdict):
    problems = list(verdict.problems)
    with interrupts.ignored():
        problems += made.down(keep=options.keep or bool(problems))
    if problems:
        return _fail(made, problems)
    kept = f" Data and logs: {made.directory}" if options.keep else ""
    print(f"\nPASSED: {verdict.praise}{kept}")
    return 0


def _fail(made, problems):
    print("\nFAILED")
    for problem in problems:
        print(f"  {problem}")
    print(f"Data and logs are kept in {made.directory}", flush=True)
    return 1


def _addresses(services, role):
    return ",".join(service.address(role) for service in services)
