"""The command lines of the programs that serve, with the programs themselves."""

import os
import subprocess
import unittest

import fixtures

OK, FAILURE, USAGE = 0, 1, 2
CONFIGS = {
    "assent-coordinator": """cluster = "test"
data_directory = "{directory}/data"
[listen]
client = "127.0.0.1:1"
""",
    "assent-agent": """cluster = "test"
participant = "db1"
coordinators = ["127.0.0.1:1"]
[postgres]
socket = "{directory}"
database = "db1"
""",
}


class CommandLine(fixtures.DirectoryTest):
    """Each test is made for each program."""

    environment = {}  # added to that of the programs

    def run_program(self, program, *words):
        return subprocess.run([fixtures.BUILD_DIRECTORY / "bin" / program, *words],
                              env=os.environ | self.environment, capture_output=True, text=True,
                              timeout=30, check=False)

    def each_with(self, *words):
        """(program, what came of it) for every program, each in a subtest."""
        for program in CONFIGS:
            with self.subTest(program):
                yield program, self.run_program(program, *words)

    def each_configured(self, change=lambda text: text, *words):
        """The same with a configuration file, which `change` has changed; and the file's path."""
        for program, text in CONFIGS.items():
            with self.subTest(program):
                path = self.directory / f"{program}.toml"
                path.write_text(change(text.format(directory=self.directory)), encoding="utf-8")
                yield path, self.run_program(program, "--config", path, *words)

    def test_unknown_failpoint_is_refused(self):
        self.environment = {"ASSENT_FAILPOINT": "leader.nowhere"}
        for _, done in self.each_configured():
            self.assertEqual(done.returncode, USAGE)
            self.assertIn("there is no 'leader.nowhere'", done.stderr)

    def test_failpoint_whose_hits_nobody_would_see_is_refused(self):
        self.environment = {"ASSENT_FAILPOINT": "agent.prepared"}
        for _, done in self.each_configured():
            self.assertEqual(done.returncode, USAGE)
            # Of a build without failpoints, that it has none.
            self.assertRegex(done.stderr, "ASSENT_FAILPOINT_HITS|built without failpoints")

    def test_help_is_told_and_names_the_exit_codes(self):
        for program, done in self.each_with("--help"):
            self.assertEqual(done.returncode, OK)
            for word in (program, "--config", "--check-config", "Exit codes"):
                self.assertIn(word, done.stdout)

    def test_version_is_one_line_with_the_programs_name(self):
        for program, done in self.each_with("--version"):
            self.assertEqual(done.returncode, OK)
            self.assertRegex(done.stdout, rf"^{program} \d+\.\d+\.\d+\n$")

    def test_unknown_flag_is_named(self):
        for _, done in self.each_with("--config", "x", "--no-such-flag"):
            self.assertEqual(done.returncode, USAGE)
            self.assertIn("--no-such-flag", done.stderr)

    def test_missing_flag_is_named(self):
        for _, done in self.each_with():
            self.assertEqual(done.returncode, USAGE)
            self.assertIn("--config", done.stderr)

    def test_missing_file_is_named(self):
        for program, done in self.each_with("--config", "/nonexistent/file.toml"):
            self.assertEqual(done.returncode, USAGE)
            self.assertEqual(done.stderr, f"{program}: cannot read /nonexistent/file.toml:"
                                          " No such file or directory\n")

    def test_good_configuration_is_found_good_and_nothing_is_started(self):
        for _, done in self.each_configured(lambda text: text, "--check-config"):
            self.assertEqual(done.returncode, OK, done.stderr)
        self.assertFalse((self.directory / "data").exists())

    def test_unknown_key_is_named_with_file_and_line(self):
        for path, done in self.each_configured(lambda text: "\nclutser = 1\n" + text):
            self.assertEqual(done.returncode, USAGE)
            self.assertIn(f"{path}:2: unknown key clutser", done.stderr)

    def test_value_of_a_wrong_type_is_named_with_file_and_line(self):
        for path, done in self.each_configured(lambda text: text.replace('"test"', "7")):
            self.assertEqual(done.returncode, USAGE)
            self.assertIn(f"{path}:1: cluster is an integer, but must be a string", done.stderr)

    def test_missing_key_is_named(self):
        for path, done in self.each_configured(lambda text: text.replace('cluster = "test"', "")):
            self.assertEqual(done.returncode, USAGE)
            self.assertIn(f"{path}: cluster is missing or empty", done.stderr)

    def test_text_that_is_no_toml_is_named_with_its_line(self):
        for path, done in self.each_configured(lambda text: text + "= 1\n"):
            self.assertEqual(done.returncode, USAGE)
            self.assertRegex(done.stderr, rf"{path}:\d+: ")

    def test_port_that_cannot_be_bound_ends_a_coordinator(self):
        path = self.directory / "coordinator.toml"
        text = CONFIGS["assent-coordinator"].format(directory=self.directory)
        path.write_text(text.replace("127.0.0.1:1", "203.0.113.1:1"), encoding="utf-8")
        done = self.run_program("assent-coordinator", "--config", path)
        self.assertEqual(done.returncode, FAILURE, done.stderr)
        self.assertIn("203.0.113.1:1", done.stderr + done.stdout)


if __name__ == "__main__":
    unittest.main()
