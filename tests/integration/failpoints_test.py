"""Every failpoint stands in a shell, and is the step of a command that crashes there."""

import pathlib
import re
import unittest

import fixtures  # noqa: F401 (the harness's path)
from harness import agent_steps_command, by_hand_command, crash_cells, leader_steps_command, repository

LIST = repository.ROOT / "runtime" / "failpoint.h"
SHELLS = ("coordinator/server", "participant/postgres", "participant/server", "runtime/rpc")


def listed():
    """The names of the list."""
    text = LIST.read_text(encoding="utf-8")
    found = re.search(r"kFailpoints = \{(.*?)\};", text, re.DOTALL)[1]
    return set(re.findall(r'^ +"([^"]+)"', found, re.MULTILINE))


def called():
    """The names that the shells' sources pass."""
    sources = [path for shell in SHELLS for path in (pathlib.Path(repository.ROOT) / shell).glob("*.cc")]
    return {name for path in sources
            for name in re.findall(r'failpoint\("([^"]+)"\)', path.read_text(encoding="utf-8"))}


def crashed_at():
    """The names at which a command has a process die or stand still, or that lead there."""
    steps = [*leader_steps_command.STEPS, *agent_steps_command.STEPS]
    paths = [step.path for step in steps]
    paths += [path for cell in crash_cells.CELLS
              for path in (cell.trial.moment.path, cell.trial.moment.first) if path]
    paths += [by_hand_command.VOTED, by_hand_command.TOLD, by_hand_command.DECIDED]
    return {name for path in paths for name in path.partition(":")[0].split(",")}


class Failpoints(unittest.TestCase):
    """The list, the sources and the commands."""

    def test_each_is_called_and_crashed_at(self):
        self.assertGreater(len(listed()), 20)
        self.assertEqual(called(), listed())
        self.assertEqual(crashed_at(), listed())

    def test_what_is_run_in_a_hurry_is_a_step(self):
        for command in (leader_steps_command, agent_steps_command):
            self.assertEqual({(step.kind, step.path) for step in command.STEPS if step.quick},
                             command.QUICK)


if __name__ == "__main__":
    unittest.main()
