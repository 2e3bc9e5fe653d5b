"""Local clusters of real processes: PostgreSQL servers, a coordinator and agents on this machine.

Standard library only. `cluster` is the entry for code; `cluster_command`, `demo_command`,
`leader_kills_command` and `test_command` are what the executables `integration/cluster`,
`integration/demo`, `integration/faults/leader_kills` and `tests/run` start. Every failure that a
user can cause or mend is an `errors.HarnessError`.
"""
