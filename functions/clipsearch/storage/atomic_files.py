"""Files that are there whole or not at all, whenever the process or the machine stops."""

from __future__ import annotations

import os
import secrets
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

STALE_AFTER_S = 3600  # a temporary file this old has lost its writer: writing takes seconds


class TemporaryFiles:
    """Files in `folder`, to be linked or renamed to where they belong."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._swept = False

    @contextmanager
    def holding(self, data: bytes) -> Iterator[Path]:
        """A complete file with these bytes; what is left of it afterwards is removed."""
        self._folder.mkdir(parents=True, exist_ok=True)
        if not self._swept:
            _remove_stale(self._folder)
            self._swept = True
        path = self._folder / secrets.token_hex(16)
        try:
            with path.open("xb") as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
            yield path
        finally:
            path.unlink(missing_ok=True)


def append_line(path: Path, line: str) -> None:
    """In one piece, behind whatever others append at the same time."""
    with path.open("ab", buffering=0) as file:
        file.write(f"{line}\n".encode())


def sync_folder(folder: Path) -> None:
    """Without this the name of a written file may not survive a power cut."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _remove_stale(folder: Path) -> None:
    limit = time.time() - STALE_AFTER_S
    for path in folder.iterdir():
        with suppress(FileNotFoundError):
            if path.stat().st_mtime < limit:
                path.unlink()
