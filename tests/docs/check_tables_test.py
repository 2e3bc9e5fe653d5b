"""The check of the pages' tables finds what it is there to find."""

import pathlib
import tempfile
import unittest

import check_tables

PAGE = """
| # | fact | tests |
|---|---|---|
| 1 | water is wet | `Water.IsWet` `Sea.test_is_salt` |
| 2 | {0} | {1} |

| other | table |
|---|---|
| not | checked |
"""
EXISTING = {"Water.IsWet", "Sea.test_is_salt"}


class CheckTables(unittest.TestCase):
    """Pages and sources that are made here."""

    def problems(self, fact, tests):
        return list(check_tables.problems(PAGE.format(fact, tests), EXISTING))

    def test_good_page_has_no_problem(self):
        self.assertEqual(self.problems("it rains", "`Water.IsWet`"), [])

    def test_row_without_a_test(self):
        self.assertIn("no test is named for: 2", self.problems("it rains", "to come")[0])

    def test_name_without_a_test(self):
        self.assertIn("Water.IsDry", self.problems("it rains", "`Water.IsDry`")[0])

    def test_page_without_a_table(self):
        self.assertEqual(len(list(check_tables.problems("No table.", EXISTING))), 1)

    def test_sources_are_read_in_both_languages(self):
        with tempfile.TemporaryDirectory() as directory:
            pathlib.Path(directory, "a_test.cc").write_text(
                "TEST(Water, IsWet) {}\nTEST_F(Ice,\n       IsCold) {}\n", "utf-8")
            pathlib.Path(directory, "b_test.py").write_text(
                "class Sea(Base):\n    def test_is_salt(self):\n        pass\n", "utf-8")
            self.assertEqual(check_tables.tests_in(pathlib.Path(directory)),
                             {"Water.IsWet", "Ice.IsCold", "Sea.test_is_salt"})


if __name__ == "__main__":
    unittest.main()
