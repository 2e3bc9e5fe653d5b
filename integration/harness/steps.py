"""What commands share that crash one process at a failpoint and drive one transaction past it."""

import argparse
import dataclasses
import time

from . import aftermath, arming, bank_run, in_doubt
from .errors import HarnessError

TRIES = 3


@dataclasses.dataclass(frozen=True)
class Step:
    """Where a process dies, and what kind of transaction it is at."""

    kind: str  # of single_transfer
    path: str  # ASSENT_FAILPOINT
    quick: bool = False  # one of those that --quick runs
    who: str = ""  # what dies, where that is not clear from the command


@dataclasses.dataclass(frozen=True)
class Passed:
    """What a step came to."""

    step: Step
    outcome: str
    answer_seconds: float  # from the death until the client knew the outcome
    ages: list  # of the branches that were in doubt at the death or after it, in seconds


def parse(name, description, epilog, arguments):
    """The options of such a command."""
    parser = argparse.ArgumentParser(
        prog=f"integration/faults/{name}", description=description, epilog=epilog,
        formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true",
                        help="some of the steps, under a minute (default: all of them)")
    parser.add_argument("--only", metavar="TEXT", default="",
                        help="the steps whose kind and failpoint, with a space between, contain this")
    parser.add_argument("--in-doubt-max", type=int, default=10_000, metavar="MS",
                        help="a branch that is in doubt for longer is a failure (default: 10000)")
    bank_run.add_options(parser, clients=0, preset="dev")
    options = parser.parse_args(arguments)
    bank_run.check_options(parser, options)
    return options


class StepsAct(bank_run.Act):
    """One transaction after the other; a subclass has `steps`, `praise` and take()."""

    steps = ()
    praise = ""

    def __init__(self, *arguments):
        super().__init__(*arguments)
        from . import single_transfer  # noqa: PLC0415 (needs packages, which are there by now)
        self._single_transfer = single_transfer
        self._meter = None  # while it runs
        self.problems = []

    def take(self, step, transfer):
        """Arms, opens and asks; returns when the process has died there, as time.time().

        All processes run again, or are starting, when it returns. Raises arming.Missed.
        """
        raise NotImplementedError

    def run(self):
        """Returns the Verdict."""
        chosen = self._chosen()
        self._money.open_with_receipts()
        transfers, passed = [], []
        with in_doubt.Meter(self._cluster.servers) as self._meter:
            for number, step in enumerate(chosen, 1):
                passed.append(self._pass(step, number, transfers))
                self._tell(number, len(chosen), passed[-1])
        books, problems = aftermath.at_the_end(self._cluster, self._money, transfers)
        self.problems = list(dict.fromkeys([*self.problems, *problems]))
        self._show(passed, books)
        return bank_run.Verdict(
            [*self.problems, *self._too_long(passed), *books.problems()],
            f"{self.praise.format(count=len(passed))}; each client was told one outcome for ever, and"
            " the databases hold it once; no money was lost or made, nothing is left prepared, all"
            " replicas have executed the same, and every process stopped in good order.")

    def _chosen(self):
        chosen = [step for step in self.steps
                  if (step.quick or not self._options.quick)
                  and self._options.only in f"{step.kind} {step.path}"]
        if not chosen:
            raise HarnessError(f"No step's kind and failpoint contain \"{self._options.only}\".")
        return chosen

    def _take(self, step, number, transfers):
        """The transfer that has met the death, and when; every one that was begun is in `transfers`."""
        for attempt in range(1, TRIES + 1):
            name = number if attempt == 1 else f"{number}-{attempt}"
            transfer = self._single_transfer.SingleTransfer(self._cluster, step.kind, name)
            try:
                died = self.take(step, transfer)
                transfers.append(transfer)
                return transfer, died
            except arming.Missed as missed:
                self._steps.say(f"{missed} Once more.")
                if transfer.id is not None:
                    transfers.append(transfer)
        raise HarnessError(f"{step.kind} at {step.path}: the office changed hands {TRIES} times.")

    def _pass(self, step, number, transfers):
        transfer, died = self._take(step, number, transfers)
        transfer.repeat(self._cluster.coordinators)
        answered = time.time()
        transfer.await_answer()
        found = aftermath.of(self._cluster, self._meter, transfer, died)
        self.problems += found.problems
        return Passed(step, self._single_transfer.NAMES[transfer.outcome], answered - died,
                      found.ages)

    def _too_long(self, passed):
        limit = self._options.in_doubt_max
        late = [each for each in passed if any(age * 1000 > limit for age in each.ages)]
        return [f"{each.step.kind} at {each.step.path}: a branch was in doubt for"
                f" {max(each.ages) * 1000:,.0f} ms." for each in late]

    def _tell(self, number, count, passed):
        self._steps.say(f"{number:>3} of {count}: {passed.step.kind:<15} {passed.step.path:<60}"
                        f" {passed.outcome}")

    def _show(self, passed, books):
        print(f"\n{'kind':<16}{'died at':<62}{'outcome':<11}{'known after':>12}{'in doubt':>10}"
              f"{'longest':>10}")
        for each in passed:
            longest = f"{max(each.ages) * 1000:,.0f} ms" if each.ages else "-"
            print(f"{each.step.kind:<16}{each.step.path:<62}{each.outcome:<11}"
                  f"{each.answer_seconds * 1000:>9,.0f} ms{len(each.ages):>10}{longest:>10}")
        ages = sorted(age for each in passed for age in each.ages)
        answers = sorted(each.answer_seconds for each in passed)
        print()
        for name, value in (
                ("steps", f"{len(passed):,}"), ("branches in doubt", f"{len(ages):,}"),
                ("in doubt, p50", _ms(in_doubt.rank(ages, 50))),
                ("in doubt, longest", _ms(in_doubt.rank(ages, 100))),
                ("known to the client, p50", _ms(in_doubt.rank(answers, 50))),
                ("known to the client, longest", _ms(in_doubt.rank(answers, 100))),
                ("sum before and after", f"{sum(books.before):,} {sum(books.after):,}"),
                ("prepared transactions left", f"{sum(books.prepared):,}")):
            print(f"{name:>30} {value}", flush=True)


def _ms(seconds):
    return f"{seconds * 1000:,.0f} ms"
