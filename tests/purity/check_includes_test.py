#!/usr/bin/python3
"""Proves that check_includes.py can fail, and that it does not cry wolf."""

import pathlib
import subprocess
import sys
import tempfile
import unittest

CHECK = pathlib.Path(__file__).with_name("check_includes.py")


def verdict(sources: dict[str, str], folders: list[str]) -> tuple[int, str]:
    with tempfile.TemporaryDirectory() as directory:
        root = pathlib.Path(directory)
        for name, text in sources.items():
            (root / name).parent.mkdir(parents=True, exist_ok=True)
            (root / name).write_text(text, encoding="utf-8")
        run = subprocess.run(
            [sys.executable, CHECK, root, *folders], capture_output=True, text=True, check=False)
        return run.returncode, run.stdout


class CheckIncludes(unittest.TestCase):
    def refuses(self, include: str, name: str = "core/a.cc"):
        code, text = verdict({name: f"int a;\n{include}\n"}, ["core"])
        self.assertEqual(code, 1, include)
        self.assertIn(f"{name}:2: ", text)

    def test_impure_standard_headers_are_refused(self):
        for header in ("thread", "mutex", "chrono", "random", "fstream", "iostream", "atomic",
                       "future", "condition_variable", "ctime", "filesystem", "time.h", "unistd.h",
                       "cstdio", "cstdlib"):
            self.refuses(f"#include <{header}>")

    def test_libraries_with_io_are_refused(self):
        for header in ("boost/asio.hpp", "boost/log/trivial.hpp", "thrift/Thrift.h", "libpq-fe.h"):
            self.refuses(f"#include <{header}>")

    def test_headers_of_impure_folders_are_refused(self):
        self.refuses('#include "runtime/logging.h"')
        self.refuses('#include "core/../runtime/logging.h"')
        self.refuses('#include "logging.h"')

    def test_spelling_hides_nothing(self):
        self.refuses("  #  include<thread>")
        self.refuses("#include <thread>  // only a little")
        self.refuses("#include HEADER")
        self.refuses("#include <thread>", "core/deeper/a.h")

    def test_a_missing_folder_is_an_error(self):
        self.assertEqual(verdict({}, ["core"])[0], 1)

    def test_pure_sources_pass(self):
        code, text = verdict(
            {"core/a.cc": '#include "core/a.h"\n#include <xxhash.h>\n#include <vector>\n',
             "core/a.h": '#include "base/ids.h"\n#include <tl/expected.hpp>\n',
             "base/ids.h": "#include <string>\n// not <thread>\n",
             "shell/b.cc": "#include <thread>\n"},
            ["core", "base"])
        self.assertEqual((code, text), (0, ""))


if __name__ == "__main__":
    unittest.main()
