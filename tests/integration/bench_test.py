"""The command integration/bench, on clusters of its own with the programs of this build."""

import json
import subprocess
import unittest

import fixtures
from harness import (
    bench_page,
    bench_ratios,
    bench_table,
    etcd,
    flat_bench,
    log_bench,
    overload_bench,
    repository,
    soak_bench,
    svg,
)


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
        section, = json.loads(report.read_text(encoding="utf-8"))["sections"]
        rows = {(row["system"], row["clients"]): row for row in section["rows"]}
        logs = [("log-1", 1), ("log-1", 8), ("log-3", 1), ("log-3", 8)]
        beside = [] if etcd.missing() else [("etcd-3", 1), ("etcd-3", 8)]
        self.assertCountEqual(rows, logs + beside)
        for system, clients in beside:
            self.assertGreater(rows[system, clients]["rate"][0], 0)
            self.assertGreater(rows[system, clients]["follower_us"][0], 0)
        for row in (rows[each] for each in logs):
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
        for words in (("log", "--clients", "many"), ("transfers", "--systems", "floor,ceiling")):
            with self.subTest(words):
                done = self.run_command(*words)
                self.assertEqual(done.returncode, 2)
                self.assertIn(words[1], done.stderr)


class Transfers(fixtures.DirectoryTest):
    """One short turn of some systems of each kind, on a cluster of its own."""

    SYSTEMS = ("floor", "floor-steps-unix", "floor-log-unix", "one-shot-applied-r1",
               "interactive-decided-r1")

    def test_each_system_has_its_figures(self):
        path = self.directory / "transfers.json"
        done = subprocess.run(
            [repository.ROOT / "integration" / "bench", "transfers", "--build-dir",
             fixtures.BUILD_DIRECTORY, "--systems", ",".join(self.SYSTEMS), "--clients", "4",
             "--pairs", "1", "--seconds", "0.5", "--warm-up", "0.1", "--json", path],
            capture_output=True, text=True, timeout=200, check=False)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        report = json.loads(path.read_text(encoding="utf-8"))
        self.assertIn("processors", report["machine"])
        self.assertIn("build of commit", report["build"])
        self.assertGreaterEqual(report["load"], 0)
        section, = report["sections"]
        self.assertEqual([row["system"] for row in section["rows"]], list(self.SYSTEMS))
        for row in section["rows"]:
            with self.subTest(row["system"]):
                self.check(row)

    def check(self, row):
        for figure in ("rate", "p50", "cpu_us_postgres", "cpu_us_client", "switches_all"):
            self.assertGreater(row[figure][0], 0, figure)
        for lower, higher in (("p50", "p95"), ("p95", "p99"), ("p99", "p99_9")):
            self.assertLessEqual(row[lower][0], row[higher][0])
        self.assertEqual(row["failed"][0], 0, row["runs"])
        ours = row["system"].endswith("-r1")
        self.assertEqual(row["cpu_us_ours"][0] > 0, ours)
        processes = {"postgres-db1", "postgres-db2", "client"}
        self.assertEqual(set(row["cpu_us"]), processes | (
            {"leader", "agent-db1", "agent-db2"} if ours else set()))
        self.assertEqual(row["commits_per_flush"][0] > 0, ours or "-log" in row["system"])


class Ratios(unittest.TestCase):
    """Of figures of the same turns."""

    @staticmethod
    def runs(figure, *values):
        return [{figure: value} for value in values]

    def test_are_taken_turn_by_turn(self):
        turns = {("one-shot-applied", 32): self.runs("rate", 80, 100, 50),
                 ("floor", 32): self.runs("rate", 100, 200, 50)}
        told = bench_ratios.of(turns | {
            key: [{**{"cpu_us_ours": 351, "commits_per_flush": 4}, **run} for run in runs]
            for key, runs in turns.items()})

        self.assertEqual([each["value"] for each in told],
                         [(0.8, 0.5, 1), (351, 351, 351), (4, 4, 4)])
        self.assertEqual([each["reached"] for each in told], [False, False, True])

    def test_of_the_share_with_many_participants_leave_the_floor_out(self):
        turns = {("floor-unix-p2", 1): self.runs("p50", 1), ("floor-unix-p16", 1): self.runs("p50", 6),
                 ("one-shot-applied-p2", 1): self.runs("p50", 2),
                 ("one-shot-applied-p16", 1): self.runs("p50", 7.4)}
        told, = bench_ratios.of(turns)

        self.assertAlmostEqual(told["value"][0], 1.4)
        self.assertTrue(told["reached"])


