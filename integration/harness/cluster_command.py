"""The command integration/cluster: a local cluster that stays up."""

import argparse
import getpass
import json
import sys

from . import cluster, interrupts, postgres, processes, repository, status
from .cluster import RECORD
from .errors import HarnessError

EXIT_NOT_RUNNING = 3

EPILOG = """\
The servers trust every local user, on their sockets and on loopback: a cluster to play and test
with. D/cluster.json has the ports, sockets, logs and pids.
Exit codes: 0 done, 1 not (a sentence says why), 2 usage, 3 status: something does not run."""


def main(arguments):
    """Runs the command; returns its exit code."""
    options = _parse(arguments)
    interrupts.raise_on_signals()
    try:
        return options.action(options)
    except HarnessError as error:
        print(f"cluster: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("cluster: interrupted", file=sys.stderr)
        return 130


def _parse(arguments):
    parser = argparse.ArgumentParser(
        prog="integration/cluster", description="A local cluster of Assent over PostgreSQL.",
        epilog=EPILOG, formatter_class=argparse.RawDescriptionHelpFormatter)
    actions = parser.add_subparsers(required=True, metavar="up|down|status")
    _add_up(actions.add_parser("up", help="start a cluster; builds what is not built yet"))
    _add_down(actions.add_parser("down", help="stop it and remove its directory"))
    _add_status(actions.add_parser("status", help="what runs, and where"))
    return parser.parse_args(arguments)


def _add_up(parser):
    _add_directory(parser)
    repository.add_replicas_option(parser)
    parser.add_argument("--databases", type=int, default=2, metavar="N",
                        help="PostgreSQL servers, each with an agent: db1, db2 ... (default: 2)")
    parser.add_argument("--name", default="local", help="the cluster's name (default: local)")
    repository.add_build_options(parser)
    parser.set_defaults(action=_up)


def _add_down(parser):
    _add_directory(parser)
    parser.add_argument("--keep", action="store_true", help="leave data and logs on the disk")
    parser.set_defaults(action=_down)


def _add_status(parser):
    _add_directory(parser)
    parser.add_argument("--json", action="store_true", help="cluster.json and what runs of it")
    parser.set_defaults(action=_status)


def _add_directory(parser):
    default = f"/tmp/assent-{getpass.getuser()}"
    parser.add_argument("--dir", default=default, metavar="D",
                        help=f"the cluster's directory (default: {default})")


def _up(options):
    _check_sizes(options)
    bin_directory = repository.bin_directory(options)
    if repository.missing_programs(bin_directory) or not postgres.BIN.exists():
        repository.build_programs(options)
    made = cluster.up(options.dir, options.name, options.databases, bin_directory,
                      say=lambda step: print(f"starting: {step}", flush=True),
                      replicas=options.replicas)
    print(f"The cluster is up; {made.directory}/{RECORD} describes it.")
    _print_entries(made)
    return 0


def _check_sizes(options):
    if not 1 <= options.databases <= 16:
        raise HarnessError("--databases must be from 1 to 16.")


def _down(options):
    found = cluster.load(options.dir)
    with interrupts.ignored():
        problems = found.down(keep=options.keep)
    for problem in problems:
        print(f"cluster: {problem}", file=sys.stderr)
    if problems:
        print(f"cluster: all is stopped; data and logs stay in {found.directory} until the next"
              " `down`", file=sys.stderr)
        return 1
    print("The cluster is down: no process and no prepared transaction is left.")
    return 0


def _status(options):
    found = cluster.load(options.dir)
    if options.json:
        print(json.dumps(_status_json(found), indent=2))
    else:
        _print_entries(found)
    return 0 if all(service.is_running() for service in found.services()) else EXIT_NOT_RUNNING


def _status_json(found):
    told = found.to_json()
    roles = _roles(found)
    for entry, service in zip(told["processes"], found.services()):
        entry["running"] = service.is_running()
        entry["cpu_seconds"] = processes.cpu_seconds(service.identity) if service.identity else 0
        if service.name in roles:
            entry["role"] = roles[service.name]
    prepared = found.prepared_transactions()
    for entry, server in zip(told["databases"], found.servers):
        entry["prepared_transactions"] = prepared[server.name]
    return told


def _roles(found):
    """For each replica of the coordinator that runs what it says of itself, by its name."""
    running = [each for each in found.coordinators if each.is_running()]
    return {each.name: told.facts["role"] if told else "silent"
            for each, told in zip(running, status.of(running))}


def _print_entries(found):
    prepared = found.prepared_transactions()
    roles = _roles(found)
    for service in found.services():
        state = f"pid {service.identity.pid}" if service.is_running() else "not running"
        numbers = "  ".join(f"{role} {number}" for role, number in service.ports.items())
        left = prepared.get(service.name)
        extra = "" if left is None else f"  prepared transactions {len(left)}"
        extra += f"  {roles[service.name]}" if service.name in roles else ""
        print(f"  {service.name:<15} {state:<13} {numbers}{extra}")
    for server in found.servers:
        print(f"  {_psql(server)}")


def _psql(server):
    return (f"psql -h {server.directory} -p {server.port} -U {postgres.SUPERUSER}"
            f" -d {server.database}")
