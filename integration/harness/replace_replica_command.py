"""The command integration/faults/replace_replica: a replica is replaced while links are cut."""

import argparse
import contextlib
import subprocess
import time

from . import bank_run, network, status, waiting
from .errors import HarnessError

REPLACE_SECONDS = 180
NOTICE_SECONDS = 20  # within which replicas notice a cut, or its end
BETWEEN_CUTS_SECONDS = 1

DESCRIPTION = """\
Starts PostgreSQL servers with agents and three replicas of the coordinator, each in a network namespace
of its own, moves money between the servers, and has the leader replaced by a new replica (assentctl
replica replace). When the new one is in the group, and does not run yet, the leader's link is cut until
another one leads, and mended; it is asked to lead again, and the new one starts. Until the leader has
left, the link of another replica is cut and mended, again and again. Needs root."""

EPILOG = """\
Exit code 0 only if the replacement was made; commits were flowing while each link was cut, although who
was cut off had lost its leader, or its office; the group is the new one; no money was lost or made, no
prepared transaction is left on any server, all replicas have executed the same, and all processes
stopped in good order."""


def main(arguments):
    """Runs the command; returns its exit code."""
    parser = argparse.ArgumentParser(
        prog="integration/faults/replace_replica", description=DESCRIPTION, epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter)
    bank_run.add_options(parser, clients=8)
    options = parser.parse_args(arguments)
    bank_run.check_options(parser, options)
    if options.replicas < 3:
        parser.error("--replicas must be at least 3: one goes, and one is cut off meanwhile")
    return bank_run.run("replace_replica", options, _Replacement, network.opened)


