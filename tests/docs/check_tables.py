"""Checks that the tables of a page keep their promise: every row names tests, and they exist.

usage: check_tables.py SOURCE_DIRECTORY PAGE...

A table whose last column is called "tests" is checked; all others are not. A name is `Suite.Name`
for GoogleTest and `Class.test_name` for Python.
"""

import pathlib
import re
import sys

NAME = re.compile(r"`(\w+)\.(\w+)`")
GTEST = re.compile(r"^TEST(?:_F|_P)?\(\s*(\w+)\s*,\s*(\w+)\s*\)", re.MULTILINE)
PYTHON = re.compile(r"^class (\w+)|^    def (test_\w+)", re.MULTILINE)


def tests_in(directory):
    """The names of all tests in the sources below a directory."""
    found = set()
    for path in directory.rglob("*_test.cc"):
        found |= {f"{suite}.{name}" for suite, name in GTEST.findall(path.read_text("utf-8"))}
    for path in directory.rglob("*_test.py"):
        suite = ""
        for begun, name in PYTHON.findall(path.read_text("utf-8")):
            suite = begun or suite
            if name:
                found.add(f"{suite}.{name}")
    return found


def rows_to_check(page):
    """(line number, cells) of every row of a table with a last column "tests"."""
    checked = False
    for number, line in enumerate(page.splitlines(), 1):
        if not line.startswith("|"):
            checked = False
            continue
        cells = [cell.strip() for cell in line.strip().strip("|").split("|")]
        if cells[-1] == "tests":
            checked = True
        elif checked and set(cells[-1]) != {"-"}:
            yield number, cells


def problems(page, existing):
    """What is wrong with a page, as sentences."""
    rows = list(rows_to_check(page))
    if not rows:
        yield "has no table whose last column is called tests"
    for number, cells in rows:
        names = [".".join(name) for name in NAME.findall(cells[-1])]
        if not names:
            yield f"line {number}: no test is named for: {cells[0]}"
        for name in names:
            if name not in existing:
                yield f"line {number}: there is no test {name}"


def main(source, *pages):
    """The exit code."""
    existing = tests_in(pathlib.Path(source, "tests"))
    wrong = [f"{page}: {problem}" for page in pages
             for problem in problems(pathlib.Path(source, page).read_text("utf-8"), existing)]
    print("\n".join(wrong) if wrong else f"{len(existing)} tests are there; all named ones among them")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