class Overload(unittest.TestCase):
    """Of one turn."""

    def test_what_is_refused_for_good_is_told_apart(self):
        told = overload_bench.figures(1_000, {
            "transactions": 3_000, "sending_seconds": 1.0, "committed_in_time": 850,
            "reasons": {"OVERLOADED": 2_000, "SQL 40P01": 10, "DEADLINE": 60},
            "commit_ms": {"p50": 1, "p99": 2}, "refusal_ms": {"p50": 3, "p99": 4}})

        self.assertEqual(told["ratio"], 0.85)
        self.assertEqual(told["refused"], 0.67)
        self.assertEqual(told["other"], 0.02)


class Soak(unittest.TestCase):
    """What is held, minute by minute."""

    @staticmethod
    def rows(logs, prepared=3):
        return [{"minutes": at, "prepared": prepared, "log": held, "replica_memory": 9,
                 "agent_memory": 9, "replica_files": 9, "agent_files": 9}
                for at, held in enumerate(logs, 1)]

    def test_is_flat_when_the_end_is_as_the_second_quarter(self):
        self.assertEqual(soak_bench.problems(self.rows([1, 5, 8, 10, 9, 8, 12, 12])), [])

    def test_says_what_grew(self):
        told, = soak_bench.problems(self.rows([1, 5, 8, 10, 9, 8, 12, 13]))
        self.assertEqual(told, "log grew from 10 to 13.")

    def test_says_when_too_many_are_prepared(self):
        told, = soak_bench.problems(self.rows([1] * 3, 3) + self.rows([1], 201))
        self.assertIn("201 transactions are prepared", told)


class Pages(unittest.TestCase):
    """The pages say what the figures do."""

    def setUp(self):
        self.folder = repository.ROOT / "docs" / "benchmarks"
        text = (self.folder / bench_page.JSON).read_text(encoding="utf-8")
        self.report = json.loads(text)

    def test_the_page_and_the_chart_follow_from_the_figures(self):
        for name, made in ((bench_page.PAGE, bench_page.page), (bench_page.CHART, bench_page.chart)):
            with self.subTest(name):
                self.assertEqual((self.folder / name).read_text(encoding="utf-8"), made(self.report))

    def test_the_readme_has_the_table_of_the_last_written_run(self):
        readme = bench_page.README.read_text(encoding="utf-8")
        self.assertEqual(readme, bench_page.with_table(readme, self.report))
        self.assertIn(self.report["date"], readme)
        self.assertIn(self.report["machine"], readme)

    def test_ticks_are_round_and_reach_the_highest_value(self):
        self.assertEqual(svg.ticks(1_751), [0, 500, 1_000, 1_500, 2_000])
        self.assertEqual(svg.ticks(0.9), [0, 0.2, 0.4, 0.6000000000000001, 0.8, 1.0])


class Figures(unittest.TestCase):
    """Of several turns."""

    def test_are_the_median_the_lowest_and_the_highest(self):
        turns = [log_bench.Sample(rate, 1, 2, 3, 4, 5) for rate in (30, 10, 20)]

        self.assertEqual(log_bench.summarize(turns)["rate"], (20, 10, 30))

    def test_what_a_system_does_not_tell_is_not_known(self):
        turn = log_bench.Sample(1, 1, 2, 3, 4, per_flush=None)

        self.assertIsNone(log_bench.summarize([turn])["per_flush"])
        self.assertIn("| 7 |  |", bench_table.plain_table(
            {"rate": ("rate", "{:.0f}"), "per_flush": ("a flush", "{:.0f}")},
            [{"rate": 7, "per_flush": None}])[-1])


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
