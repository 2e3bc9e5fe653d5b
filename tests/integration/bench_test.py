"""The command integration/bench, on clusters of its own with the programs of this build."""

import json
import subprocess
import unittest

import fixtures
from harness import flat_bench, log_bench, repository


class Bench(fixtures.DirectoryTest):
    """One short turn: the figures say nothing, but they are all there."""

    def run_command(self, *arguments):
        return subprocess.run(
            [repository.ROOT / "integration" / "bench", *map(str, arguments)],
            capture_output=True, text=True, timeout=120, check=False)

    def test_the_log_alone_has_its_figures(self):
        report = self.directory / "log.json"
        done = self.run_command("log", "--build-dir", fixtures.BUILD_DIRECTORY, "--replicas", "1,3",
                                "--clients", "1,8", "--turns", 1, "--seconds", 0.5, "--json", report)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        rows = json.loads(report.read_text(encoding="utf-8"))
        self.assertEqual([(row["replicas"], row["clients"]) for row in rows],
                         [(1, 1), (1, 8), (3, 1), (3, 8)])
        for row in rows:
            with self.subTest(replicas=row["replicas"], clients=row["clients"]):
                self.assertGreater(row["rate"][0], 0)
                self.assertGreaterEqual(row["p99"][0], row["p50"][0])
                self.assertGreater(row["leader_us"][0], 0)
                self.assertEqual(row["follower_us"][0] > 0, row["replicas"] > 1)
                self.assertGreater(row["per_flush"][0], 0)

    def test_what_replicas_hold_has_its_figures(self):
        report = self.directory / "flat.json"
        self.run_command("flat", "--build-dir", fixtures.BUILD_DIRECTORY, "--rounds", 3,
                         "--decisions", 2_000, "--snapshot-log-bytes", 65_536, "--json", report)
        rows = json.loads(report.read_text(encoding="utf-8"))
        self.assertEqual([row["decided"] for row in rows], [2_000, 4_000, 6_000])
        for row in rows:
            with self.subTest(decided=row["decided"]):
                for figure in ("rate", "memory", "disk", "log", "snapshot", "retained", "pause_ms"):
                    self.assertGreater(row[figure], 0, figure)

    def test_what_cannot_be_measured_is_refused_by_name(self):
        done = self.run_command("log", "--clients", "many")
        self.assertEqual(done.returncode, 2)
        self.assertIn("--clients", done.stderr)


class Figures(unittest.TestCase):
    """Of several turns."""

    def test_are_the_median_the_lowest_and_the_highest(self):
        turns = [log_bench.Sample(rate, 1, 2, 3, 4, 5) for rate in (30, 10, 20)]

        self.assertEqual(log_bench.summarize(turns)["rate"], (20, 10, 30))


class Growth(unittest.TestCase):
    """Of what replicas hold, over many rounds."""

    @staticmethod
    def rows(memory, disk=100):
        return [{"decided": 100 * number, "memory": held, "disk": disk}
                for number, held in enumerate(memory, 1)]

    def test_is_none_when_what_is_held_goes_up_and_down(self):
        self.assertEqual(flat_bench.growth(self.rows([50, 100, 90, 110, 80, 124])), [])

    def test_is_told_with_the_round(self):
        told, = flat_bench.growth(self.rows([50, 100, 90, 110, 126]))
        self.assertIn("After 500 decisions a replica holds 126 bytes of memory", told)


if __name__ == "__main__":
    unittest.main()
