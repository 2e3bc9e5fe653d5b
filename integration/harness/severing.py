"""Connections of a process that are lost: its sockets are shut down, from outside, without its doing.

Either end reads the end of the connection, and what it writes is refused. What was written before is
still read: a command that lies in the socket is carried out, and its answer is not heard.
"""

import ctypes
import errno
import os
import pathlib
import socket

from .errors import HarnessError

PIDFD_GETFD = 438  # of every architecture
REMEDY = ("The harness must be allowed to trace its own children, as with gdb: run it as root, in a"
          " container with the capability SYS_PTRACE (docker run --cap-add SYS_PTRACE), or set"
          " kernel.yama.ptrace_scope to 1 or less.")

_libc = ctypes.CDLL(None, use_errno=True)


def is_permitted():
    """True when this user may do so here."""
    near, far = socket.socketpair()
    with near, far:
        try:
            _copy_of(os.getpid(), near.fileno()).close()
        except HarnessError:
            return False
        return True


def sever(identity, of=lambda end: True):
    """Ends those connections of a process for which of(socket) is true; returns how many.

    The process may stand still. What only listens is left alone.
    """
    descriptors = pathlib.Path(f"/proc/{identity.pid}/fd")
    severed = 0
    for descriptor in os.listdir(descriptors):
        if not _is_socket(descriptors / descriptor):
            continue
        with _copy_of(identity.pid, int(descriptor)) as end:
            if _is_connected(end) and of(end):
                end.shutdown(socket.SHUT_RDWR)
                severed += 1
    return severed


def is_tcp(end):
    """True of a connection between programs of ours."""
    return end.family == socket.AF_INET


def leads_to(path):
    """For sever(): is true of the connections to a unix socket."""
    return lambda end: end.family == socket.AF_UNIX and end.getpeername() == str(path)


def _is_socket(descriptor):
    try:
        return os.readlink(descriptor).startswith("socket:")
    except FileNotFoundError:  # closed meanwhile
        return False


def _is_connected(end):
    try:
        end.getpeername()
    except OSError:
        return False
    return end.type == socket.SOCK_STREAM


def _copy_of(pid, descriptor):
    """The socket behind a descriptor of another process."""
    process = os.pidfd_open(pid)
    try:
        copied = _libc.syscall(PIDFD_GETFD, process, descriptor, 0)
    finally:
        os.close(process)
    if copied < 0:
        number = ctypes.get_errno()
        remedy = f" {REMEDY}" if number in (errno.EPERM, errno.ENOSYS) else ""
        raise HarnessError(f"A socket of process {pid} cannot be had: {os.strerror(number)}.{remedy}")
    return socket.socket(fileno=copied)
