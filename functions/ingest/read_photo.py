"""Reading one generation of a photo, and what it means if that cannot be.

Imported on the first event, not with main.py.
"""

from __future__ import annotations

from collections.abc import Collection
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

# What photos are called. Other files are looked into before they are read.
ENDINGS = {
    *("", ".jpg", ".jpeg", ".jpe", ".jfif", ".png", ".apng", ".webp", ".gif", ".bmp", ".dib"),
    *(".tif", ".tiff", ".avif", ".avifs", ".heic", ".heif", ".hif", ".mpo"),
}


def read_photo(name: str, generation: int, size: int | None, photos: Bucket) -> bytes:
    """The bytes of this very generation; what is too large is not read.

    Raises ObjectNotFound if it is gone or replaced, UnreadablePhoto, StorageError.
    """
    try:
        if not _is_called_like_a_photo(name):
            _look_into(name, photos)
        size = size if size is not None else photos.stat(name).size
        if size > MAX_BYTES:
            raise PhotoTooLarge(f"{size:,} bytes; at most {MAX_BYTES:,} are allowed")
        return photos.read(name, generation, most=MAX_BYTES)
    except ObjectTooLarge as exc:
        reason = f"more than {MAX_BYTES:,} bytes once its gzip is undone, which is the limit"
        raise PhotoTooLarge(reason) from exc
    except BadObjectName as exc:  # for ever: a file with another name is another photo
        raise PhotoRefused(f"the file cannot be read: {exc.reason}", is_certain=True) from exc
    except ObjectUnreadable as exc:
        raise PhotoRefused(f"the file cannot be read: {exc.reason}", exc.is_certain) from exc


def check_storage_answers(refused: Collection[tuple[str, PhotoRefused]], photos: Bucket) -> None:
    """Raise StorageError if it may be that storage refuses not only these photos, by name: a lost
    role looks the same for every object, and must never become failures that are answered 2xx."""
    uncertain = {name: error for name, error in refused if not error.is_certain}
    if uncertain and not answers(photos, other_than=uncertain):
        name, error = next(iter(uncertain.items()))
        reason = f"{error.reason}, and no other photo can be read either"
        raise StorageError(f"read {name!r} in {photos.url}: {reason}") from error


def cause_of(error: UnreadablePhoto) -> int:
    """As in Entry."""
    if isinstance(error, PhotoRefused):
        return Cause.REFUSED
    return Cause.SKIPPED if isinstance(error, NotAPhoto) else DECODER


def _is_called_like_a_photo(name: str) -> bool:
    path = PurePosixPath(name)
    return path.suffix.lower() in ENDINGS and not path.name.startswith("._")


def _look_into(name: str, photos: Bucket) -> None:
    """NotAPhoto unless its first bytes are a picture's all the same."""
    beginning = bytearray(FIRST_BYTES)
    size = photos.read_into(name, memoryview(beginning))
    try:
        format_of(bytes(beginning[:size]))
    except UnreadablePhoto as error:
        raise NotAPhoto(error.reason) from error
