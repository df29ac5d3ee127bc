"""A site of the internet: names, public addresses, and a server on this machine behind them."""

from __future__ import annotations

import socket
import socketserver
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

PUBLIC = "93.184.215.14"

Answer = Callable[[socket.socket, str], None]


def answers(
    body: bytes = b"", *headers: str, status: str = "200 OK", length: int | None = None
) -> Answer:
    """Send this. Content-Length is right unless `length` or a Transfer-Encoding says otherwise."""
    lines = [f"HTTP/1.1 {status}", *headers]
    if not any(header.startswith("Transfer-Encoding") for header in headers):
        lines.append(f"Content-Length: {len(body) if length is None else length}")
    head = "\r\n".join([*lines, "", ""]).encode()
    return lambda connection, _: connection.sendall(head + body)


def says(data: bytes) -> Answer:
    """Send this, then close the connection."""
    return lambda connection, _: connection.sendall(data)


def redirects(where: str, status: str = "302 Found") -> Answer:
    return answers(b"", f"Location: {where}", status=status)


class Internet:
    """Stands for search.fetch.network. `names`: host to addresses. `dead`: they refuse."""

    def __init__(self, port: int) -> None:
        self.names: dict[str, list[str]] = {"photos.example": [PUBLIC]}
        self.dead: set[str] = set()
        self.pages: dict[str, Answer] = {}  # by path, of every host
        self.requests: list[str] = []  # the heads of the requests
        self.connected: list[tuple[str, int]] = []
        self.tls: ssl.SSLContext | None = None
        self._port = port

    def resolve(self, host: str, port: int) -> list[str]:
        if host not in self.names:
            raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")
        return self.names[host]

    def connect(self, address: str, port: int, timeout: float) -> socket.socket:
        self.connected.append((address, port))
        if address in self.dead:
            raise ConnectionRefusedError
        return socket.create_connection(("127.0.0.1", self._port), timeout)

    def serve(self, connection: socket.socket) -> None:
        if self.tls is not None:
            connection = self.tls.wrap_socket(connection, server_side=True)
        head = b""
        while b"\r\n\r\n" not in head:
            head += (piece := connection.recv(65_536))
            if not piece:
                return
        self.requests.append(head.decode())
        path = head.split()[1].decode()
        self.pages.get(path, answers(status="404 Not Found"))(connection, path)
        if self.tls is not None:
            connection.close()


@contextmanager
def internet() -> Iterator[Internet]:
    class Handler(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            with suppress(OSError):  # the client has hung up
                found.serve(self.request)

    class Server(socketserver.ThreadingTCPServer):
        daemon_threads = True
        block_on_close = False  # an answer may wait for the end of the test

    with Server(("127.0.0.1", 0), Handler) as server:
        found = Internet(server.server_address[1])
        thread = threading.Thread(target=server.serve_forever, args=(0.02,))
        thread.start()
        yield found
        server.shutdown()
        thread.join()
