"""What a figure was measured on: the machine, and the build of the programs."""

import os
import pathlib
import re
import subprocess

from . import repository


def describe():
    """The machine in one sentence."""
    cpu = re.search(r"^model name\s*: (.*)$", _read("/proc/cpuinfo"), re.MULTILINE)
    memory = int(re.search(r"^MemTotal:\s*(\d+)", _read("/proc/meminfo"), re.MULTILINE)[1])
    kernel = os.uname().release
    return (f"{os.cpu_count()} processors ({cpu[1] if cpu else os.uname().machine}),"
            f" {memory / 2**20:.0f} GiB, Linux {kernel}")


def load():
    """How many processes wanted to run over the last minute: nearly none, or the figures are noise."""
    return os.getloadavg()[0]


def describe_build(bin_directory):
    """CMake's build type, and the commit where there is one."""
    cache = bin_directory.parent / "CMakeCache.txt"
    kind = re.search(r"^CMAKE_BUILD_TYPE:\w+=(.*)$", _read(cache), re.MULTILINE) \
        if cache.exists() else None
    return f"{kind[1] if kind else 'unknown'} build of {_commit()}"


def _commit():
    done = subprocess.run(["git", "-C", repository.ROOT, "describe", "--always", "--dirty"],
                          capture_output=True, text=True, check=False)
    return f"commit {done.stdout.strip()}" if done.returncode == 0 else "an unknown commit"


def _read(path):
    return pathlib.Path(path).read_text(encoding="utf-8", errors="replace")
