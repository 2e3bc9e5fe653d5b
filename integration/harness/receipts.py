"""What clients were told of their transfers, against what the databases hold."""

import collections

from . import bank

EXAMPLES_MAX = 3


def problems(path, servers, lost=None):
    """What does not agree, as sentences; `path` is the file of `assent-bench --receipts`.

    `lost` are the branches of which it was told that a database has lost them, or may have: the
    names of the participants by transaction.
    """
    told, ids = _read(path)
    places = {server.participant: place for place, server in enumerate(servers)}
    missing = {name: {places[each] for each in (lost or {}).get(ids[name], ())} for name in told}
    return compare(told, [bank.receipts(server) for server in servers], missing)


def there(path, servers, lost):
    """How many of the `lost` branches, as in problems(), a server holds after all."""
    told, ids = _read(path)
    names = {ids[name]: name for name in told}
    held = {server.participant: set(bank.receipts(server)) for server in servers}
    return sum(1 for transaction, participants in lost.items() for each in participants
               if names.get(transaction) in held[each])


def compare(told, held, missing=None):
    """As problems(), of the outcome told by name, and of the names that each server holds.

    Each transfer moves money between two of the servers: its name stands on both once, or on none.
    Of one that was told to have committed it may be `missing` on some, by name the places in `held`.
    """
    counts = collections.Counter(name for names in held for name in names)
    sets = [set(names) for names in held]
    for name, places in (missing or {}).items():
        lacking = sum(1 for place in places if name not in sets[place])
        if told[name] == "committed" and lacking:
            counts[name] += lacking
    on_one_twice = {name for names in held
                    for name, count in collections.Counter(names).items() if count > 1}
    found = []
    _add(found, on_one_twice, "were done twice on one server")
    _add(found, {name for name, count in counts.items() if count != 2} - on_one_twice,
         "are on one server only, or on more than two")
    _add(found, {name for name, outcome in told.items()
                 if outcome == "committed" and name not in counts},
         "are nowhere, and their client was told that they had committed")
    _add(found, {name for name, outcome in told.items() if outcome == "aborted" and name in counts},
         "were done, and their client was told that they had aborted")
    _add(found, {name for name, outcome in told.items() if outcome == "unknown"},
         "are unknown to their clients after the run, too")
    _add(found, set(counts) - set(told), "were done, and no client was told of them")
    return found


def _add(found, names, what):
    if names:
        examples = ", ".join(sorted(names)[:EXAMPLES_MAX])
        found.append(f"{len(names)} transfers {what}, for example {examples}.")


def _read(path):
    """The outcomes and the transactions' ids, by the names."""
    with open(path, encoding="utf-8") as lines:
        rows = [line.split() for line in lines]
    return {row[0]: row[1] for row in rows}, {row[0]: row[2] for row in rows}
