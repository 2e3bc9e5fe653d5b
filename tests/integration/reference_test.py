"""What is written about assentctl's verbs says what the program that was built says of itself."""

import ast
import importlib.machinery
import importlib.util
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile
import unittest

import fixtures
import shapes
from harness import repository

TESTS = pathlib.Path(__file__).resolve().parent
WRITER = repository.ROOT / "cli" / "reference"
PROGRAM = fixtures.BUILD_DIRECTORY / "bin" / "assentctl"
REWRITE = f"run: cli/reference {PROGRAM} cli"

# A test with real processes for each verb, which compares what it tells with its shape.
SHOWN_BY = {
    "status": "looking_test.Looking.test_status_of_a_whole_cluster",
    "participants": "looking_test.Looking.test_agent_that_cannot_be_reached_is_named",
    "participants add": "operating_test.Operating.test_a_participant_comes_and_goes_for_good",
    "participants drain":
        "operating_test.Operating.test_new_branches_are_refused_with_the_reason_wherever_they_begin",
    "participants resume":
        "operating_test.Operating.test_new_branches_are_refused_with_the_reason_wherever_they_begin",
    "participants remove": "operating_test.Operating.test_a_participant_comes_and_goes_for_good",
    "transactions": "looking_test.Looking.test_transaction_whose_participant_stands_still",
    "scan": "looking_test.Looking.test_scan_tells_strangers_and_foreign_ones",
    "explain": "looking_test.Looking.test_transaction_whose_participant_stands_still",
    "doctor": "looking_test.Looking.test_doctor_looks_at_everybody",
    "watch": "looking_test.Looking.test_watch_tells_rates",
    "backup": "restore_test.Restore.test_the_drill_of_the_operations_guide",
    "restore": "restore_test.Restore.test_the_drill_of_the_operations_guide",
    "resolve": "restore_test.Restore.test_the_drill_of_the_operations_guide",
    "heuristic list": "heuristic_test.ByHand.test_is_told_by_every_leader_until_it_is_forgotten",
    "heuristic forget": "heuristic_test.ByHand.test_is_told_by_every_leader_until_it_is_forgotten",
    "log dump":
        "rot_test.RottenLog.test_one_that_forgot_decides_nothing_and_is_repaired_by_who_knows",
    "log verify":
        "rot_test.RottenLog.test_one_that_forgot_decides_nothing_and_is_repaired_by_who_knows",
    "replica list": "operating_test.Operating.test_replicas_come_and_go_by_command",
    "replica add": "operating_test.Operating.test_replicas_come_and_go_by_command",
    "replica remove": "operating_test.Operating.test_replicas_come_and_go_by_command",
    "replica replace": "operating_test.Operating.test_replicas_come_and_go_by_command",
    "replica transfer-leader": "operating_test.Operating.test_replicas_come_and_go_by_command",
}


def writer():
    """The program that writes the manual and the completion, as a module."""
    loader = importlib.machinery.SourceFileLoader("reference", str(WRITER))
    module = importlib.util.module_from_spec(importlib.util.spec_from_loader("reference", loader))
    sys.modules["reference"] = module  # data classes look themselves up there
    loader.exec_module(module)
    return module


def source_of(name):
    """The text of a test's whole module, and of the test; None: there is no such test."""
    module, suite, test = name.split(".")
    text = (TESTS / f"{module}.py").read_text(encoding="utf-8")
    for node in ast.parse(text).body:
        if isinstance(node, ast.ClassDef) and node.name == suite:
            for each in node.body:
                if isinstance(each, ast.FunctionDef) and each.name == test:
                    return text, ast.get_source_segment(text, each)
    return text, None


