"""Differences between the photos folder and the index, as events."""

from __future__ import annotations

import os
import time
from functools import cache
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

from cli.run.feeder import Event
from clipsearch.index.format.generations import overruling, stands_for
from clipsearch.storage import folder_path

if TYPE_CHECKING:
    from clipsearch.storage import Bucket

SETTLED_AFTER_US = 300_000  # a file that changed more recently may still be growing


class FolderChanges:
    """Compares the bucket `photos` with what it has reported of it.

    `indexed` and `removed` are generations by name. `indexed`: the photos (and failures) in the
    index; `removed`: its tombstones. Each look reads the whole folder, because notices of the
    file system can get lost.
    """

    def __init__(self, photos: Bucket, indexed: dict[str, int], removed: dict[str, int]) -> None:
        self._photos = photos
        self._told = indexed
        self._removed = removed
        self.seen = 0  # number of files at the last look
        self.unsettled = False  # the last look skipped files that may still grow
        self.outdated: set[str] = set()  # names that only a reconcile can update: see look()

    def look(self, settled_after_us: int = 0) -> list[Event]:
        """The events since the last look. An overwrite gives two, as in the cloud.

        The delete comes first. If we are stopped between the two, the next start finds both
        again, so no old thumbnail stays behind.

        Files that changed within the last `settled_after_us` wait for the next look.
        """
        self.seen = 0
        self.unsettled = False
        self.outdated = set()
        events: list[Event] = []
        gone = dict(self._told)
        now_us = time.time_ns() // 1000
        for stat in self._photos.list():
            self.seen += 1
            told = gone.pop(stat.name, 0)
            if told and stands_for(told, stat.generation):
                continue
            if 0 <= now_us - stat.generation < settled_after_us:
                self.unsettled = True
                continue
            if told:
                events.append(self._removal(stat.name, is_replaced=stat.generation > told))
            known = max(told, self._removed.get(stat.name, 0))
            if stat.generation <= known:
                # A folder was moved here, and its files kept their old times. The index accepts
                # a generation older than the one it has from a reconcile only.
                self.outdated.add(stat.name)
                self._told[stat.name] = overruling(known, stat.generation)
                continue
            events.append(
                Event("finalized", stat.name, stat.generation, stat.size, stat.content_type)
            )
            self._told[stat.name] = stat.generation
        can_be_read = cache(_can_be_read)
        root = folder_path(self._photos.url)
        for name in gone:
            # list() skips a folder without read permission; its photos are not deleted
            if all(can_be_read(root / folder) for folder in PurePosixPath(name).parents):
                events.append(self._removal(name))
        return events

    def _removal(self, name: str, is_replaced: bool = False) -> Event:
        generation = self._removed[name] = self._told.pop(name)
        return Event("deleted", name, generation, is_replaced=is_replaced)


def _can_be_read(folder: Path) -> bool:
    """True also if the folder is gone."""
    return os.access(folder, os.R_OK | os.X_OK) or not os.access(folder, os.F_OK)
