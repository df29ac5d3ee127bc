"""Firefox as it comes from the system's packages, over WebDriver BiDi and without a driver.

Playwright needs a Firefox of its own, or one that is newer than the ESR of Debian.
https://w3c.github.io/webdriver-bidi/
"""

import base64
import itertools
import json
import os
import re
import shutil
import socket
import struct
import subprocess
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.support.waiting import PATIENCE, wait_for

NAMES = ("firefox-esr", "firefox")
LISTENING = re.compile(r"WebDriver BiDi listening on ws://127\.0\.0\.1:(\d+)")


@contextmanager
def firefox(folder: Path) -> Iterator["Firefox"]:
    """A browser with its profile in `folder`. Without Firefox the test is skipped."""
    path = next(filter(None, map(shutil.which, NAMES)), None)
    if path is None:
        pytest.skip("Firefox is not installed (Debian: apt-get install firefox-esr)")
    output, profile = folder / "firefox.log", folder / "profile"
    profile.mkdir()
    options = ["--headless", "--no-remote", "--profile", profile, "--remote-debugging-port", "0"]
    with output.open("wb") as stream:
        process = subprocess.Popen([path, *map(str, options)], stdout=stream, stderr=stream)
    try:
        wait_for(lambda: LISTENING.search(output.read_text()), "Firefox listens")
        found = LISTENING.search(output.read_text())
        assert found is not None
        with closing(_WebSocket(int(found[1]), "/session")) as connection:
            yield Firefox(connection)
    finally:
        process.terminate()
        process.wait(PATIENCE)


class Firefox:
    """Its one tab."""

    def __init__(self, connection: "_WebSocket") -> None:
        self._socket = connection
        self._ids = itertools.count(1)
        self._call("session.new", capabilities={})
        [tab] = self._call("browsingContext.getTree")["contexts"]
        self._tab = {"context": tab["context"]}

    def go(self, url: str) -> None:
        self._call("browsingContext.navigate", **self._tab, url=url, wait="complete")

    def back(self) -> None:
        self._call("browsingContext.traverseHistory", **self._tab, delta=-1)

    def type(self, text: str) -> None:
        """Press and release the key of each character; Enter is "\\ue007"."""
        keys = [{"type": kind, "value": key} for key in text for kind in ("keyDown", "keyUp")]
        actions = [{"type": "key", "id": "keyboard", "actions": keys}]
        self._call("input.performActions", **self._tab, actions=actions)

    def value(self, expression: str) -> Any:
        """The value of JavaScript."""
        answer = self._call(
            "script.evaluate",
            expression=f"JSON.stringify({expression})",
            target=self._tab,
            awaitPromise=True,
        )
        assert answer["type"] == "success", answer
        return json.loads(answer["result"].get("value", "null"))

    def click(self, selector: str) -> None:
        self.value(f"document.querySelector({json.dumps(selector)}).click()")

    def wait_for(self, expression: str) -> None:
        wait_for(lambda: self.value(expression), expression)

    def _call(self, method: str, **params: Any) -> dict[str, Any]:
        number = next(self._ids)
        self._socket.send(json.dumps({"id": number, "method": method, "params": params}))
        while True:
            answer = json.loads(self._socket.receive())
            if answer.get("id") == number:  # the others are events
                assert answer["type"] == "success", answer
                return answer["result"]


class _WebSocket:
    """Texts over RFC 6455, to a server on this machine."""

    def __init__(self, port: int, path: str) -> None:
        self._socket = socket.create_connection(("127.0.0.1", port), PATIENCE)
        self._file = self._socket.makefile("rb")
        key = base64.b64encode(os.urandom(16)).decode()
        lines = [
            f"GET {path} HTTP/1.1",
            f"Host: 127.0.0.1:{port}",
            "Upgrade: websocket",
            "Connection: Upgrade",
            f"Sec-WebSocket-Key: {key}",
            "Sec-WebSocket-Version: 13",
        ]
        self._socket.sendall("\r\n".join([*lines, "", ""]).encode())
        assert b" 101 " in self._file.readline()
        while self._file.readline().strip():
            pass

    def close(self) -> None:
        self._file.close()
        self._socket.close()

    def send(self, text: str) -> None:
        data, mask = text.encode(), os.urandom(4)
        masked = bytes(byte ^ mask[n % 4] for n, byte in enumerate(data))
        # a whole text, masked; its size in as few bytes as possible
        if len(data) < 126:
            head = struct.pack("!BB", 0x81, 0x80 | len(data))
        else:
            assert len(data) < 2**16
            head = struct.pack("!BBH", 0x81, 0x80 | 126, len(data))
        self._socket.sendall(head + mask + masked)

    def receive(self) -> str:
        text = b""
        while True:
            head, size = self._file.read(2)
            if size == 126:
                [size] = struct.unpack("!H", self._file.read(2))
            elif size == 127:
                [size] = struct.unpack("!Q", self._file.read(8))
            data = self._file.read(size)
            if head & 0x0F in (0, 1):  # a text or more of one; not ping
                text += data
                if head & 0x80:
                    return text.decode()
