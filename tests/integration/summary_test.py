"""The demo fails for every reason for which it must."""

import contextlib
import dataclasses
import io
import types
import unittest
from unittest import mock

from harness import cpu, crowd, programs, summary
from harness.bank_run import Books
from harness.workload import PROGRESS, Result

GOOD = summary.Played(
    participants=["db1", "db2"],
    result=Result(committed=1000, aborted=1, unknown=0, heuristic=0, seconds=10.0, latency_p50=1.0,
                  latency_p99=2.0, longest_gap=900.0, commits_per_flush=2.0,
                  unknown_resolved={}, errors={}),
    one_shot=False,
    kill=summary.Kill("coordinator-1", was_at_work=True, down_seconds=1.1),
    cpu_seconds={"coordinator-1": 0.1},
    books=Books(before=[500, 500], after=[400, 600], prepared=[0, 0], settle_seconds=0.0,
                executed=[77, 77, 77]),
)


class Summary(unittest.TestCase):
    """The verdict on a run."""

    def problems(self, **changes):
        return summary.problems(dataclasses.replace(GOOD, **changes), min_commits=1000)

    def test_money_that_moved_is_no_problem(self):
        self.assertEqual(self.problems(), [])

    def problems_of_books(self, **changes):
        return self.problems(books=dataclasses.replace(GOOD.books, **changes))

    def test_lost_money_is(self):
        self.assertEqual(self.problems_of_books(after=[400, 599]),
                         ["The sum was 1000 and is 999."])

    def test_a_prepared_transaction_is(self):
        self.assertEqual(self.problems_of_books(prepared=[0, 1]),
                         ["1 prepared transactions are left."])

    def test_a_replica_that_has_executed_less_is(self):
        self.assertEqual(self.problems_of_books(executed=[77, 76, 77]),
                         ["The replicas have executed different slots: [77, 76, 77]."])

    def test_a_replica_that_does_not_answer_is(self):
        self.assertEqual(self.problems_of_books(executed=[77, 77, None]),
                         ["The replicas have executed different slots: [77, 77, None]."])

    def test_too_few_commits_are(self):
        few = dataclasses.replace(GOOD.result, committed=999)

        self.assertEqual(self.problems(result=few), ["999 transactions committed, expected 1000."])

    def test_a_kill_of_an_idle_process_is(self):
        idle = dataclasses.replace(GOOD.kill, was_at_work=False)

        self.assertEqual(self.problems(kill=idle),
                         ["coordinator-1 was not at work when it was to be killed."])

    def test_a_run_without_a_kill_can_be_good(self):
        self.assertEqual(self.problems(kill=None), [])


    def test_says_how_the_statements_travelled(self):
        for one_shot, word in ((False, "interactive"), (True, "one-shot")):
            with contextlib.redirect_stdout(io.StringIO()) as output:
                summary.show(dataclasses.replace(GOOD, one_shot=one_shot))

            self.assertRegex(output.getvalue(), rf"transactions +{word}")


class Parts(unittest.TestCase):
    """Small parts of the harness that need no process."""

    def test_cpu_of_all_lives_of_a_process_is_added(self):
        used = iter([1.0, 5.0, 2.0])  # at the start, when killed, at the end of the second life
        service = types.SimpleNamespace(name="agent-db1", identity=None)
        with mock.patch.object(cpu.processes, "cpu_seconds", lambda _identity: next(used)):
            meter = cpu.Meter([service])
            meter.life_ends(service)

            self.assertEqual(meter.seconds(), {"agent-db1": 4.0 + 2.0})

    def test_memory_of_a_crowd_is_shared_out(self):
        report = {"connections": 100, "transactions": 50, "committed": 47, "aborted": 2,
                  "refused": 1, "unanswered": 0}
        seen = crowd.Gathered(report, crowd.Usage(1000, 2), crowd.Usage(3000, 2),
                              crowd.Usage(3500, 2))

        self.assertEqual(seen.kilobytes_per_connection, 20)
        self.assertEqual(seen.kilobytes_per_transaction, 10)
        self.assertEqual(seen.answered, 50)

    def test_configuration_is_toml(self):
        text = programs.toml({"": {"replica": 1, "coordinators": ["a:1"]}, "log": {"level": "info"}})

        self.assertEqual(text, 'replica = 1\ncoordinators = ["a:1"]\n\n[log]\nlevel = "info"\n')

    def test_progress_lines_of_the_workload_are_understood(self):
        line = "   5.0 s     12345 committed       3 aborted     1 unknown     2469 tx/s"

        self.assertEqual(PROGRESS.match(line)[1], "12345")


if __name__ == "__main__":
    unittest.main()
