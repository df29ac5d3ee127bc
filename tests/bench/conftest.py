"""A small server that rejects requests if a test says so."""

from __future__ import annotations

import threading

import pytest

from benchmarks.system.asking import BEST
from tests.support.http_double import Handler, HttpDouble


class Server(HttpDouble):
    """`asked`: (method, path, body) of every request. The first `busy` ones get 503, and the next
    `closed` get no answer."""

    def __init__(self):
        self.asked = []
        self.lock = threading.Lock()
        self.busy = self.closed = 0
        self.wait, self.status, self.results = "0.05", 200, BEST
        self.closes = False  # after each answer
        super().__init__(Answering)


class Answering(Handler):
    double: Server

    def do_GET(self):
        body, server = self.body(), self.double
        with server.lock:
            server.asked.append((self.command, self.path, body))
            is_busy = server.busy > 0
            server.busy -= is_busy
            is_closed = not is_busy and server.closed > 0
            server.closed -= is_closed
        if is_closed:
            self.close_connection = True
        elif is_busy:
            self.send(503, {}, {"Retry-After": server.wait} if server.wait else {})
        else:
            self.send(server.status, {"results": [{"name": "a", "score": 0.5}] * server.results})
            self.close_connection = server.closes

    do_POST = do_GET


@pytest.fixture
def server():
    server = Server()
    yield server
    server.close()
