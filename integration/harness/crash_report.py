"""What commands share that crash processes under load and measure what was in doubt."""

import argparse

from . import bank_run, in_doubt, receipts

PATIENCE_SECONDS = 30


def parse(name, description, epilog, arguments, clients, add=lambda parser: None):
    """The options of such a command; `add` adds those that only it has."""
    parser = argparse.ArgumentParser(
        prog=f"integration/faults/{name}", description=description, epilog=epilog,
        formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5, metavar="N",
                        help="how many crashes (default: 5)")
    parser.add_argument("--hazards-max", type=int, default=0, metavar="N",
                        help="more transactions of which a client was told that a branch was ended by"
                             " somebody else, or lost, are a failure (default: 0)")
    parser.add_argument("--settle-max", type=int, default=2000, metavar="MS",
                        help="a longer time until nothing is left is a failure (default: 2000)")
    add(parser)
    bank_run.add_options(parser, clients=clients)
    options = parser.parse_args(arguments)
    bank_run.check_options(parser, options)
    if options.rounds < 1:
        parser.error("--rounds must be at least 1")
    return options


def told(crash):
    """One crash, as a text."""
    return (f"{crash.branches} branches in doubt, for p50 {_ms(crash.age_p50)},"
            f" max {_ms(crash.age_max)}; {crash.left} were left when all was up,"
            f" settled {_ms(crash.settled)} later")


class CrashAct(bank_run.Act):
    """Clients move money, with receipts, while a subclass crashes something again and again.

    It has `praise`, what a good run has proved, and crash().
    """

    praise = ""
    money = "no money was lost or made"

    def __init__(self, *arguments):
        super().__init__(*arguments)
        self._workload = None  # while it runs
        self.problems = []  # that a crash() has found, as sentences

    def crash(self, number, meter):
        """Crashes, and starts again; returns the in_doubt.Crash. Commits flow before it and after."""
        raise NotImplementedError

    def run(self):
        """Returns the Verdict."""
        self._money.open_with_receipts()
        path = self._cluster.directory / "receipts"
        self._steps.say(f"{self._options.clients} clients move money until the last round is over")
        with in_doubt.Meter(self._cluster.servers) as meter:
            with self._money.endless_workload("--receipts", path) as workload:
                self._workload = workload
                crashes = [self._round(number, meter)
                           for number in range(1, self._options.rounds + 1)]
                result = workload.end()
            self.before_closing(path)
            books = self._money.close()
        self._show(crashes, result, books)
        problems = self.audit(path, books, result)
        problems += self.problems + self._too_late(crashes)
        return bank_run.Verdict(problems, self._praise(crashes))

    def before_closing(self, path):
        """What is to be done when no client is at work any more; `path` has their receipts."""

    def audit(self, path, books, result):
        """What is wrong in the end, as sentences; `path` has the clients' receipts."""
        problems = books.problems() + receipts.problems(path, self._cluster.servers)
        if result.heuristic > self._options.hazards_max:
            problems.append(f"Of {result.heuristic} transactions a client was told that a branch was"
                            " ended by somebody else, or lost.")
        return problems

    def _round(self, number, meter):
        self._workload.wait_for_commits()
        crash = self.crash(number, meter)
        self._workload.wait_for_commits()
        return crash

    def _too_late(self, crashes):
        limit = self._options.settle_max
        late = [crash for crash in crashes if crash.settled * 1000 > limit]
        if not late:
            return []
        worst = max(crash.settled for crash in late)
        return [f"In {len(late)} of {len(crashes)} rounds something was left prepared {limit:,} ms"
                f" after the last process was up; the longest took {_ms(worst)}."]

    def _praise(self, crashes):
        return (f"{self.praise.format(times=len(crashes))}; clients were told what the databases"
                f" hold, {self.money}, nothing is left prepared, all replicas have executed the"
                " same, and every process stopped in good order.")

    @staticmethod
    def _show(crashes, result, books):
        ages = sorted(crash.age_max for crash in crashes)
        halves = sorted(crash.age_p50 for crash in crashes)
        settled = sorted(crash.settled for crash in crashes)
        print(f"\n{'committed':>34} {result.committed:>12,}")
        print(f"{'aborted':>34} {result.aborted:>12,}")
        print(f"{'unknown to its client at first':>34} {result.unknown:>12,}")
        print(f"{'told of an end by somebody else':>34} {result.heuristic:>12,}")
        for name, value in (
                ("in doubt, median of rounds' p50", in_doubt.rank(halves, 50)),
                ("in doubt, longest", in_doubt.rank(ages, 100)),
                ("settled after all was up, p50", in_doubt.rank(settled, 50)),
                ("settled after all was up, longest", in_doubt.rank(settled, 100))):
            print(f"{name:>34} {_ms(value):>12}")
        print(f"{'sum before and after':>34} {sum(books.before):>12,} {sum(books.after):,}")
        print(f"{'prepared transactions left':>34} {sum(books.prepared):>12,}", flush=True)


def _ms(seconds):
    return "never" if seconds == float("inf") else f"{seconds * 1000:,.0f} ms"
