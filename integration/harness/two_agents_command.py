"""The command integration/faults/two_agents: two agents of one database, or one without a coordinator."""

import argparse
import time

from . import bank_run, receipts, status, waiting

RESTART = 1  # of one that ends and may be started again
DISPLACED = 3  # the exit code of an agent whose participant another one serves
DISPLACED_WAIT_MIN_MS = 3_000
SECONDS = 30  # within which things happen, beside what the options say

DESCRIPTION = """\
Starts PostgreSQL servers with agents and three replicas of the coordinator, moves money between the
servers, and meanwhile:
  1. starts a second agent of a database whose agent is at work;
  2. starts a copy of a database's server, made by pg_basebackup, and behind it a second agent of the same
     name; once more when commits have gone on and the first agent stands still by SIGSTOP;
  3. stops an agent with SIGSTOP, starts a second one, and lets the first go on after --pause;
  4. kills all replicas of the coordinator, stops an agent and starts it again, and after a while starts
     the replicas again."""

EPILOG = """\
Exit code 0 only if in 1 the second agent said who serves and ended with exit code 3, and the first one
never stopped; in 2 the copy's agent said who serves and ended with exit code 3, and once more that its
database is behind the one that has served, with exit code 1, and the first one went on; in 3 the second
one served, and the first one said that its life is over and ended with exit code 3; in 4 the agents said that they do not hear the coordinator, ended for nothing, and served
again when it was back; commits went on after each; the databases hold what clients were told of each
transfer, once; no money was lost or made, no prepared transaction is left on any server, all replicas
have executed the same, and all processes stopped in good order."""


def main(arguments):
    """Runs the command; returns its exit code."""
    return bank_run.run("two_agents", _parse(arguments), _TwoAgents)


def _parse(arguments):
    parser = argparse.ArgumentParser(
        prog="integration/faults/two_agents", description=DESCRIPTION, epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pause", type=float, default=60, metavar="S",
                        help="how long the first agent stands still (default: 60)")
    parser.add_argument("--displaced-wait", type=int, default=15_000, metavar="MS",
                        help="how long a second agent waits for the first one's silence"
                             " (default: 15000, as agents do)")
    bank_run.add_options(parser, clients=8)
    options = parser.parse_args(arguments)
    bank_run.check_options(parser, options)
    if options.displaced_wait < DISPLACED_WAIT_MIN_MS:
        parser.error(f"--displaced-wait must be at least {DISPLACED_WAIT_MIN_MS}: longer than the"
                     " silence after which an agent counts as gone")
    return options


