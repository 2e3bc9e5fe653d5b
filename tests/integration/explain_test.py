"""What `assentctl explain` says in situations made by real processes, and how it is compared."""

import subprocess
import unittest

import fixtures
from harness import explain_command, repository

SECONDS = 280


class Explain(unittest.TestCase):
    """The command as anyone runs it."""

    def test_says_what_is_kept(self):
        done = subprocess.run(
            [repository.ROOT / "integration" / "explain", "--build-dir", fixtures.BUILD_DIRECTORY],
            capture_output=True, text=True, timeout=SECONDS, check=False)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        self.assertIn("17 of 17 explanations are as they are kept", done.stdout)


class Normalised(unittest.TestCase):
    """What changes from run to run is taken out, and nothing else."""

    def test_ids_times_and_numbers(self):
        text = ("01a21950-803a-7a88-87d6-c6b3e5716c47-87cfc25787b1e681\n"
                "  2026-11-26T19:23:55.834Z  db1     db1/3.14 was prepared, xid 740, in slot 12\n"
                "in 29 s at the latest, or 3 min 5 s\n")
        self.assertEqual(explain_command.normalised(text),
                         "TRANSACTION\n"
                         "  TIME  db1  db1/E.A was prepared, xid N, in slot N\n"
                         "in DURATION at the latest, or DURATION\n")

    def test_paragraphs_are_one_line(self):
        self.assertEqual(explain_command.normalised("why   It was\n      lost.\n"), "why  It was lost.\n")

    def test_another_sentence_is_a_difference(self):
        golden = (explain_command.GOLDEN / "unknown.txt").read_text(encoding="utf-8")
        self.assertEqual(explain_command.difference("unknown", golden), "")
        self.assertIn("+", explain_command.difference("unknown", golden.replace("Nothing", "Something")))

    def test_events_of_one_moment_may_come_in_either_order(self):
        golden = (explain_command.GOLDEN / "client-gone.txt").read_text(encoding="utf-8")
        lines = golden.splitlines()
        opened = [number for number, line in enumerate(lines) if "was opened" in line]
        lines[opened[0]], lines[opened[1]] = lines[opened[1]], lines[opened[0]]
        self.assertEqual(explain_command.difference("client-gone", "\n".join(lines) + "\n"), "")


if __name__ == "__main__":
    unittest.main()
