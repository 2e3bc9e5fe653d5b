"""The systems that the benchmark compares, as a table."""

import dataclasses


@dataclasses.dataclass(frozen=True)
class System:
    """One way to move money between all databases of a group, by `assent-bench measure`."""

    name: str
    way: str  # of assent-bench
    replicas: int = 0  # of the coordinator; 0: the floor has none
    acknowledge: str = "applied"
    unix: bool = False  # the floor's connections: unix sockets, else TCP
    log: bool = False  # the floor logs each decision
    participants: int = 2

    @property
    def is_ours(self):
        """False for the floor."""
        return self.replicas > 0

    def words(self, group, directory):
        """What assent-bench is told of it."""
        told = ["--way", self.way]
        databases = group.databases[:self.participants]
        if self.is_ours:
            coordinators = group.made.coordinators
            return told + [
                "--acknowledge", self.acknowledge,
                "--coordinators", ",".join(each.address("client") for each in coordinators),
                "--participants", ",".join(each.participant for each in databases),
                "--admin", ",".join(each.address("admin") for each in coordinators)]
        for database in databases:
            told += ["--database", database.connection_string(self.unix)]
        return told + (["--log", directory / "decisions"] if self.log else [])


def _ours(replicas, suffix=""):
    return [System(f"{way}-{acknowledge}{suffix}", way, replicas, acknowledge)
            for way in ("one-shot", "interactive") for acknowledge in ("applied", "decided")]


SYSTEMS = {system.name: system for system in [
    System("floor", "floor"),
    System("floor-unix", "floor", unix=True),
    System("floor-steps", "floor-steps"),
    System("floor-steps-unix", "floor-steps", unix=True),
    System("floor-log", "floor", log=True),
    System("floor-log-unix", "floor", unix=True, log=True),
    *_ours(3), *_ours(1, "-r1"), *_ours(5, "-r5"),
]}
# What is measured when nothing else is asked for: of 1 and 5 replicas the one that is compared.
USUAL = [name for name in SYSTEMS
         if not name.endswith(("-r1", "-r5")) or name.startswith("one-shot-applied")]


def by_participants(counts):
    """One-shots and the floor over so many databases each."""
    return [dataclasses.replace(SYSTEMS[name], name=name_with(name, count), participants=count)
            for count in counts for name in ("floor-unix", "one-shot-applied")]


def name_with(name, participants):
    """The name of a system over so many databases."""
    return f"{name}-p{participants}"
