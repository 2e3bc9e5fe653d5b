"""The command integration/latency, on a cluster of its own with the programs of this build."""

import json
import subprocess
import unittest

import fixtures
from harness import latency_command, repository


class Latency(fixtures.DirectoryTest):
    """One short turn: the figures say nothing, but they are all there."""

    def test_every_way_to_commit_has_its_figures(self):
        report = self.directory / "latency.json"
        done = subprocess.run(
            [repository.ROOT / "integration" / "latency", "--build-dir", fixtures.BUILD_DIRECTORY,
             "--turns", "1", "--seconds", "0.5", "--json", report],
            capture_output=True, text=True, timeout=120, check=False)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        rows = json.loads(report.read_text(encoding="utf-8"))
        self.assertEqual(list(rows), list(latency_command.WAYS))
        for way, row in rows.items():
            with self.subTest(way):
                self.assertGreater(row["p50"][0], 0)
                self.assertGreaterEqual(row["p99"][0], row["p50"][0])
        self.assertEqual(rows[latency_command.FIRST]["ratio"], [1, 1, 1])


if __name__ == "__main__":
    unittest.main()
