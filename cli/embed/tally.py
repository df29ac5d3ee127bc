"""How far the processes on this machine are: each appends a byte per photo to a file of its own.

Beam's own counters are known only at the end of a local run.
"""

from __future__ import annotations

import os
from functools import cache
from pathlib import Path


def add(folder: str, photos: int) -> None:
    if folder:
        os.write(_file(folder, os.getpid()), bytes(photos))


def total(folder: str) -> int:
    return sum(file.stat().st_size for file in Path(folder).iterdir())


@cache
def _file(folder: str, process: int) -> int:
    return os.open(Path(folder) / str(process), os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
