"""A command in a pseudo-terminal, as a person has it."""

from __future__ import annotations

import os
import pty
import subprocess
import termios
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path

from tests.support.waiting import wait_for


class Terminal:
    """Runs `command` with all three streams in a terminal of 24 lines and 120 columns."""

    def __init__(
        self, command: Sequence[str], cwd: Path, env: Mapping[str, str] | None = None
    ) -> None:
        self._ours, its = pty.openpty()
        termios.tcsetwinsize(its, (24, 120))
        self.process = subprocess.Popen(
            command, cwd=cwd, env=env, stdin=its, stdout=its, stderr=its, start_new_session=True
        )
        os.close(its)
        self._shown = bytearray()
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def shown(self) -> str:
        return self._shown.decode(errors="replace")

    def type(self, text: str) -> None:
        os.write(self._ours, text.encode())

    def wait_for(self, text: str) -> None:
        ended = self.process.poll
        wait_for(lambda: text in self.shown() or ended() is not None, f"{text!r} is shown")
        assert text in self.shown(), self.shown()

    def close(self) -> None:
        """Call it when the process has ended, or is killed by now."""
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        self._reader.join()
        os.close(self._ours)

    def _read(self) -> None:
        try:
            while chunk := os.read(self._ours, 1 << 16):
                self._shown += chunk
        except OSError:  # the other end is closed
            return
