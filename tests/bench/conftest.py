"""A small server to be asked, which turns away what it is told to."""

from __future__ import annotations

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from tools.bench_system.asking import BEST


class Server(ThreadingHTTPServer):
    """`asked`: (method, path, body) of every request. The first `busy` are answered 503, and then
    `closed` get no answer at all."""

    daemon_threads = True
    request_queue_size = 64

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Handler)
        self.asked = []
        self.lock = threading.Lock()
        self.busy = self.closed = 0
        self.wait, self.status, self.results = "0.05", 200, BEST
        self.closes = False  # after each answer

    def handle_error(self, request, client_address):
        pass  # a client that went away


class Handler(BaseHTTPRequestHandler):
    server: Server
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        body = self.rfile.read(int(self.headers.get("Content-Length", "0")))
        server = self.server
        with server.lock:
            server.asked.append((self.command, self.path, body))
            is_busy = server.busy > 0
            server.busy -= is_busy
            is_closed = not is_busy and server.closed > 0
            server.closed -= is_closed
        if is_closed:
            self.close_connection = True
        elif is_busy:
            self.answer(503, b"{}", {"Retry-After": server.wait} if server.wait else {})
        else:
            found = {"results": [{"name": "a", "score": 0.5}] * server.results}
            self.answer(server.status, json.dumps(found).encode(), {})
            self.close_connection = server.closes

    do_POST = do_GET

    def answer(self, status, body, headers):
        self.send_response(status)
        for name, value in {**headers, "Content-Length": str(len(body))}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *arguments):
        pass


@pytest.fixture
def server():
    server = Server()
    thread = threading.Thread(target=server.serve_forever, args=(0.02,))
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()