class _TwoAgents(bank_run.Act):
    """The run itself, on a cluster that is up."""

    def __init__(self, *arguments):
        super().__init__(*arguments)
        self._first = self._cluster.agents[0]
        self._other = self._cluster.agents[1]
        self._rows = []
        self._workload = None  # while it runs

    def run(self):
        """Returns the Verdict."""
        settings = {"heartbeat": {"displaced_wait_ms": self._options.displaced_wait}}
        second = self._cluster.create_second_agent(self._cluster.servers[0], settings)
        self._money.open_with_receipts()
        path = self._cluster.directory / "receipts"
        with self._money.endless_workload("--receipts", path) as workload:
            self._workload = workload
            problems = []
            for scene in (self._started_twice, self._cloned, self._stopped,
                          self._without_coordinator):
                workload.wait_for_commits()
                problems += scene(second)
                workload.wait_for_commits()
            result = workload.end()
        books = self._money.close()
        self._show(result, books)
        problems += books.problems() + receipts.problems(path, self._cluster.servers)
        return bank_run.Verdict(
            problems, "whoever was one agent too many said so and left, who did not hear the"
                      " coordinator said so and stayed; clients were told what the databases hold,"
                      " no money was lost or made, nothing is left prepared, all replicas have"
                      " executed the same, and every process stopped in good order.")

    def _started_twice(self, second):
        self._steps.say(f"1. {second.name} starts beside {self._first.name}")
        begun = time.monotonic()
        self._cluster.spawn(second)
        second.wait_for_log("another agent serves participant db1", SECONDS)
        code = second.wait_for_end(self._options.displaced_wait / 1000 + SECONDS)
        self._tell(f"{second.name} ended with exit code {code}", begun)
        found = self._expect(code == DISPLACED, f"{second.name} ended with exit code {code}.")
        found += self._expect("code=DISPLACED" in second.new_log_text(),
                              f"{second.name} did not say why it ended; see {second.log}.")
        return found + self._expect(self._first.is_running(), f"{self._first.name} ended, too.")

    def _cloned(self, _second):
        server = self._cluster.servers[0]
        clone = self._cluster.add_clone(server, f"{server.name}-clone")
        settings = {"heartbeat": {"displaced_wait_ms": self._options.displaced_wait}}
        double = self._cluster.create_second_agent(clone, settings, "clone")
        self._steps.say(f"2. {double.name} starts behind a copy, beside {self._first.name}")
        begun = time.monotonic()
        self._cluster.spawn(double)
        double.wait_for_log("another agent serves participant db1", SECONDS)
        code = double.wait_for_end(self._options.displaced_wait / 1000 + SECONDS)
        self._tell(f"{double.name} ended with exit code {code}", begun)
        found = self._expect(code == DISPLACED, f"{double.name} ended with exit code {code}.")
        self._workload.wait_for_commits()  # which the copy lacks
        return found + self._cloned_of_silent(double)

    def _cloned_of_silent(self, double):
        self._first.halt()
        try:
            begun = time.monotonic()
            self._cluster.spawn(double)
            code = double.wait_for_end(self._options.displaced_wait / 1000 + SECONDS)
            self._tell(f"{double.name} ended with exit code {code}, {self._first.name} silent", begun)
        finally:
            self._first.go_on()
        found = self._expect(code == RESTART, f"{double.name} ended with exit code {code}.")
        found += self._expect("code=IDENTITY_MISMATCH" in double.new_log_text(),
                              f"{double.name} did not say why it ended; see {double.log}.")
        self._workload.wait_for_commits()
        return found + self._expect(self._first.is_running(), f"{self._first.name} ended, too.")

    def _stopped(self, second):
        self._steps.say(f"3. {self._first.name} stands still; {second.name} starts")
        self._first.halt()
        try:
            begun = time.monotonic()
            self._cluster.begin_life(second)
            self._tell(f"{second.name} served", begun)
            waiting.reach(begun + self._options.pause)
        finally:
            self._first.go_on()
        begun = time.monotonic()
        code = self._first.wait_for_end(SECONDS)
        self._tell(f"{self._first.name} went on, and ended with exit code {code}", begun)
        found = self._expect(code == DISPLACED, f"{self._first.name} ended with exit code {code}.")
        found += self._expect("this life of the agent is over" in self._first.new_log_text(),
                              f"{self._first.name} did not say why it ended; see {self._first.log}.")
        return found + self._expect(second.is_running(), f"{second.name} ended, too.")

    def _without_coordinator(self, second):
        self._steps.say(f"4. all replicas die; {self._other.name} stops and starts again")
        begun = time.monotonic()
        for replica in self._cluster.coordinators:
            replica.kill()
        problem = self._other.stop()
        self._cluster.spawn(self._other)
        self._other.wait_for_log("waiting for the coordinator", SECONDS)
        second.wait_for_log("the coordinator is not heard", SECONDS)
        self._tell("both agents said that they do not hear the coordinator", begun)
        told, = status.of([second])
        begun = time.monotonic()
        for replica in self._cluster.coordinators:
            self._cluster.spawn(replica)
        second.wait_for_log("the coordinator is heard again", SECONDS)
        self._other.wait_ready()
        self._tell("both agents served again", begun)
        return [*self._expect(problem is None, problem),
                *self._expect(told is not None and not told.ready,
                              f"{second.name} called itself ready without a coordinator.")]

    @staticmethod
    def _expect(holds, problem):
        return [] if holds else [problem]

    def _tell(self, what, begun):
        milliseconds = (time.monotonic() - begun) * 1000
        self._rows.append((what, milliseconds))
        self._steps.say(f"   {what} after {milliseconds:,.0f} ms")

    def _show(self, result, books):
        print()
        for what, milliseconds in self._rows:
            print(f"{what:>66} {milliseconds:>9,.0f} ms")
        print(f"{'committed':>66} {result.committed:>9,}")
        print(f"{'unknown to its client at first':>66} {result.unknown:>9,}")
        print(f"{'sum before and after':>66} {sum(books.before):>9,} {sum(books.after):,}")
        print(f"{'prepared transactions left':>66} {sum(books.prepared):>9,}", flush=True)
