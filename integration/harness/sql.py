"""One kept connection to a PostgreSQL server: simple queries in protocol 3.0, by a trusted user.

Starting psql costs more than 20 ms; what is asked every 20 ms needs a connection that stays.
"""

import socket
import struct

from .errors import HarnessError

PROTOCOL = 196_608  # 3.0
NULL = -1


class ConnectionLost(HarnessError):
    """The server is not there, or not yet, or no more."""


class Connection:
    """Connected when constructed; a ConnectionLost, from any method, ends it."""

    def __init__(self, path, user, database, seconds=5):
        """`path` is the unix socket's; no answer for `seconds` counts as lost."""
        self._socket = socket.socket(socket.AF_UNIX)
        self._socket.settimeout(seconds)
        self._received = b""
        try:
            self._socket.connect(str(path))
            self._greet(user, database)
        except BaseException as error:
            self.close()
            if isinstance(error, OSError):
                raise ConnectionLost(f"{path}: {error}.") from None
            raise

    def rows(self, sql):
        """The rows of one query, each a list of texts, None for NULL."""
        self._send(b"Q", sql.encode() + b"\0")
        found, refused = [], None
        while True:
            kind, body = self._message()
            if kind == b"D":
                found.append(_fields(body))
            elif kind == b"E":
                refused = _error(body)
            elif kind == b"Z":
                break
        if refused:
            raise HarnessError(f"{refused} (in: {sql})")
        return found

    def close(self):
        """Ends it; the server rolls back what it had begun."""
        self._socket.close()

    def _greet(self, user, database):
        words = b"".join(word.encode() + b"\0" for word in ("user", user, "database", database))
        self._send(b"", struct.pack("!i", PROTOCOL) + words + b"\0")
        while True:
            kind, body = self._message()
            if kind == b"E":
                raise ConnectionLost(_error(body))
            if kind == b"Z":
                return

    def _send(self, kind, body):
        try:
            self._socket.sendall(kind + struct.pack("!i", len(body) + 4) + body)
        except OSError as error:
            raise ConnectionLost(f"The connection to PostgreSQL is lost: {error}.") from None

    def _message(self):
        head = self._exactly(5)
        return head[:1], self._exactly(struct.unpack("!i", head[1:])[0] - 4)

    def _exactly(self, count):
        while len(self._received) < count:
            try:
                more = self._socket.recv(65_536)
            except OSError as error:
                raise ConnectionLost(f"The connection to PostgreSQL is lost: {error}.") from None
            if not more:
                raise ConnectionLost("PostgreSQL has closed the connection.")
            self._received += more
        taken, self._received = self._received[:count], self._received[count:]
        return taken


def _fields(body):
    count, = struct.unpack("!h", body[:2])
    at, fields = 2, []
    for _ in range(count):
        length, = struct.unpack("!i", body[at:at + 4])
        at += 4
        if length == NULL:
            fields.append(None)
            continue
        fields.append(body[at:at + length].decode())
        at += length
    return fields


def _error(body):
    fields = {field[:1]: field[1:].decode() for field in body.split(b"\0") if field}
    return f"PostgreSQL says {fields.get(b'C')}: {fields.get(b'M')}"
