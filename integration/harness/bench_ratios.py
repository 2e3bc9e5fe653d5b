"""The ratios that the design sets goals for, from the runs of the same turns."""

import dataclasses
import statistics

from . import bench_systems


@dataclasses.dataclass(frozen=True)
class Ratio:
    """What is to be reached: the figure of `ours`, divided by that of `other` in the same turn."""

    name: str
    clients: int
    figure: str
    ours: str
    other: str = ""  # no system: the figure itself
    at_least: float = None
    at_most: float = None
    aim: str = ""

    @property
    def goal(self):
        """In words."""
        sign, bound = ("≥", self.at_least) if self.at_least is not None else ("≤", self.at_most)
        return f"{sign} {bound:g}{self.aim and f' (the aim: {self.aim})'}"

    def reached(self, value):
        """Whether the median is good enough."""
        return value >= self.at_least if self.at_least is not None else value <= self.at_most


RATIOS = [
    *(Ratio(f"one-shot against the floor over {words}, 32 clients", 32, "rate", "one-shot-applied",
            floor, at_least=0.85, aim="1.0")
      for floor, words in (("floor", "TCP"), ("floor-unix", "unix sockets"))),
    *(Ratio(f"interactive against the floor in steps over {words}, 32 clients", 32, "rate",
            "interactive-applied", floor, at_least=0.9)
      for floor, words in (("floor-steps", "TCP"), ("floor-steps-unix", "unix sockets"))),
    Ratio("CPU µs of Assent's processes, one-shot, 32 clients", 32, "cpu_us_ours",
          "one-shot-applied", at_most=350, aim="250"),
    Ratio("commits for each flush of the leader's log, one-shot, 32 clients", 32,
          "commits_per_flush", "one-shot-applied", at_least=4),
    *(Ratio(f"p50 of one-shot DECIDED against the floor over {words}, 1 client", 1, "p50",
            "one-shot-decided", floor, at_most=1.35)
      for floor, words in (("floor", "TCP"), ("floor-unix", "unix sockets"))),
    *(Ratio(f"p50 of one-shot APPLIED against the floor over {words}, 1 client", 1, "p50",
            "one-shot-applied", floor, at_most=1.7)
      for floor, words in (("floor", "TCP"), ("floor-unix", "unix sockets"))),
    Ratio("three replicas against one, one-shot, 32 clients", 32, "rate", "one-shot-applied",
          "one-shot-applied-r1", at_least=0.85),
    Ratio("commands of the log alone against etcd's puts, 3 nodes, 64 clients", 64, "rate", "log-3",
          "etcd-3", at_least=5),
]


PARTICIPANTS_FEW, PARTICIPANTS_MANY, SHARE_GROWTH_MAX = 2, 16, 1.5


def of(turns):
    """Each ratio whose systems were measured, with its goal and whether it was reached.

    `turns` has the figures of each turn by (system, clients).
    """
    found = [_judged(ratio.name, values, ratio.goal, ratio.reached)
             for ratio in RATIOS if (values := _values(ratio, turns))]
    if growth := _share_growth(turns):
        found.append(_judged(
            "our share of the p50, 16 participants against 2, one-shot, 1 client", growth,
            f"< {SHARE_GROWTH_MAX:g}", lambda value: value < SHARE_GROWTH_MAX))
    return found


def _values(ratio, turns):
    ours = turns.get((ratio.ours, ratio.clients))
    other = turns.get((ratio.other, ratio.clients)) if ratio.other else None
    if not ours or (ratio.other and not other):
        return []
    return [mine[ratio.figure] / (theirs[ratio.figure] if theirs else 1)
            for mine, theirs in zip(ours, other or [None] * len(ours))]


def _share_growth(turns):
    """What we add to the floor's latency with many participants, divided by that with few."""
    p50 = {
        (name, count): [run["p50"] for run in
                        turns.get((bench_systems.name_with(name, count), 1), [])]
        for name in ("one-shot-applied", "floor-unix")
        for count in (PARTICIPANTS_FEW, PARTICIPANTS_MANY)}
    shares = [[ours - floor for ours, floor in zip(p50["one-shot-applied", count],
                                                   p50["floor-unix", count])]
              for count in (PARTICIPANTS_FEW, PARTICIPANTS_MANY)]
    return [many / few for few, many in zip(*shares)]


def _judged(name, values, goal, reached):
    median = statistics.median(values)
    return {"name": name, "value": (median, min(values), max(values)), "goal": goal,
            "reached": reached(median)}
