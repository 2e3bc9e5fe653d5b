"""The crash matrix: its cells, its table in docs/failures.md, its victims, and a slice of it."""

import collections
import contextlib
import signal
import socket
import subprocess
import unittest

import crash_commands_test
import fixtures  # noqa: F401 (the harness's path)
from harness import client_process, crash_cells, crash_table, processes, severing
from harness.crash_lane import Shown
from harness.crash_matrix_command import DOCUMENT
from harness.errors import HarnessError

CELLS = crash_cells.CELLS


class Cells(unittest.TestCase):
    """The matrix as data."""

    def test_every_step_has_everybody_and_every_way(self):
        self.assertEqual(len(CELLS), len(crash_cells.STEPS) * len(crash_cells.VICTIMS)
                         * len(crash_cells.WAYS))
        self.assertEqual(len({cell.name for cell in CELLS}), len(CELLS))

    def test_what_is_guaranteed_is_said_of_every_phase(self):
        strokes = {(victim, stroke) for victim in crash_cells.VICTIMS
                   for _, stroke in crash_cells.WAYS.values()}
        self.assertEqual(set(crash_cells.GUARANTEES), strokes)
        for letters in crash_cells.GUARANTEES.values():
            self.assertEqual(len(letters), len(crash_cells.Phase))
            self.assertLessEqual(set(letters), {*crash_cells.OUTCOMES, "-"})
        for cell in CELLS:
            if not cell.trial.impossible:
                self.assertIn(cell.trial.guaranteed, crash_cells.OUTCOMES, cell.name)

    # What cannot happen is said of clients and backends only: all others are always there.
    def test_what_cannot_happen_says_why(self):
        impossible = [cell for cell in CELLS if cell.trial.impossible]
        self.assertTrue(impossible)
        for cell in impossible:
            self.assertIn(cell.victim, (crash_cells.CLIENT, crash_cells.BACKEND), cell.name)
            self.assertIn(cell.trial.impossible, crash_table.ALL_REASONS)

    def test_the_slice_has_everybody_every_stroke_and_every_scenario(self):
        chosen = [cell for cell in CELLS if cell.name in crash_cells.QUICK]
        self.assertEqual(len(chosen), len(crash_cells.QUICK))
        self.assertFalse([cell.name for cell in chosen if cell.trial.impossible])
        self.assertEqual({cell.victim for cell in chosen}, set(crash_cells.VICTIMS))
        self.assertEqual({cell.way for cell in chosen}, set(crash_cells.WAYS))
        self.assertEqual({cell.step.scenario for cell in chosen}, set(crash_cells.SCENARIOS))


class Table(unittest.TestCase):
    """The table, and the one in the document."""

    def test_the_document_has_the_cells_that_the_code_has(self):
        written = crash_table.written_in(DOCUMENT.read_text(encoding="utf-8"))
        self.assertEqual(list(written), [cell.name for cell in CELLS])
        for cell in CELLS:
            self.assert_says(written[cell.name], crash_table.promised(cell), cell.name)

    def test_the_document_has_a_run_of_all_of_them(self):
        written = crash_table.written_in(DOCUMENT.read_text(encoding="utf-8"))
        self.assertFalse([name for name, text in written.items()
                          if "not run" in text or "FAILED" in text])

    def test_the_document_has_the_reasons_that_the_code_has(self):
        text = DOCUMENT.read_text(encoding="utf-8")
        for number, reason in enumerate(crash_table.ALL_REASONS, 1):
            self.assertIn(f"\n{number}. {reason}\n", text)

    def test_what_is_put_into_a_document_is_found_there(self):
        cell = next(cell for cell in CELLS if cell.trial.guaranteed == "E" and not cell.trial.impossible)
        held = Shown(cell.trial, "aborted", 0.1, [0.08, 1.5], [], 1.0)
        document = crash_table.put_into(
            f"head\n{crash_table.BEGIN}\nold\n{crash_table.END}\ntail\n",
            crash_table.markdown(CELLS, {cell.trial: held}, "facts"))

        written = crash_table.written_in(document)
        self.assertEqual(list(written), [each.name for each in CELLS])
        self.assertEqual(written[cell.name], "either: aborted, 1.5 s")
        self.assertTrue(document.startswith("head\n") and document.endswith("\ntail\n"))
        self.assertNotIn("\nold\n", document)

    def test_a_trial_that_failed_is_seen_in_its_cell(self):
        cell = CELLS[0]
        broken = Shown(cell.trial, "committed", 0.1, [], ["The outcome is committed."], 1.0)
        self.assertIn("FAILED", crash_table.text_of(cell, broken))
        self.assertIn("not run", crash_table.text_of(cell, None))

    def test_a_document_without_the_markers_is_refused(self):
        for document in ("", crash_table.BEGIN, 2 * (crash_table.BEGIN + crash_table.END)):
            with self.assertRaises(HarnessError):
                crash_table.put_into(document, "table")

    def assert_says(self, text, promised, name):
        """The cell begins with it, and does not go on as another word."""
        self.assertTrue(text == promised or text.startswith((f"{promised},", f"{promised}:")),
                        f"{name}: {text}, where the code says {promised}")


