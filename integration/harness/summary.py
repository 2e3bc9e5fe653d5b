"""What a run of the demo has shown: the table that it prints, and whether it was good."""

import dataclasses

from .bank_run import Books
from .workload import Result


@dataclasses.dataclass(frozen=True)
class Kill:
    """A process that was killed and begun anew."""

    name: str
    was_at_work: bool  # it ran, and commits were coming in until then
    down_seconds: float  # until it was ready again


@dataclasses.dataclass(frozen=True)
class Played:
    """One run; `participants` has one element for each server."""

    participants: list
    result: Result
    one_shot: bool  # statements travelled with the commit
    kill: Kill | None
    cpu_seconds: dict  # by the name of the process
    books: Books


def problems(played, min_commits):
    """Why the run was no success, as sentences; none when it was."""
    found = played.books.problems()
    if played.result.committed < min_commits:
        found.append(f"{played.result.committed} transactions committed, expected {min_commits}.")
    if played.kill is not None and not played.kill.was_at_work:
        found.append(f"{played.kill.name} was not at work when it was to be killed.")
    return found


def praise(played):
    """What a run without problems has proved, in one sentence."""
    killed = f" {played.kill.name} was killed at work;" if played.kill is not None else ""
    return (f"{killed} no money was lost or made, nothing is left prepared, all replicas have"
            " executed the same, and every process stopped in good order.").strip()


def show(played):
    """Prints the tables."""
    print()
    for label, value, note in _rows(played):
        print(f"{label:>30} {value:>12}  {note}".rstrip())
    print()
    for cells in _server_rows(played):
        print(f"{cells[0]:>30} " + " ".join(f"{cell:>12}" for cell in cells[1:]))


def _rows(played):
    result = played.result
    committed = max(result.committed, 1)
    rate = result.committed / result.seconds
    yield "transactions", *_mode(played.one_shot)
    yield "committed", f"{result.committed:,}", f"{rate:,.0f} per second"
    yield "aborted", f"{result.aborted:,}", ""
    yield "unknown to its client", f"{result.unknown:,}", _counts(result.unknown_resolved)
    yield "errors told to clients", f"{sum(result.errors.values()):,}", _counts(result.errors)
    yield "latency p50", f"{result.latency_p50:,.1f} ms", ""
    yield "latency p99", f"{result.latency_p99:,.1f} ms", ""
    yield "commits stood still for", f"{result.longest_gap:,.0f} ms", _outage(played.kill)
    yield "settled after the last client", f"{played.books.settle_seconds * 1000:,.0f} ms", ""
    yield "replicas equal again", _slots(played.books.executed), "the last slot that all executed"
    yield "commits per fsync of the log", f"{result.commits_per_flush:,.1f}", ""
    cpu = sum(played.cpu_seconds.values()) / committed
    yield "CPU per transaction", f"{cpu * 1e6:,.0f} µs", _cpu_shares(played, committed)


def _slots(executed):
    return f"{executed[0]:,}" if len(set(executed)) == 1 and executed[0] else "no"


def _mode(one_shot):
    if one_shot:
        return "one-shot", "statements travel with the commit"
    return "interactive", "statements one after the other, then the commit"


def _outage(kill):
    if kill is None:
        return ""
    return f"at most; {kill.name} was down for {kill.down_seconds * 1000:,.0f} ms"


def _counts(counts):
    return ", ".join(f"{name} {count:,}" for name, count in counts.items() if count)


def _cpu_shares(played, committed):
    shares = [f"{name} {seconds / committed * 1e6:,.0f}"
              for name, seconds in played.cpu_seconds.items()]
    return ", ".join(shares)


def _server_rows(played):
    yield ["", *played.participants, "total"]
    books = played.books
    for label, values in (("sum before", books.before), ("sum after", books.after),
                          ("prepared transactions left", books.prepared)):
        yield [label, *(f"{value:,}" for value in values), f"{sum(values):,}"]
