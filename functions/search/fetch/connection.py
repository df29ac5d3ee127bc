"""An HTTP connection to one checked address, with a deadline for everything on it."""

import http.client
import io
import socket
import time

from search.fetch import network
from search.fetch.errors import SiteFailed, SiteTooSlow
from search.fetch.target import Target

CONNECT_SECONDS = 3.0  # for each address: a dead one must leave time for the next


class Deadline:
    def __init__(self, seconds: float) -> None:
        self.passed = f"the site did not send the picture within {seconds:g} seconds"
        self._end = time.monotonic() + seconds

    def left(self) -> float:
        """Return the seconds left, more than 0. Raises SiteTooSlow."""
        left = self._end - time.monotonic()
        if left <= 0:
            raise SiteTooSlow(self.passed)
        return left


class PinnedConnection(http.client.HTTPConnection):
    """Connects to one of `addresses`. The name in the URL stays in Host and in SNI.

    http.client itself reads no proxy from the environment and keeps no cookies.
    """

    def __init__(self, target: Target, addresses: list[str], deadline: Deadline) -> None:
        super().__init__(target.host, target.port)
        self._target = target
        self._addresses = addresses
        self._deadline = deadline
        self._socket: socket.socket | None = None

    def connect(self) -> None:
        """Raises SiteFailed, SiteTooSlow, OSError."""
        self._socket = self._connected()
        if self._target.scheme == "https":
            self._socket.settimeout(self._deadline.left())
            self._socket = network.tls().wrap_socket(
                self._socket, server_hostname=self._target.host
            )
        self.sock = _TimedSocket(self._socket, self._deadline)

    def hang_up(self) -> None:
        """Close the socket. `close` does not: http.client calls it before the body is read."""
        if self._socket is not None:
            self._socket.close()

    def _connected(self) -> socket.socket:
        for address in self._addresses:
            timeout = min(CONNECT_SECONDS, self._deadline.left())
            try:
                return network.connect(address, self._target.port, timeout)
            except OSError:
                continue
        raise SiteFailed("the site cannot be reached")


class _TimedSocket:
    """What http.client needs of a socket. Each read and write gets the time that is left.

    A timeout of the socket alone would start again with each byte that arrives.
    """

    def __init__(self, sock: socket.socket, deadline: Deadline) -> None:
        self._sock = sock
        self._deadline = deadline

    def sendall(self, data: bytes) -> None:
        self._sock.settimeout(self._deadline.left())
        self._sock.sendall(data)

    def makefile(self, mode: str) -> io.BufferedReader:
        return io.BufferedReader(_TimedReader(self._sock, self._deadline))

    def close(self) -> None:
        pass


class _TimedReader(io.RawIOBase):
    def __init__(self, sock: socket.socket, deadline: Deadline) -> None:
        self._sock = sock
        self._deadline = deadline

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: "memoryview") -> int:  # type: ignore[override]
        self._sock.settimeout(self._deadline.left())
        return self._sock.recv_into(buffer)