class Victims(unittest.TestCase):
    """What strikes a process from outside."""

    # The line that was written before is still read, and then the end.
    @unittest.skipUnless(severing.is_permitted(), severing.REMEDY)
    def test_severed_is_what_is_connected_and_nothing_else(self):
        with contextlib.ExitStack() as stack:
            listening = stack.enter_context(socket.create_server(("127.0.0.1", 0)))
            near = stack.enter_context(socket.create_connection(listening.getsockname()))
            far = stack.enter_context(listening.accept()[0])
            child = subprocess.Popen(["sleep", "60"], pass_fds=[far.fileno(), listening.fileno()])
            stack.callback(lambda: (child.kill(), child.wait()))
            identity = processes.identify(child.pid)
            processes.send(identity, signal.SIGSTOP)
            far.sendall(b"last words")

            self.assertEqual(severing.sever(identity, severing.leads_to("/nowhere")), 0)
            self.assertEqual(severing.sever(identity, severing.is_tcp), 1)
            self.assertEqual(near.recv(100), b"last words")
            self.assertEqual(near.recv(100), b"")
            with socket.create_connection(listening.getsockname()):
                pass

    def test_a_client_that_is_killed_is_gone(self):
        client = client_process.ClientProcess()
        self.addCleanup(client.kill)
        client.begin(collections.Counter(), "update", "aab")
        changed, why = client.answer()
        self.assertEqual((changed, why), (collections.Counter(a=2, b=1), ""))
        client.begin(changed, "update", 5)
        self.assertIn("TypeError", client.answer()[1])

        client.kill()
        client.begin(changed, "update", "a")
        with self.assertRaises(client_process.Gone):
            client.answer()


class CrashMatrix(crash_commands_test.CrashCommand):
    """A slice of the matrix with real processes."""

    # How long it may take is measured elsewhere: here others use the machine as well.
    def test_every_cell_of_the_slice_holds(self):
        chosen = [name for name in crash_cells.QUICK
                  if severing.is_permitted() or not name.endswith("connection-lost")]
        done = self.run_command("crash_matrix", *[word for name in chosen for word in ("--only", name)],
                                "--lanes", 2, "--stop", 3, "--in-doubt-max", 30_000)

        self.assert_passed(done)
        for name in chosen:
            self.assertIn(f"`{name.rpartition('/')[0]}`", done.stdout)

    def test_a_branch_that_is_in_doubt_for_too_long_is_a_failure(self):
        done = self.run_command("crash_matrix", "--in-doubt-max", -1,
                                "--only", "commit/10-decision-executed/leader/crash-after")

        self.assert_failed(done, "A branch was in doubt for")


if __name__ == "__main__":
    unittest.main()
