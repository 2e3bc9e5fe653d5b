"""`python3 integration/harness COMMAND [ARGUMENT ...]`: what the executables start."""

import pathlib
import sys

# The package's folder, where Python starts, is not where its name is found.
sys.path[0] = str(pathlib.Path(__file__).resolve().parents[1])

from harness import (  # noqa: E402
    agent_steps_command,
    bench_command,
    by_hand_command,
    catch_up_command,
    cluster_command,
    crash_matrix_command,
    demo_command,
    everything_killed_command,
    explain_command,
    latency_command,
    leader_kills_command,
    leader_steps_command,
    orphan_prepare_command,
    postgres_killed_command,
    promotion_command,
    replace_replica_command,
    simulation_command,
    test_command,
    two_agents_command,
)

COMMANDS = {
    "agent_steps": agent_steps_command.main,
    "bench": bench_command.main,
    "by_hand": by_hand_command.main,
    "catch_up": catch_up_command.main,
    "cluster": cluster_command.main,
    "crash_matrix": crash_matrix_command.main,
    "demo": demo_command.main,
    "everything_killed": everything_killed_command.main,
    "explain": explain_command.main,
    "latency": latency_command.main,
    "leader_kills": leader_kills_command.main,
    "leader_steps": leader_steps_command.main,
    "orphan_prepare": orphan_prepare_command.main,
    "postgres_killed": postgres_killed_command.main,
    "promotion": promotion_command.main,
    "replace_replica": replace_replica_command.main,
    "simulation": simulation_command.main,
    "test": test_command.main,
    "two_agents": two_agents_command.main,
}

sys.exit(COMMANDS[sys.argv[1]](sys.argv[2:]))
