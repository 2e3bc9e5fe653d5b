"""The command integration/faults/orphan_prepare: a PREPARE that outlives its agent."""

import time

from . import backends, bank_run, crash_report, stages, waiting

INPUT_SECONDS = 20
SERVING_SECONDS = 20
LOG_SECONDS = 0.001  # a log's times are cut to this

SERVES = "agent enrolled"  # logged when it has claimed its epoch
READY = "agent ready"  # and when no backend of an earlier life is left

DESCRIPTION = """\
Starts PostgreSQL servers with agents and three replicas of the coordinator, moves money between the
servers by one-shots, stops the backends of one server with SIGSTOP until a whole branch with its
PREPARE lies in the socket of one of them, kills that server's agent with -9 and starts another one on
other ports. Then the backends go on. In odd rounds that is when the new agent serves, and has told them
to end; in even ones it is before the new agent starts: then the PREPARE succeeds, and nobody waits
for it. So many times in a row; the two agents take turns."""

EPILOG = """\
Exit code 0 only if the new agent took no new branch before the old backends were gone, none of them
prepared anything after that, and nothing of before was left prepared
--settle-max after the backends went on and the new agent was up, in every round; the databases hold
what clients were told of each transfer, once; no money was lost or made, no prepared transaction is
left on any server, all replicas have executed the same, and all processes stopped in good order."""


def main(arguments):
    """Runs the command; returns its exit code."""
    options = crash_report.parse("orphan_prepare", DESCRIPTION, EPILOG, arguments, clients=8)
    options.one_shot = True  # only then PREPARE is sent together with what goes before it
    return bank_run.run("orphan_prepare", options, _Orphan)


class _Orphan(crash_report.CrashAct):
    """The run itself, on a cluster that is up."""

    praise = "{times} times an agent was killed and replaced while a stopped backend held its PREPARE"

    def __init__(self, *arguments):
        super().__init__(*arguments)
        self._server = self._cluster.servers[0]
        self._present = self._cluster.agents[0]
        self._next = self._cluster.create_second_agent(self._server)

    def crash(self, number, meter):
        """One round; the agent that serves now is replaced by the other one."""
        halted = backends.Halted(self._server)
        try:
            holding = halted.wait_for_input(INPUT_SECONDS)
            self._present.kill_for_good()
            killed = time.time()
            found = self._late(halted, meter, killed) if number % 2 else self._early(halted, meter,
                                                                                     killed)
        finally:
            halted.go_on()
        self._next.wait_ready()
        self._check_orphans(meter)
        self._present, self._next = self._next, self._present
        when = "after" if number % 2 else "before"
        self._steps.say(f"round {number:>3}: {holding} stopped backends held a branch, and went on"
                        f" {when} the new agent served; {crash_report.told(found)}")
        return found

    def _late(self, halted, meter, killed):
        """The new agent serves, and waits for the backends' end."""
        self._cluster.spawn(self._next)
        waiting.until(lambda: stages.first_line(self._next, SERVES), SERVING_SECONDS,
                      f"{self._next.name} to enrol")
        if halted.left() and stages.first_line(self._next, READY):
            self.problems.append(f"{self._next.name} took new branches while backends of an earlier"
                                 " life were left.")
        halted.go_on()
        return self._settled(meter, killed, time.time())

    def _early(self, halted, meter, killed):
        """Nobody is there when the backends go on."""
        halted.go_on()
        self._cluster.spawn(self._next)
        self._next.wait_until_up()
        return self._settled(meter, killed, time.time())

    def _check_orphans(self, meter):
        """Once the new agent takes new branches, nothing of an earlier life is prepared any more."""
        ready = stages.first_line(self._next, READY) + LOG_SECONDS
        epoch = int(self._server.value("SELECT epoch FROM assent.epoch"))
        late = [branch.gid for branch in meter.branches()
                if branch.server == self._server.name and branch.prepared > ready
                and _epoch(branch.gid) < epoch]
        if late:
            self.problems.append(f"{len(late)} branches of earlier lives were prepared after"
                                 f" {self._next.name} was ready, for example {late[0]}.")

    @staticmethod
    def _settled(meter, killed, up):
        meter.wait_until_settled(up, crash_report.PATIENCE_SECONDS)
        return meter.crash(killed, up)


def _epoch(gid):
    """Of the life that a gid names."""
    return int(gid.rpartition(":")[2].partition(".")[0])
