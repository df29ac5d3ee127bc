"""A local folder as a bucket. Any folder of photos works.

An object is a regular file below the root; its name is the path, with slashes. Names that begin
with a dot are not objects, so temporary files can be inside. Links to folders are not followed:
they may form cycles or leave the root. Links to files are followed within the root.
Metadata is appended to .metadata.jsonl at the root, one JSON line per object. The last line of
an object counts.
"""

from __future__ import annotations

import errno
import json
import logging
import mimetypes
import os
import stat as modes
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from io import BufferedReader
from pathlib import Path

from clipsearch.errors import (
    BadObjectName,
    ObjectExists,
    ObjectNotFound,
    ObjectTooLarge,
    ObjectUnreadable,
)
from clipsearch.storage import Stat, check_name, check_range
from clipsearch.storage.atomic_files import TemporaryFiles, append_line, is_linked, sync_folder
from clipsearch.storage.checksum import holds
from clipsearch.storage.local_errors import translated

_LEFT_OUT = (errno.EACCES, errno.EPERM, errno.ENAMETOOLONG)
_log = logging.getLogger("clipsearch")


class FolderBucket:
    """The files below `root`; see Bucket for the methods.

    The generation is st_ctime, the last status change of the file, in µs. It grows with every
    write and rename. Unlike st_mtime, it cannot be set.
    """

    def __init__(self, root: Path) -> None:
        self.root = Path(os.path.realpath(root))
        self.url = self.root.as_uri()
        self._temporary = TemporaryFiles(self.root / ".tmp")
        self.left_out: dict[bytes, str] = {}  # path: reason, for the parts listed so far

    def create(
        self,
        name: str,
        data: bytes,
        content_type: str = "application/octet-stream",
        cache_control: str | None = None,
        metadata: Mapping[str, str] | None = None,
    ) -> Stat:
        """Content type and cache control are not stored: the file name gives the type."""
        path = self._path(name)
        with (
            translated(self.url, "create", name, absent=False),
            self._temporary.holding(data) as file,
        ):
            path.parent.mkdir(parents=True, exist_ok=True)
            if metadata and not path.exists():
                self._note(name, metadata)  # first: an object must never lack its metadata
            self._link(file, path, name)
        # After holding(): deleting the temporary name changes the status and the generation.
        return self.stat(name)

    def replace(
        self,
        name: str,
        generation: int,
        data: bytes,
        content_type: str = "application/octet-stream",
        cache_control: str | None = None,
        metadata: Mapping[str, str] | None = None,
    ) -> Stat:
        """Not atomic: a folder has no compare-and-swap, so the later of two replaces wins."""
        if (there := self.stat(name)).generation != generation:
            if holds(self, there, data):
                return there
            raise ObjectNotFound(name, generation)
        with translated(self.url, "replace", name), self._temporary.holding(data) as file:
            if metadata:
                self._note(name, metadata)
            file.replace(self._existing(name))
            sync_folder((self.root / name).parent)
        return self.stat(name)

    def read(
        self,
        name: str,
        generation: int | None = None,
        start: int = 0,
        most: int | None = None,
        end: int | None = None,
    ) -> bytes:
        check_range(start, end)
        with translated(self.url, "read", name), self._opened(name) as file:
            before = _generation(os.fstat(file.fileno()))
            file.seek(start)
            limits = [] if most is None else [most + 1]
            limits += [] if end is None else [end - start]
            data = file.read(min(limits, default=-1))
            after = _generation(os.fstat(file.fileno()))
        if generation is not None and not before == after == generation:
            raise ObjectNotFound(name, generation)
        if most is not None and len(data) > most:
            raise ObjectTooLarge(name, most)
        return data

    def read_into(self, name: str, buffer: memoryview) -> int:
        with translated(self.url, "read", name), self._opened(name) as file:
            done = 0
            while done < len(buffer) and (count := file.readinto(buffer[done:])):
                done += count
        return done

    def download(self, name: str, path: Path) -> None:
        with translated(self.url, "download", name):
            source = self._opened(name)
        with source, path.open("wb") as target:
            while chunk := source.read(1 << 20):
                target.write(chunk)

    def stat(self, name: str) -> Stat:
        with translated(self.url, "stat", name):
            return _stat(name, self._existing(name).stat())

    def list(self, prefix: str = "", start: str = "") -> Iterator[Stat]:
        return self._walk("", prefix, start)

    def delete(self, name: str, generation: int | None = None) -> None:
        with suppress(ObjectNotFound), translated(self.url, "delete", name):
            if generation is None or self.stat(name).generation == generation:
                self._existing(name).unlink()

    def _walk(self, folder: str, prefix: str, start: str) -> Iterator[Stat]:
        """The objects below `folder` ("" or "a/b/") in order; opens only folders that can match."""
        for name, entry in self._children(folder, prefix):
            if name.endswith("/"):
                if name[: len(prefix)] == prefix[: len(name)] and name >= start[: len(name)]:
                    yield from self._walk(name, prefix, start)
            elif name.startswith(prefix) and name >= start:
                with suppress(ObjectNotFound):  # deleted since the folder was read, or not a file
                    yield self._stat_entry(name, entry)

    def _children(self, folder: str, prefix: str) -> Sequence[tuple[str, os.DirEntry[str]]]:
        """Sorted by name. Folder names end with a slash: "a.jpg" sorts before "a/b.jpg".

        Skips folders without read or enter permission (lost+found at the root of a drive).
        Raises if `prefix` names such a folder: an index must not seem empty.
        """
        with suppress(ObjectNotFound), translated(self.url, "list", folder):
            try:
                os.stat(os.path.join(self.root, folder, "."))  # fails without enter permission
                with os.scandir(self.root / folder) as entries:
                    named = [(_name(folder, e), e) for e in entries if self._can_be_object(e)]
            except OSError as exc:
                if prefix.startswith(folder) or exc.errno not in _LEFT_OUT:
                    raise
                self._leave_out(self.root / folder, str(exc.strerror))
                return []
            return sorted(named, key=lambda child: child[0])
        return []

    def _can_be_object(self, entry: os.DirEntry[str]) -> bool:
        try:
            entry.name.encode()
        except UnicodeEncodeError:
            self._leave_out(entry.path, "its name is not UTF-8")
            return False
        return not entry.name.startswith(".")

    def _leave_out(self, path: str | Path, reason: str) -> None:
        """Log the path once, not at every listing."""
        encoded = os.fsencode(path)
        if encoded not in self.left_out:
            self.left_out[encoded] = reason
            _log.warning("%r is skipped: %s", encoded, reason)

    def _stat_entry(self, name: str, entry: os.DirEntry[str]) -> Stat:
        with translated(self.url, "list", name):
            if not entry.is_file(follow_symlinks=False):
                try:
                    entry.stat()
                except PermissionError as exc:  # a link into a folder without enter permission
                    self._leave_out(entry.path, str(exc.strerror))
                    raise ObjectNotFound(name) from exc
                return self.stat(name)
            return _stat(name, entry.stat(follow_symlinks=False))

    def _path(self, name: str) -> Path:
        check_name(name)
        parts = name.split("/")
        if "" in parts or "\0" in name or any(part.startswith(".") for part in parts):
            raise BadObjectName(name, "in a folder, no part may be empty or begin with a dot")
        return self.root / name

    def _existing(self, name: str) -> Path:
        """The path of a file that resolves to a regular one in the root; raises ObjectNotFound."""
        path = self._path(name)
        parent_is_real = os.path.realpath(path.parent) == str(path.parent)
        target = Path(os.path.realpath(path))
        if not (parent_is_real and target.is_relative_to(self.root)):
            raise ObjectNotFound(name)
        if not modes.S_ISREG(target.stat().st_mode):
            raise ObjectNotFound(name)
        return path

    def _opened(self, name: str) -> BufferedReader:
        path = self._existing(name)
        try:
            return path.open("rb")
        except PermissionError as exc:
            raise ObjectUnreadable(name, str(exc.strerror), is_certain=True) from exc

    def _note(self, name: str, metadata: Mapping[str, str]) -> None:
        line = json.dumps({"name": name, "metadata": dict(metadata)}, ensure_ascii=False)
        append_line(self.root / ".metadata.jsonl", line)

    def _link(self, temporary: Path, path: Path, name: str) -> None:
        """Link the complete file to its name; raises ObjectExists if the name is taken."""
        if os.path.realpath(path.parent) != str(path.parent):
            raise BadObjectName(name, "its path contains a link to another folder")
        if not is_linked(temporary, path):
            raise ObjectExists(name)


def _generation(status: os.stat_result) -> int:
    return status.st_ctime_ns // 1000


def _stat(name: str, status: os.stat_result) -> Stat:
    return Stat(
        name=name,
        generation=_generation(status),
        size=status.st_size,
        content_type=mimetypes.guess_type(name)[0],
        updated=datetime.fromtimestamp(status.st_mtime, UTC),
    )


def _name(folder: str, entry: os.DirEntry[str]) -> str:
    return f"{folder}{entry.name}/" if entry.is_dir(follow_symlinks=False) else folder + entry.name
