"""Atomic file writes: after a crash or power cut, a file is complete or absent."""

from __future__ import annotations

import os
import secrets
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

STALE_AFTER_S = 3600  # writing takes seconds, so the writer of an older temporary file is gone


class TemporaryFiles:
    """Temporary files in `folder`, which you link or rename to their final place."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._swept = False

    @contextmanager
    def holding(self, data: bytes) -> Iterator[Path]:
        """A complete file with these bytes; deleted on exit if it still exists."""
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


def is_linked(temporary: Path, path: Path) -> bool:
    """Link the complete file to `path`. False if a file with other bytes is there."""
    try:
        os.link(temporary, path)
    except FileExistsError:
        return path.is_file() and path.read_bytes() == temporary.read_bytes()
    sync_folder(path.parent)
    return True


def append_line(path: Path, line: str) -> None:
    """Append the line in one write, so that concurrent appends do not mix."""
    with path.open("ab", buffering=0) as file:
        file.write(f"{line}\n".encode())


def sync_folder(folder: Path) -> None:
    """Flush the folder. Otherwise, a power cut may lose the name of a written file."""
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
