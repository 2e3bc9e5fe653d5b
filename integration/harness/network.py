"""A network of its own for a cluster: replicas whose links can be cut.

Each replica lives in a network namespace of its own, at one end of a virtual cable; the other end
is in a bridge of this machine, where agents and clients are. A cut takes that end down: packets of
either direction are lost without a word, as in a network.

Everything is named after a number that one run at a time holds. What a killed run left under a
number is removed by the next one that holds it.
"""

import contextlib
import dataclasses
import os
import pathlib
import shutil
import signal
import socket
import subprocess

from . import interrupts, ports, waiting
from .errors import HarnessError

NETWORKS = 64
NAMESPACES = pathlib.Path("/run/netns")
LINKS = pathlib.Path("/sys/class/net")
GONE_SECONDS = 10

REMEDY = ("It makes network namespaces, which only root may. Run it as root (sudo); in a container,"
          " give that the capabilities NET_ADMIN and SYS_ADMIN (docker run --privileged).")


@dataclasses.dataclass(frozen=True)
class Place:
    """Where one replica lives."""

    host: str  # its address
    namespace: str
    link: str  # the bridge's end of its cable

    @property
    def inside(self):
        """The words with which a command runs there."""
        return ("ip", "netns", "exec", self.namespace)


class Network:
    """A bridge and the namespaces at it, from construction until remove()."""

    def __init__(self):
        if os.geteuid() != 0:
            raise HarnessError(f"This needs root. {REMEDY}")
        if shutil.which("ip") is None:
            raise HarnessError("There is no program `ip`: install the package iproute2.")
        self._number, self._lock = _take_number()
        self._bridge = f"assent{self._number}"
        # Addresses that are set apart for tests of networks (RFC 2544).
        self.host = self._address(1)
        self._clear()
        try:
            _ip("link", "add", self._bridge, "type", "bridge")
            _ip("address", "add", f"{self.host}/24", "dev", self._bridge)
            _ip("link", "set", self._bridge, "up")
        except BaseException:
            self.remove()
            raise

    def attach(self, replica):
        """A new Place, connected."""
        place = Place(self._address(10 + replica), f"{self._bridge}-{replica}",
                      f"{self._bridge}-{replica}")
        within = ("-n", place.namespace)
        _ip("netns", "add", place.namespace)
        _ip("link", "add", place.link, "type", "veth", "peer", "name", "eth0",
            "netns", place.namespace)
        _ip("link", "set", place.link, "master", self._bridge, "up")
        _ip(*within, "address", "add", f"{place.host}/24", "dev", "eth0")
        _ip(*within, "link", "set", "lo", "up")
        _ip(*within, "link", "set", "eth0", "up")
        return place

    @staticmethod
    def cut(place):
        """Nothing reaches the place any more, and nothing comes from it."""
        _ip("link", "set", place.link, "down")

    @staticmethod
    def heal(place):
        """Undoes cut()."""
        _ip("link", "set", place.link, "up")

    def remove(self):
        """Nothing of it is left, and whoever runs in it is killed."""
        self._clear()
        self._lock.close()

    def _address(self, last):
        return f"198.18.{self._number}.{last}"

    def _clear(self):
        for namespace in NAMESPACES.glob(f"{self._bridge}-*"):
            _kill_all_in(namespace.name)
            _ip("netns", "delete", namespace.name)
        for link in [*LINKS.glob(f"{self._bridge}-*"), *LINKS.glob(self._bridge)]:
            _delete_link(link)


@contextlib.contextmanager
def opened():
    """A Network for the block; nothing of it is left afterwards, however the block ends."""
    made = Network()
    try:
        yield made
    finally:
        with interrupts.ignored():
            made.remove()


def is_permitted():
    """True when this user may make namespaces and links here."""
    try:
        with opened() as made:
            made.attach(1)
    except HarnessError:
        return False
    return True


def _take_number():
    """A number, and the lock by which no other run has it; the kernel frees it with its holder."""
    for number in range(NETWORKS):
        lock = socket.socket(socket.AF_UNIX)
        if ports.try_lock(lock, f"network-{number}"):
            return number, lock
        lock.close()
    raise HarnessError(f"All {NETWORKS} networks for tests are in use.")


def pids_in(namespace):
    """The processes that have entered it, as words."""
    return _ip("netns", "pids", namespace).split()


def _kill_all_in(namespace):
    def none_is_left():
        pids = pids_in(namespace)
        for pid in pids:
            try:
                os.kill(int(pid), signal.SIGKILL)
            except ProcessLookupError:
                pass
        return not pids

    waiting.until(none_is_left, GONE_SECONDS, f"the processes in {namespace} to end")


def _delete_link(path):
    try:
        _ip("link", "delete", path.name)
    except HarnessError:
        # A cable goes with the namespace of its other end, a little later than that.
        if path.exists():
            raise


def _ip(*words):
    """Runs `ip`; its output. A failure is a HarnessError."""
    done = subprocess.run(["ip", *words], stdin=subprocess.DEVNULL, capture_output=True, text=True,
                          check=False)
    if done.returncode != 0:
        why = done.stderr.strip()
        remedy = f" {REMEDY}" if "not permitted" in why else ""
        raise HarnessError(f"`ip {' '.join(words)}` failed: {why}.{remedy}")
    return done.stdout
