"""Translates the errors of the file system into ours."""

from __future__ import annotations

import errno
from collections.abc import Iterator
from contextlib import contextmanager

from clipsearch.errors import BadObjectName, ObjectNotFound, StorageError

_ABSENT = (errno.ENOENT, errno.ENOTDIR, errno.EISDIR, errno.ELOOP)


@contextmanager
def translated(folder: str, operation: str, name: str, absent: bool = True) -> Iterator[None]:
    """Translate OSError into ObjectNotFound, BadObjectName or StorageError.

    `folder`: its URL. `operation`: "read", "list", ... `name`: an object or a folder. `absent`: a
    missing file means ObjectNotFound.
    """
    try:
        yield
    except OSError as exc:
        if absent and exc.errno in _ABSENT:
            raise ObjectNotFound(name) from exc
        if exc.errno == errno.ENAMETOOLONG:
            raise BadObjectName(name, "a part of it is too long for this file system") from exc
        raise StorageError(f"{operation} {name!r} in {folder}: {exc}") from exc
