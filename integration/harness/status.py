"""What our processes tell of themselves on their admin ports, asked by `assent-bench status`."""

import dataclasses
import json
import subprocess

from . import waiting
from .errors import HarnessError

LEADER_SECONDS = 20
EQUAL_SECONDS = 30


@dataclasses.dataclass(frozen=True)
class Status:
    """One process, at one moment."""

    pid: int
    ready: bool
    facts: dict
    counters: dict

    @property
    def leads(self):
        """True when this replica of the coordinator serves as the leader."""
        return self.ready and self.facts.get("role") == "leader"


def of(services):
    """The Status of each service, in their order; None for one that does not answer."""
    if not services:
        return []
    return _ask((), services)


def told_within(service):
    """What it says where it lives, also when its link is cut; None: no answer."""
    told, = _ask(service.inside(), [service])
    return told


def _ask(inside, services):
    command = [*inside, services[0].bin_directory / "assent-bench", "status", "--admin",
               ",".join(service.address("admin") for service in services)]
    done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True,
                          check=False)
    if done.returncode != 0:
        raise HarnessError(f"assent-bench status failed: {done.stderr.strip()}")
    return [Status(**told) if told else None for told in json.loads(done.stdout)]


def leader_of(coordinators):
    """The replica that leads now, None when none does."""
    running = [each for each in coordinators if each.is_running()]
    leaders = [(told.facts.get("ballot", ""), each) for each, told in zip(running, of(running))
               if told is not None and told.leads]
    # One that was cut off may not know yet that it leads no more.
    return max(leaders, key=lambda one: _ballot(one[0]))[1] if leaders else None


def ballot_of(replica):
    """The highest that this replica knows, as a text; None: no answer."""
    told, = of([replica])
    return told and told.facts.get("ballot")


def wait_for_leader(coordinators, seconds=LEADER_SECONDS):
    """The replica that leads, as soon as one does."""
    return waiting.until(lambda: leader_of(coordinators), seconds, "a replica that leads")


def executed_slots(coordinators):
    """The last slot that each replica has executed; None for one that does not answer."""
    return [told and told.counters["executed_slot"] for told in of(coordinators)]


def wait_until_equal(coordinators, seconds=EQUAL_SECONDS):
    """Returns the executed slots when they are all the same, and the last ones when time is over."""
    slots = []

    def are_equal():
        slots[:] = executed_slots(coordinators)
        return None not in slots and len(set(slots)) == 1

    try:
        waiting.until(are_equal, seconds, "replicas that have executed the same")
    except HarnessError:
        pass
    return slots


def _ballot(text):
    return [int(part) for part in text.split(".") if part.isdigit()]