class Reference(unittest.TestCase):
    """Every verb is written down, has a shape, and a test."""

    @classmethod
    def setUpClass(cls):
        cls.writer = writer()
        cls.root = cls.writer.tree(str(PROGRAM))
        cls.verbs = [each.name for each in cls.root.all() if each.words and each.runs()]

    def read(self, name):
        return (repository.ROOT / "cli" / name).read_text(encoding="utf-8")

    def test_the_verbs_are_found(self):
        for verb in ("status", "participants", "participants drain", "log dump"):
            self.assertIn(verb, self.verbs)
        self.assertNotIn("log", self.verbs, "it is nothing without a verb")

    def test_the_manual_is_that_of_the_program(self):
        self.assertEqual(self.read("assentctl.1"), self.writer.manual(self.root), REWRITE)

    def test_every_verb_and_option_stands_in_the_manual(self):
        page = self.read("assentctl.1").replace("\\-", "-")
        for verb in self.root.all():
            if verb.runs() and verb.words:
                self.assertIn(f".SS assentctl {verb.name}", page)
            for option in verb.options:
                for name in option.names:
                    if name not in ("-h", "--help") or not verb.words:
                        self.assertIn(f"\\fB{name}\\fR", page)

    @unittest.skipUnless(shutil.which("groff"), "groff is not installed")
    def test_the_manual_can_be_read(self):
        done = subprocess.run(["groff", "-man", "-ww", "-Tascii", repository.ROOT / "cli" / "assentctl.1"],
                              capture_output=True, text=True, timeout=60, check=False)
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        bold = re.compile(".\x08")  # each letter is struck twice
        self.assertIn("assentctl participants drain", bold.sub("", done.stdout))

    def test_the_completion_is_that_of_the_program(self):
        self.assertEqual(self.read("assentctl.bash"), self.writer.completion(self.root), REWRITE)

    def completed(self, *words):
        """What bash offers for the last word of a command line."""
        script = ('source "$1"; shift; COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _assentctl;'
                  ' printf "%s\\n" "${COMPREPLY[@]}"')
        done = subprocess.run(
            ["bash", "-c", script, "bash", repository.ROOT / "cli" / "assentctl.bash", "assentctl",
             *words], capture_output=True, text=True, timeout=60, check=True)
        return done.stdout.split()

    def test_bash_completes_verbs_and_options(self):
        self.assertEqual(self.completed("stat"), ["status"])
        self.assertEqual(self.completed("participants", "dr"), ["drain"])
        self.assertEqual(self.completed("--json", "participants", "--at", "a:1", "re"),
                         ["resume", "remove"])
        self.assertEqual(self.completed("participants", "drain", "db1", "--ti"), ["--timeout"])
        self.assertEqual(self.completed("replica", "replace", "2", "--b"), ["--by"])
        self.assertEqual(self.completed("resolve", "T", "--commit", "--y"), ["--yes"])
        self.assertEqual(self.completed("status", "--at", "st"), [], "a value is no verb")

    def test_every_verb_has_a_shape(self):
        self.assertEqual(sorted(shapes.promised()), sorted(self.verbs))

    def test_every_verb_has_a_test_with_real_processes(self):
        self.assertEqual(sorted(SHOWN_BY), sorted(self.verbs))
        for verb, test in SHOWN_BY.items():
            module, own = source_of(test)
            self.assertIsNotNone(own, f"there is no {test}")
            for word in verb.split():
                self.assertIn(word, module, f"{test} is no test of {verb}")
            self.assertTrue("import shapes" in module or "import verbs" in module,
                            f"{test} compares no shape")


class Installed(unittest.TestCase):
    """What `cmake --install` puts in place, but for the client library, works from there."""

    def test_programs_manual_completion_and_schema(self):
        with tempfile.TemporaryDirectory(prefix="assent-installed-", dir="/tmp") as directory:
            subprocess.run(["cmake", "--install", fixtures.BUILD_DIRECTORY, "--component",
                            "Unspecified", "--prefix", directory],
                           capture_output=True, timeout=100, check=True)
            root = pathlib.Path(directory)
            for program in ("assentctl", "assent-agent", "assent-coordinator"):
                said = subprocess.run([root / "bin" / program, "--version"], capture_output=True,
                                      text=True, timeout=60, check=True).stdout
                self.assertIn(program, said)
            for source, place in (("cli/assentctl.1", "share/man/man1/assentctl.1"),
                                  ("cli/assentctl.bash", "share/bash-completion/completions/assentctl")):
                self.assertEqual((root / place).read_bytes(), (repository.ROOT / source).read_bytes())
            sources = repository.ROOT / "participant" / "schema"
            self.assertEqual(sorted(each.name for each in (root / "share/assent/schema").iterdir()),
                             sorted(each.name for each in sources.iterdir()))


if __name__ == "__main__":
    unittest.main()
