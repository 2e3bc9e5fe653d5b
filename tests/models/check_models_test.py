"""The check of the models finds a model that is wrong, and a mutant that is not."""

import pathlib
import shutil
import sys
import tempfile
import unittest

import check_models
from check_models import Case

MODEL = """
byte x = 1;
active proctype only() {
#ifdef BROKEN
  x = 2;
#endif
  x = x + 1;
  assert(x == 2)
}
ltl small { [] (x < 3) }
"""


class CheckModels(unittest.TestCase):
    """A model of one assertion and one formula that is made here."""

    def setUp(self):
        scratch = tempfile.TemporaryDirectory()
        self.addCleanup(scratch.cleanup)
        self.models = pathlib.Path(scratch.name)
        self.write(MODEL)

    def write(self, model):
        (self.models / "model.pml").write_text(model, "utf-8")

    def problem(self, **case):
        return check_models.problem_of(self.models, Case("model.pml", **case))

    def test_a_model_holds_and_its_mutant_fails(self):
        self.assertEqual(self.problem(claim="small"), "")
        self.assertEqual(self.problem(claim="small", mutant="BROKEN"), "")

    def test_a_model_that_fails_is_a_problem(self):
        self.assertIn("must hold", self.problem(symbols=("BROKEN",), claim="small"))

    def test_a_mutant_that_holds_is_a_problem(self):
        self.assertIn("must fail", self.problem(claim="small", mutant="UNKNOWN"))

    def test_assertions_alone_are_looked_at(self):
        self.write(MODEL.partition("ltl")[0])
        self.assertEqual(self.problem(), "")
        self.assertIn("must hold", self.problem(symbols=("BROKEN",)))

    def test_a_model_that_cannot_be_read_is_a_problem(self):
        self.write("active proctype")
        self.assertIn("failed", self.problem(mutant="BROKEN"))

    def test_a_search_that_was_cut_short_is_a_problem(self):
        self.write("int x; active proctype up() { do :: x < 200000 -> x++ :: else -> break od }")
        self.assertIn("cut short", self.problem())

    def test_a_symbol_that_no_case_sets_is_a_problem(self):
        self.assertEqual(list(check_models.symbols_without_a_case(self.models, [])),
                         ["model.pml: no case sets BROKEN"])
        tried = [Case("model.pml", mutant="BROKEN")]
        self.assertEqual(list(check_models.symbols_without_a_case(self.models, tried)), [])

    def test_a_bound_has_a_value_without_a_case(self):
        self.write("#ifndef RESTARTS\n#define RESTARTS 1\n#endif\nactive proctype only() "
                   "{ assert(RESTARTS == 1) }")
        self.assertEqual(list(check_models.symbols_without_a_case(self.models, [])), [])
        self.assertEqual(self.problem(), "")
        self.assertIn("must hold", self.problem(symbols=("RESTARTS=0",)))


if __name__ == "__main__":
    if any(shutil.which(tool) is None for tool in check_models.TOOLS):
        sys.exit(check_models.SKIPPED)
    unittest.main()
