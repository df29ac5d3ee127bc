"""Three ports in a row, for a stack: the system cannot choose them."""

import itertools
import os
import socket

# Below the ports that the system assigns (Linux: 32,768 and above). Each process starts at another
# port, so two test runs at once do not find the same ports.
PORTS = range(20_000, 32_000, 3)
_tried = itertools.count(os.getpid() * 97)


def free_port():
    """The first of three free ports in a row; never the same twice in one process."""
    for _ in PORTS:
        port = PORTS[next(_tried) % len(PORTS)]
        try:
            for each in range(port, port + 3):
                with socket.socket() as probe:
                    probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                    probe.bind(("127.0.0.1", each))
        except OSError:
            continue
        return port
    raise AssertionError("no three free ports in a row")
