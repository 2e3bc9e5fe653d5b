"""The clone that this file is in: its packages, its presets, its programs."""

import os
import pathlib
import subprocess

from .errors import HarnessError

ROOT = pathlib.Path(__file__).resolve().parents[2]
PROGRAMS = ("assent-coordinator", "assent-agent", "assent-bench", "assentctl")


def add_build_options(parser, preset="release"):
    """The options by which every command says whose programs it runs; by default of `preset`."""
    choice = parser.add_mutually_exclusive_group()
    choice.add_argument("--preset", default=preset, metavar="P",
                        help=f"run the programs of build/P (default: {preset})")
    choice.add_argument("--build-dir", type=pathlib.Path, metavar="DIR",
                        help="run the programs of this build as they are; nothing is built")


def add_replicas_option(parser):
    """The size of the coordinator's group."""
    parser.add_argument("--replicas", type=int, choices=(1, 3, 5), default=3, metavar="N",
                        help="replicas of the coordinator: 1, 3 or 5 (default: 3)")


def bin_directory(options):
    """Where the programs are that add_build_options() has chosen."""
    directory = options.build_dir or build_directory(options.preset)
    return directory.resolve() / "bin"


def missing_programs(directory):
    """The names of the programs that are not in this directory."""
    return [name for name in PROGRAMS if not (directory / name).exists()]


def build_programs(options):
    """Brings the programs of the chosen preset up to date; those of --build-dir must be there."""
    if options.build_dir is None:
        install_packages()
        configure(options.preset)
        build(options.preset, os.cpu_count(), PROGRAMS)
    missing = missing_programs(bin_directory(options))
    if missing:
        raise HarnessError(f"{bin_directory(options)} has no {', '.join(missing)}.")


def install_packages():
    """Installs what is missing of the Debian packages; returns at once when nothing is."""
    _require([ROOT / "integration" / "install-packages"], "The packages could not be installed.")


def build_directory(preset):
    """Where CMakePresets.json puts the build of a preset."""
    return ROOT / "build" / preset


def configure(preset):
    """Runs CMake for a preset."""
    _require(["cmake", "--preset", preset], f"CMake refused the preset {preset}.")


def build(preset, jobs, targets=()):
    """Builds some targets of a configured preset, all of them when none is named."""
    chosen = ["--target", *targets] if targets else []
    _require(["cmake", "--build", build_directory(preset), "--parallel", str(jobs), *chosen],
             f"The build of the preset {preset} failed.")


def bring_up_to_date(preset, target):
    """Configures a preset and builds one target of it; says so only when there is much to do."""
    if not (build_directory(preset) / "build.ninja").exists():
        configure(preset)
    _require(["cmake", "--build", build_directory(preset), "--target", target, "--", "--quiet"],
             f"The build of {target} failed.")


def test(preset, jobs):
    """Runs every test of a built preset; returns the exit code of ctest."""
    return _run(["ctest", "--test-dir", build_directory(preset), "--output-on-failure",
                 "--no-tests=error", "--parallel", jobs])


def _require(command, failure):
    """Runs a command whose failure is a HarnessError that begins with `failure`."""
    code = _run(command)
    if code != 0:
        raise HarnessError(f"{failure} (exit code {code})")


def _run(command):
    """Runs a command in the clone, its output on ours; returns its exit code."""
    words = [str(word) for word in command]
    try:
        return subprocess.run(words, cwd=ROOT, stdin=subprocess.DEVNULL, check=False).returncode
    except FileNotFoundError:
        raise HarnessError(f"There is no program {words[0]}.") from None