class _Replacement(bank_run.Act):
    """The run itself, on a cluster that is up."""

    def run(self):
        self._money.open()
        self._steps.say(f"{self._options.clients} clients move money until all is over")
        with self._money.endless_workload() as workload:
            workload.wait_for_commits()
            old = self._cluster.leader()
            new = self._cluster.create_joining_replica()
            told = self._replace(workload, old, new)
            problems = self._stop(old)
            workload.wait_for_commits()
            result = workload.end()
        books = self._money.close()
        self._show(result, books)
        return bank_run.Verdict(
            [*problems, *self._wrong_group(told, old, new), *books.problems()],
            f"{old.name} led, and was replaced by {new.name} while money moved and links were cut;"
            " no money was lost or made, nothing is left prepared, all replicas have executed the"
            " same, and every process stopped in good order.")

    # ── cuts ────────────────────────────────────────────────────────────────────────────────────

    @contextlib.contextmanager
    def _cut(self, victim):
        """In the block nothing that the replica says is heard, and it hears nothing."""
        self._cluster.network.cut(victim.place)
        try:
            yield
        finally:
            self._cluster.network.heal(victim.place)

    def _cut_the_leader_off(self, workload, old):
        """The others choose another one, and commits go on; the old one notices, and steps down."""
        others = [each for each in self._cluster.coordinators
                  if each is not old and each.is_running()]
        begun = time.monotonic()
        with self._cut(old):
            new = status.wait_for_leader(others)
            led = time.monotonic() - begun
            self._wait_until_it_hears_no_leader(old)
            stepped_down = time.monotonic() - begun
            self._check_out_of_reach(old)
            workload.wait_for_commits()
            flowing = time.monotonic() - begun
        self._wait_until_it_follows(old)
        self._steps.say(
            f"{old.name} led and was cut off: {new.name} led after {led:.1f} s, {old.name} had"
            f" stepped down after {stepped_down:.1f} s, commits flowed by {flowing:.1f} s;"
            f" {old.name} follows again")

    def _cut_off_until_over(self, workload, replacing, old, new):
        """Those who stay and do not lead are cut off, one after the other. Returns how often."""
        cuts = 0
        while replacing.poll() is None or cuts == 0:
            leader = self._cluster.leader()
            victim = next(each for each in self._cluster.coordinators
                          if each not in (old, new, leader))
            with self._cut(victim):
                self._wait_until_it_hears_no_leader(victim)
                self._check_out_of_reach(victim)
                workload.wait_for_commits()
            self._wait_until_it_follows(victim)
            cuts += 1
            with contextlib.suppress(subprocess.TimeoutExpired):
                replacing.wait(BETWEEN_CUTS_SECONDS)
        return cuts

    @staticmethod
    def _wait_until_it_hears_no_leader(replica):
        def hears_none():
            told = status.told_within(replica)
            return told is not None and told.facts["leader"] == "none" and not told.leads

        waiting.until(hears_none, NOTICE_SECONDS, f"{replica.name} to notice that it is cut off")

    @staticmethod
    def _check_out_of_reach(replica):
        if status.of([replica]) != [None]:
            raise HarnessError(f"{replica.name} answers although its link is cut.")

    @staticmethod
    def _wait_until_it_follows(replica):
        waiting.until(replica.is_ready, NOTICE_SECONDS, f"{replica.name} to hear a leader again")

    # ── the replacement ─────────────────────────────────────────────────────────────────────────

    def _assentctl(self, *words):
        """The command line of one of its verbs for replicas."""
        command = [self._cluster.bin_directory / "assentctl", "replica", *words,
                   "--timeout", REPLACE_SECONDS]
        for each in self._cluster.coordinators:
            command += ["--at", each.address("admin")]
        return [str(word) for word in command]

    def _replace(self, workload, old, new):
        """What assentctl told."""
        ports = [word for role in ("client", "peer", "admin")
                 for word in (f"--{role}", new.address(role))]
        command = self._assentctl("replace", old.replica, "--by", new.replica, *ports)
        begun = time.monotonic()
        log = self._cluster.directory / "assentctl.log"
        with open(log, "wb") as out, subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=out,
                stderr=subprocess.STDOUT) as replacing:
            try:
                waiting.until(lambda: "as a learner" in log.read_text(encoding="utf-8")
                              or replacing.poll() is not None, NOTICE_SECONDS, "the first change")
                self._cut_the_leader_off(workload, old)
                self._let_lead(old)
                self._cluster.spawn(new)
                cuts = self._cut_off_until_over(workload, replacing, old, new)
            finally:
                replacing.terminate()
        told = log.read_text(encoding="utf-8")
        for line in told.splitlines():
            self._steps.say(f"assentctl: {line}")
        if replacing.returncode != 0:
            raise HarnessError(f"assentctl ended with exit code {replacing.returncode}: {told}")
        self._steps.say(f"replaced after {time.monotonic() - begun:.1f} s; cuts of another replica"
                        f" meanwhile: {cuts}; each time it lost its leader, and was not missed")
        return told

    def _let_lead(self, replica):
        done = subprocess.run(self._assentctl("transfer-leader", "--to", replica.replica),
                              stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
        if done.returncode != 0:
            raise HarnessError(f"assentctl could not transfer the office: {done.stderr}")
        self._steps.say(f"{replica.name} leads again")

    def _stop(self, old):
        """The old replica is stopped for ever. Returns problems as sentences."""
        self._steps.say(f"stopping {old.name}, which has left")
        self._cluster.coordinators.remove(old)
        problem = old.stop()
        self._cluster.save()
        return [problem] if problem else []

    def _wrong_group(self, told, old, new):
        found = []
        if "is needed no more" not in told:
            found.append("assentctl did not say that the old replica is needed no more.")
        for each, one in zip(self._cluster.coordinators, status.of(self._cluster.coordinators)):
            size = one and one.facts.get("group")
            if size != str(self._options.replicas):
                found.append(f"{each.name} has a group of {size}.")
        if new not in self._cluster.coordinators or old in self._cluster.coordinators:
            found.append("The replicas are not those that they should be.")
        return found

    @staticmethod
    def _show(result, books):
        print(f"\n{'committed':>30} {result.committed:>12,}")
        print(f"{'unknown to its client':>30} {result.unknown:>12,}")
        print(f"{'longest time without a commit':>30} {result.longest_gap:>9,.0f} ms")
        print(f"{'sum before and after':>30} {sum(books.before):>12,} {sum(books.after):,}")
        print(f"{'prepared transactions left':>30} {sum(books.prepared):>12,}", flush=True)
