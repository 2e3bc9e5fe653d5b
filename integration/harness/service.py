"""One process of a cluster: how it starts, when it is ready, how it ends."""

import pathlib
import signal

from . import ports, processes, waiting
from .errors import HarnessError

READY_SECONDS = 60
GRACE_SECONDS = 30
LOG_TAIL_LINES = 15


class Service:
    """What PostgreSQL servers, coordinators and agents have in common; subclasses fill it in.

    Everything of a service lies in its own directory: data, log and configuration.
    """

    kind = ""
    stop_signal = signal.SIGTERM
    user = None  # the operating system's user that runs it; None: ours

    def __init__(self, name, directory, port_numbers):
        self.name = name
        self.directory = pathlib.Path(directory)
        self.ports = dict(port_numbers)
        self.host = ports.HOST
        self.place = None  # in a network of its cluster's own
        self.identity = None
        self.log = self.directory / "log"
        self.data_directory = self.directory / "data"
        self._log_start = 0

    @property
    def config(self):
        """The path of its configuration file."""
        return self.directory / f"{self.kind}.toml"

    def command(self):
        """The words that start it."""
        raise NotImplementedError

    def environment(self):
        """What the next life's environment has beside the clean one; asked once for each life."""
        return {}

    def address(self, role):
        """Where it listens: "host:port"."""
        return f"{self.host}:{self.ports[role]}"

    def live_at(self, place):
        """It runs there, and is reached there."""
        self.place = place
        self.host = place.host

    def inside(self):
        """The words with which a command runs where it lives."""
        return self.place.inside if self.place else ()

    def accepts(self):
        """True when connections to all of its ports are taken."""
        return all(ports.accepts(port, self.host) for port in self.ports.values())

    def is_ready(self):
        """True when this life of it serves; asked only while it runs."""
        return self.accepts()

    def is_running(self):
        """True while the process of its latest life runs."""
        return self.identity is not None and processes.is_running(self.identity)

    def spawn(self):
        """Begins a life, without waiting until it is ready."""
        self._log_start = self.log.stat().st_size if self.log.exists() else 0
        self.identity = processes.spawn([*self.inside(), *self.command()], self.log, self.user,
                                        self.environment())

    def wait_ready(self, seconds=READY_SECONDS):
        """Returns when it serves; a HarnessError with the end of its log when it does not."""
        self._wait(self.is_ready, seconds, "be ready")

    def wait_until_up(self, seconds=READY_SECONDS):
        """As wait_ready(), when it takes connections, whether it serves yet or not."""
        self._wait(self.accepts, seconds, "take connections")

    def _wait(self, condition, seconds, what):
        def holds():
            if not self.is_running():
                raise HarnessError(f"{self.name} ended before it could {what}.")
            return condition()

        try:
            waiting.until(holds, seconds, f"{self.name} to {what}")
        except HarnessError as error:
            raise HarnessError(f"{error}\n{self.log_tail()}") from None

    def stop(self, seconds=GRACE_SECONDS):
        """Ends its life in good order; after that it has none.

        Returns what was not in order as a sentence, None when all was.
        """
        problem = None if self.identity is None else self._end_life(seconds)
        self.identity = None
        return problem

    def halt(self, seconds=GRACE_SECONDS):
        """SIGSTOP: it stands still until go_on()."""
        processes.send(self.identity, signal.SIGSTOP)
        waiting.until(lambda: processes.is_stopped(self.identity), seconds, f"{self.name} to halt")

    def go_on(self):
        """Undoes halt()."""
        processes.send(self.identity, signal.SIGCONT)

    def wait_for_log(self, text, seconds):
        """Returns when this life has logged it."""
        try:
            waiting.until(lambda: text in self.new_log_text(), seconds,
                          f"{self.name} to log \"{text}\"")
        except HarnessError as error:
            raise HarnessError(f"{error}\n{self.log_tail()}") from None

    def wait_for_end(self, seconds):
        """Returns the exit code of a life that ends by itself; it has none from then on."""
        if not processes.wait_until_gone(self.identity, seconds):
            raise HarnessError(f"{self.name} runs on after {seconds:g} s.\n{self.log_tail()}")
        code = processes.exit_code(self.identity)
        self.identity = None
        return code

    def kill(self):
        """SIGKILL to all of it at once, as if its machine had lost its power."""
        processes.kill(self.doomed())

    def kill_for_good(self):
        """As kill(); it has no life from now on, and stop() finds nothing wrong with that."""
        self.kill()
        self.identity = None

    def doomed(self):
        """All processes that kill() ends; none of them starts another one from now on."""
        return [self.identity]

    def new_log_text(self):
        """What this life has logged."""
        with open(self.log, "rb") as log:
            log.seek(self._log_start)
            return log.read().decode("utf-8", errors="replace")

    def log_tail(self):
        """The path of the log and its last lines, for error messages."""
        lines = self.new_log_text().splitlines()[-LOG_TAIL_LINES:]
        return "\n".join([f"The end of {self.log}:", *(f"  {line}" for line in lines)])

    def to_json(self):
        """Its entry in cluster.json."""
        return {
            "name": self.name,
            "kind": self.kind,
            "pid": self.identity.pid if self.identity else None,
            "birth": self.identity.birth if self.identity else None,
            "host": self.host,
            "ports": self.ports,
            "data_directory": str(self.data_directory),
            "log": str(self.log),
            "config": str(self.config),
        }

    def take_identity(self, entry):
        """Takes the latest life over from its entry in cluster.json."""
        self.host = entry["host"]
        if entry["pid"] is not None:
            self.identity = processes.Identity(entry["pid"], entry["birth"])

    def _end_life(self, seconds):
        if not self.is_running():
            return f"{self.name} had ended by itself; its log is {self.log}."
        if not processes.end(self.identity, self.stop_signal, seconds):
            return f"{self.name} did not stop within {seconds:g} s and was killed; see {self.log}."
        code = processes.exit_code(self.identity)
        if code not in (None, 0):
            return f"{self.name} stopped with exit code {code}; its log is {self.log}."
        return None
