"""Reads one generation of a photo, or says why it cannot be read.

Import this on the first event, not with main.py.
"""

from __future__ import annotations

from collections.abc import Collection
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import PurePosixPath

from clipsearch.errors import (
    BadObjectName,
    NotAPhoto,
    ObjectTooLarge,
    ObjectUnreadable,
    PhotoRefused,
    PhotoTooLarge,
    StorageError,
    UnreadablePhoto,
)
from clipsearch.images.decode import DECODER, MAX_BYTES
from clipsearch.images.kinds import FIRST_BYTES, format_of
from clipsearch.index.format.entries import Cause
from clipsearch.storage import Bucket
from clipsearch.storage.probe import answers

# Endings of photos. `ingest` reads the first bytes of other files before the whole file.
ENDINGS = {
    *("", ".jpg", ".jpeg", ".jpe", ".jfif", ".png", ".apng", ".webp", ".gif", ".bmp", ".dib"),
    *(".tif", ".tiff", ".avif", ".avifs", ".heic", ".heif", ".hif", ".mpo"),
}


def read_photo(name: str, generation: int, size: int | None, photos: Bucket) -> bytes:
    """The bytes of exactly this generation. `size` in bytes, None: unknown.

    Raises ObjectNotFound if it is gone or replaced, UnreadablePhoto (PhotoTooLarge for more than
    MAX_BYTES), StorageError.
    """
    try:
        if not _is_called_like_a_photo(name):
            _look_into(name, photos)
        size = size if size is not None else photos.stat(name).size
        if size > MAX_BYTES:
            raise PhotoTooLarge(f"{size:,} bytes; a photo may have {MAX_BYTES:,}")
        return photos.read(name, generation, most=MAX_BYTES)
    except ObjectTooLarge as exc:
        reason = f"more than {MAX_BYTES:,} bytes after gunzip; a photo may have {MAX_BYTES:,}"
        raise PhotoTooLarge(reason) from exc
    except BadObjectName as exc:  # certain: a renamed file is another photo
        raise PhotoRefused(f"the file cannot be read: {exc.reason}", is_certain=True) from exc
    except ObjectUnreadable as exc:
        raise PhotoRefused(f"the file cannot be read: {exc.reason}", exc.is_certain) from exc


def begin_reading(name: str, generation: int, size: int | None, photos: Bucket) -> Future[bytes]:
    """Begin read_photo() in a thread. The result is the same, or the same errors."""
    with_thread = ThreadPoolExecutor(1, "clipsearch-begun")
    begun = with_thread.submit(read_photo, name, generation, size, photos)
    with_thread.shutdown(wait=False)
    return begun


def check_storage_answers(refused: Collection[tuple[str, PhotoRefused]], photos: Bucket) -> None:
    """StorageError if the storage refuses other photos, too.

    `refused`: names and errors. A lost role looks the same for every object. It must not turn all
    photos into failures that are answered 2xx.
    """
    uncertain = {name: error for name, error in refused if not error.is_certain}
    if uncertain and not answers(photos, other_than=uncertain):
        name, error = next(iter(uncertain.items()))
        reason = f"{error.reason}, and no other photo can be read either"
        raise StorageError(f"read {name!r} in {photos.url}: {reason}") from error


def cause_of(error: UnreadablePhoto) -> int:
    """The cause that the failure's Entry keeps."""
    if isinstance(error, PhotoRefused):
        return Cause.REFUSED
    return Cause.SKIPPED if isinstance(error, NotAPhoto) else DECODER


def _is_called_like_a_photo(name: str) -> bool:
    path = PurePosixPath(name)
    return path.suffix.lower() in ENDINGS and not path.name.startswith("._")


def _look_into(name: str, photos: Bucket) -> None:
    """NotAPhoto unless the first bytes are those of a picture."""
    beginning = bytearray(FIRST_BYTES)
    size = photos.read_into(name, memoryview(beginning))
    try:
        format_of(bytes(beginning[:size]))
    except UnreadablePhoto as error:
        raise NotAPhoto(error.reason) from error
