"""The command integration/demo: money moves between servers while a process is killed."""

import argparse
import time

from . import bank_run, cluster, cpu, summary, waiting
from .errors import HarnessError

OUTAGE_SECONDS = 1
VICTIMS = ("leader", "follower", "agent", "postgres")

DESCRIPTION = """\
Installs the packages, builds, starts PostgreSQL servers with agents and three replicas of the
coordinator, moves money between the servers, kills one process with -9 half-way, starts it again,
and counts the money."""

EPILOG = """\
Exit code 0 only if no money was lost or made, no prepared transaction is left on any server, all
replicas have executed the same, at least --min-commits transactions committed, the killed process
was at work, and all processes stopped in good order. After a failure the data and the logs are
kept."""


def main(arguments):
    """Runs the command; returns its exit code."""
    options = _parse(arguments)
    return bank_run.run("demo", options, _Play)


def _parse(arguments):
    parser = argparse.ArgumentParser(
        prog="integration/demo", description=DESCRIPTION, epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=int, default=10, help="of work (default: 10)")
    parser.add_argument("--kill", choices=[*VICTIMS, "coordinator", "none"], default="leader",
                        help="what dies half-way (default: leader; coordinator is the same)")
    parser.add_argument("--min-commits", type=int, default=1000, metavar="N",
                        help="fewer are a failure (default: 1000)")
    bank_run.add_options(parser, clients=8)
    options = parser.parse_args(arguments)
    bank_run.check_options(parser, options)
    if options.seconds < 4:
        parser.error("--seconds must be at least 4")
    if options.kill == "follower" and options.replicas == 1:
        parser.error("--kill follower needs more than one replica")
    return options


class _Play(bank_run.Act):
    """The run itself, on a cluster that is up."""

    def __init__(self, money, options, steps):
        super().__init__(money, options, steps)
        self._meter = cpu.Meter(self._ours())
        self._kill = None

    def run(self):
        self._money.open()
        result = self._work()
        used = self._meter.seconds()
        played = summary.Played(
            participants=[cluster.participant_of(server) for server in self._cluster.servers],
            result=result, one_shot=self._options.one_shot, kill=self._kill, cpu_seconds=used,
            books=self._money.close())
        summary.show(played)
        return bank_run.Verdict(summary.problems(played, self._options.min_commits),
                                summary.praise(played))

    def _work(self):
        seconds = self._options.seconds
        self._steps.say(f"{self._options.clients} clients move money for {seconds} s")
        self._meter = cpu.Meter(self._ours())
        with self._money.workload(seconds) as workload:
            if self._options.kill != "none":
                self._kill_half_way(workload)
            return workload.wait(seconds + 60)

    def _ours(self):
        return [*self._cluster.coordinators, *self._cluster.agents]

    def _victim(self):
        if self._options.kill == "agent":
            return self._cluster.service("agent-db1")
        if self._options.kill == "postgres":
            return self._cluster.service("postgres-db1")
        if self._options.kill == "follower":
            return self._cluster.follower()
        return self._cluster.leader()

    def _kill_half_way(self, workload):
        at_work = self._wait_for_work_half_way(workload)
        victim = self._victim()
        at_work = at_work and victim.is_running()
        self._meter.life_ends(victim)
        self._cluster.kill(victim.name)
        begun = time.monotonic()
        role = f", the {self._options.kill}" if victim in self._cluster.coordinators else ""
        self._steps.say(f"kill -9 {victim.name}{role}, pid {victim.identity.pid};"
                        f" {self._money.prepared_now()} branches are prepared")
        self._tell_who_leads(victim)
        waiting.until(lambda: time.monotonic() >= begun + OUTAGE_SECONDS, 60, "the outage's end")
        self._cluster.restart(victim.name)
        down_seconds = time.monotonic() - begun
        self._steps.say(f"{victim.name} is back, pid {victim.identity.pid}")
        self._kill = summary.Kill(victim.name, at_work, down_seconds)

    def _tell_who_leads(self, victim):
        if victim in self._cluster.coordinators and len(self._cluster.coordinators) > 1:
            self._steps.say(f"{self._cluster.leader().name} leads")

    def _wait_for_work_half_way(self, workload):
        """Returns at a progress line from half-way on that shows new commits; False: none came."""
        half = self._options.seconds / 2
        waiting.until(lambda: workload.elapsed() >= half, half + 1, "the middle of the run")
        try:
            waiting.until(workload.is_at_work, half / 2, "a commit")
            return True
        except HarnessError:
            return False
