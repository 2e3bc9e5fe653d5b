"""The crash matrix as a table in Markdown, in docs/failures.md between two markers, and as JSON."""

import re

from . import crash_cells as cells
from .errors import HarnessError

BEGIN, END = "<!-- crash matrix: begin -->", "<!-- crash matrix: end -->"
COMMAND = "integration/faults/crash_matrix"
WORDS = {"C": "committed", "A": "aborted", "E": "either"}
HEADS = {"crash-before": "crash before", "crash-after": "crash after",
         "connection-lost": "connection lost", "stopped": "stopped for {stop:g} s"}
ALL_REASONS = list(dict.fromkeys(reason for reasons in cells.REASONS.values() for reason in reasons))


def promised(cell):
    """How a cell begins, whatever a run has shown: what is guaranteed, or that it cannot happen."""
    trial = cell.trial
    if trial.impossible:
        return f"– ({ALL_REASONS.index(trial.impossible) + 1})"
    return WORDS[trial.guaranteed]


def text_of(cell, shown):
    """A cell; `shown` is what the run of its trial has shown, None: it was not run."""
    text = promised(cell)
    if cell.trial.impossible:
        return text
    if shown is None:
        return f"{text}; not run"
    if shown.problems:
        return f"{text}; **FAILED**"
    if text == "either":
        text += f": {shown.outcome}"
    return f"{text}, {_time(max(shown.ages))}" if shown.ages else text


def markdown(rows, shown, facts):
    """The tables of these cells; `shown` is by trial, `facts` a sentence on the run."""
    lines = [facts, ""]
    for scenario, title in cells.TITLES.items():
        mine = [cell for cell in rows if cell.step.scenario == scenario]
        if mine:
            lines += [f"**{title}**", "", *_table(mine, shown), ""]
    lines += ["Cells that cannot happen:", ""]
    lines += [f"{number}. {reason}" for number, reason in enumerate(ALL_REASONS, 1)]
    return "\n".join(lines)


def _table(rows, shown):
    heads = [head.format(stop=cells.STOP_SECONDS) for head in HEADS.values()]
    lines = [f"| `--only` | {' | '.join(heads)} |", "|---" * (len(heads) + 1) + "|"]
    for row, ways in _by_row(rows).items():
        texts = [text_of(ways[way], shown.get(ways[way].trial)) if way in ways else ""
                 for way in cells.WAYS]
        lines.append(f"| `{row}` | {' | '.join(texts)} |")
    return lines


def _by_row(rows):
    found = {}
    for cell in rows:
        found.setdefault(cell.row, {})[cell.way] = cell
    return found


def put_into(document, table):
    """The document with this table between its markers."""
    return f"{_around(document)[0]}\n{table}\n{_around(document)[1]}"


def _around(document):
    if document.count(BEGIN) != 1 or document.count(END) != 1:
        raise HarnessError(f"The document must have the lines {BEGIN} and {END} once each.")
    head, _, rest = document.partition(BEGIN)
    return head + BEGIN, END + rest.partition(END)[2]


def written_in(document):
    """The cells of a document: {name of the cell: its text}."""
    head, tail = _around(document)
    table = document[len(head):len(document) - len(tail)]
    found = {}
    for row, rest in re.findall(r"^\| `([^`]+/[^`]+)` \| (.*) \|$", table, re.MULTILINE):
        found |= {f"{row}/{way}": text
                  for way, text in zip(cells.WAYS, rest.split(" | "), strict=True)}
    return found


def to_json(rows, shown):
    """One object for each cell."""
    return [_cell_json(cell, shown.get(cell.trial)) for cell in rows]


def _cell_json(cell, shown):
    trial = cell.trial
    told = {
        "cell": cell.name, "scenario": cell.step.scenario, "step": cell.step.title,
        "victim": cell.victim, "way": cell.way, "command": f"{COMMAND} --only {cell.name}",
        "impossible": trial.impossible or None,
        "failpoint": trial.moment.path, "stands_still": trial.moment.actor,
        "guaranteed": None if trial.impossible else WORDS[trial.guaranteed],
    }
    if shown:
        told |= {
            "outcome": shown.outcome, "known_after_ms": round(shown.known_seconds * 1000),
            "in_doubt_ms": [round(age * 1000) for age in shown.ages], "problems": shown.problems}
    return told


def _time(seconds):
    return f"{seconds * 1000:,.0f} ms" if seconds < 0.9995 else f"{seconds:.1f} s"
