"""A tower that is loaded on first use."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Generic, TypeVar

from clipsearch.imports import import_in_turn
from clipsearch.model.bundle import LocalBundle, RemoteBundle, Tower

T = TypeVar("T")


class LazyTower(Generic[T]):
    """Loads a tower once, in the first thread that asks. After a failure the next call retries."""

    def __init__(
        self, source: LocalBundle | RemoteBundle, tower: Tower, build: Callable[[Path], T]
    ) -> None:
        """`build`: makes the tower from the folder with its files."""
        self._source, self._tower, self._build = source, tower, build
        self._lock = threading.Lock()
        self.value: T | None = None

    def get(self) -> T:
        """May raise DamagedObject or StorageError."""
        if self.value is None:
            with self._lock:
                if self.value is None:
                    self.value = self._load()
        return self.value

    def _load(self) -> T:
        with ThreadPoolExecutor(1, "clipsearch-imports") as beside:
            imported = beside.submit(import_in_turn, "onnxruntime")
            # The session copies the weights, so the download can be deleted. On Cloud Run that
            # frees memory, because files are in memory there.
            with self._source.files(self._tower) as folder:
                imported.result()
                return self._build(folder)
