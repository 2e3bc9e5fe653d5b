"""One run of one system of the benchmark: what it did, and what it used."""

import json
import subprocess

from . import processes, usage
from .errors import HarnessError

START_SECONDS = 60


def run(bed, system, clients, seconds, warm_up, seed):
    """Measures one window; returns its figures by name, and checks the sum of all balances."""
    group = bed.group(system.replicas)
    bed.checkpoint()
    leader = group.made.leader() if group.made else None
    report, used, stolen = _measure(bed, system, group, leader, [
        "--clients", clients, "--seconds", seconds, "--warm-up", warm_up, "--seed", seed])
    if leader is not None and group.made.leader() is not leader:
        raise HarnessError("Another replica came to lead during a run: its figures mean nothing.")
    bed.settle(group)
    return _figures(report, used, stolen)


def _measure(bed, system, group, leader, words):
    path = bed.directory / "measured.json"
    command = [bed.bin_directory / "assent-bench", "measure", *system.words(group, bed.directory),
               *words, "--step", "--json", path]
    process = subprocess.Popen(
        [str(word) for word in command], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        cwd="/", env=processes.clean_environment(), start_new_session=True)
    try:
        _expect(process, "warm")
        before, ticks_before = _look(bed, group, leader, process.pid), usage.machine()
        _go_on(process)
        _expect(process, "measured")
        after, ticks_after = _look(bed, group, leader, process.pid), usage.machine()
        _go_on(process)
        process.stdout.read()
        if process.wait(START_SECONDS) != 0:
            raise HarnessError(f"assent-bench measure failed with exit code {process.returncode}.")
    finally:
        process.kill()
        process.wait()
    used = {name: usage.between(before[name], after[name]) for name in before}
    stolen, ticks = (late - early for early, late in zip(ticks_before, ticks_after))
    return json.loads(path.read_text(encoding="utf-8")), used, stolen / max(ticks, 1)


def _expect(process, word):
    line = process.stdout.readline().strip()
    if line != word:
        raise HarnessError(f"assent-bench measure said \"{line}\" instead of \"{word}\".")


def _go_on(process):
    process.stdin.write("\n")
    process.stdin.flush()


def _look(bed, group, leader, client):
    """A Look at each group of processes that has a part in the run, by its name."""
    looks = {server.name: usage.look([], root=server.identity.pid) for server in bed.servers}
    looks["client"] = usage.look([client])
    if group.made is None:
        return looks
    followers = [each for each in group.made.coordinators if each is not leader]
    looks["leader"] = usage.look([leader.identity.pid])
    looks |= {f"follower-{number}": usage.look([each.identity.pid])
              for number, each in enumerate(followers, 1)}
    return looks | {each.name: usage.look([each.identity.pid]) for each in group.made.agents}


def _figures(report, used, stolen):
    done = report["committed"]
    if done == 0:
        raise HarnessError(f"Nothing was committed: {report['errors']}.")
    ours = [name for name in used if name != "client" and not name.startswith("postgres")]
    cpu = {name: each.cpu_us / done for name, each in used.items()}
    return {
        "rate": done / report["seconds"],
        **{name: report["latency_ms"][name] for name in ("p50", "p95", "p99", "p99_9", "max")},
        "cpu_us": cpu,
        "cpu_us_postgres": sum(cost for name, cost in cpu.items() if name.startswith("postgres")),
        "cpu_us_ours": sum(cpu[name] for name in ours),
        "cpu_us_client": cpu["client"],
        "cpu_us_all": sum(cpu.values()),
        "switches": {name: each.switches / done for name, each in used.items()},
        "switches_all": sum(each.switches for each in used.values()) / done,
        "commits_per_flush": report["commits_per_flush"],
        "flushes": report["counters"].get("log_flushes", 0) / done,
        "failed": report["aborted"] + report["unknown"],
        "errors": report["errors"],
        "counters": report["counters"],
        "steal": stolen,
    }
