#!/usr/bin/python3
"""Rejects impure includes in PURE folders.

A PURE folder has no IO, clock, thread, randomness or library that has. It may include the C++
headers named below, headers of itself and of other PURE folders, and the few libraries that are
pure themselves. Everything else is refused: a list of what is allowed cannot forget a header.

usage: check_includes.py ROOT FOLDER...     exit 0: all pure; 1: each impure include on a line
"""

import pathlib
import re
import sys

STANDARD = set("""
    algorithm array bit cctype charconv climits cmath compare concepts cstddef cstdint cstdio cstdlib
    cstring deque functional initializer_list iterator limits list map memory numeric optional queue
    set span sstream string string_view tuple type_traits unordered_map unordered_set utility variant
    vector
""".split())
LIBRARIES = {"tl/expected.hpp", "xxhash.h"}
# printf and abort are how a broken invariant ends the process: nobody else needs them.
ONLY_IN = {"cstdio": {"base/check.cc"}, "cstdlib": {"base/check.cc"}}

INCLUDE = re.compile(r"^\s*#\s*include\s*(.*)$")
ANGLE = re.compile(r"^<([^>]+)>")
QUOTED = re.compile(r'^"([^"]+)"')


def objection(name: str, include: str, folders: list[str]) -> str | None:
    """Why the file of that name must not include this; None when it may."""
    angle = ANGLE.match(include)
    if angle:
        header = angle.group(1)
        if header in ONLY_IN and name not in ONLY_IN[header]:
            return f"<{header}> is for {', '.join(sorted(ONLY_IN[header]))} only"
        return None if header in STANDARD | LIBRARIES else f"<{header}> is not on the list of pure headers"
    quoted = QUOTED.match(include)
    if not quoted:
        return f"{include} cannot be checked: name the header itself"
    path = pathlib.PurePosixPath(quoted.group(1))
    return None if str(path.parent) in folders else f'"{path}" is not of a PURE folder'


def impure_includes(root: pathlib.Path, folders: list[str]):
    for folder in folders:
        for file in sorted((root / folder).rglob("*")):
            if file.suffix not in {".h", ".cc"}:
                continue
            name = file.relative_to(root).as_posix()
            for number, line in enumerate(file.read_text(encoding="utf-8").splitlines(), 1):
                include = INCLUDE.match(line)
                why = objection(name, include.group(1), folders) if include else None
                if why:
                    yield f"{name}:{number}: {why}"


def main() -> int:
    root, folders = pathlib.Path(sys.argv[1]), sys.argv[2:]
    missing = [folder for folder in folders if not (root / folder).is_dir()]
    for folder in missing:
        print(f"{folder}: no such folder under {root}")
    impure = list(impure_includes(root, folders))
    for line in impure:
        print(line)
    return 1 if impure or missing else 0


if __name__ == "__main__":
    sys.exit(main())
