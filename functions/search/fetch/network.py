"""The only functions that use the network, so that tests can stand in for the internet."""

import socket
import ssl
from functools import cache


def resolve(host: str, port: int) -> list[str]:
    """Return the IP addresses of `host`. Raises OSError."""
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return [str(where[0]) for *_, where in found]


def connect(address: str, port: int, timeout: float) -> socket.socket:
    """Connect to an IP address, never to a name. Raises OSError, also after `timeout` seconds."""
    return socket.create_connection((address, port), timeout)


@cache
def tls() -> ssl.SSLContext:
    """Checks certificates against those of the system."""
    return ssl.create_default_context()
