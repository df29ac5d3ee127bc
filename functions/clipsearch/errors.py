"""All errors that clipsearch raises on purpose.

    ClipsearchError
    ├── SettingsError             a setting is missing, invalid or unknown
    ├── StorageError              storage failed; the same call may work later
    │   ├── ObjectNotFound        no such object, or no such generation of it
    │   ├── ObjectExists          create(): a different object already has the name
    │   ├── ObjectUnreadable      the object is there, but it cannot be read
    │   ├── RowsLost              a search needs rows of a pack or table that is gone or damaged
    │   ├── ObjectTooLarge        the object has more bytes than the caller allows
    │   └── BadObjectName         not a valid object name (also a ValueError)
    ├── TopicError                a message was not published; the same call may work later
    ├── DamagedObject             a segment, commit or model file is invalid
    │   ├── UnknownFormat         a newer version wrote it; never discard it
    │   └── ModelNotAllowed       a model that the settings do not allow
    ├── NotReady                  no model or no index yet
    │   └── NoModel
    ├── PhotoNotIndexed           the photo has no vector in the index
    └── UnreadablePhoto           the data is bad; a retry cannot help
        ├── PhotoTooLarge         more bytes than a photo may have
        ├── PhotoRefused          storage refuses to read it; a later retry may help
        └── NotAPhoto             not a photo, by name and content

Each class keeps its data as attributes and builds its own message.
"""

from __future__ import annotations

from collections.abc import Collection

from clipsearch.text import shortened


class ClipsearchError(Exception):
    """The base class of all errors."""


class SettingsError(ClipsearchError):
    """The environment variable `name` must be `allowed`, but is `value` (None: not set)."""

    def __init__(self, name: str, value: str | None, allowed: str) -> None:
        self.name, self.value, self.allowed = name, value, allowed
        state = "is not set" if value is None else f"is {value!r}"
        super().__init__(f"{name} {state}; it must be {allowed}")


class StorageError(ClipsearchError):
    """A storage operation failed. The message names operation, bucket and object."""


class Outdated(StorageError):
    """What a process holds may be wrong, so it must not answer with it any longer."""


class ObjectNotFound(StorageError):
    """There is no object `name`, or its `generation` (if given) was deleted or replaced."""

    def __init__(self, name: str, generation: int | None = None) -> None:
        self.name, self.generation = name, generation
        which = "" if generation is None else f" of generation {generation}"
        super().__init__(f"there is no object {name!r}{which}")


class ObjectExists(StorageError):
    """The object `name` already exists with other bytes."""

    def __init__(self, name: str) -> None:
        self.name = name
        super().__init__(f"the object {name!r} already exists with other content")


class BadObjectName(StorageError, ValueError):
    """`name` is not a valid object name. `reason` says why."""

    def __init__(self, name: str, reason: str) -> None:
        self.name, self.reason = name, reason
        super().__init__(f"{name!r} is not a valid object name: {reason}")


class ObjectUnreadable(StorageError):
    """The object `name` exists but cannot be read: its permissions, key, encoding or checksum.

    `reason` says which. `is_certain`: only this object is affected. Cloud Storage gives the same
    error for every object of a bucket without read access; storage/probe.py tells them apart.
    """

    def __init__(self, name: str, reason: str, is_certain: bool = False) -> None:
        self.name, self.reason, self.is_certain = name, reason, is_certain
        super().__init__(f"the object {name!r} cannot be read: {reason}")


class RowsLost(StorageError):
    """A search needs rows of a pack or of a mirror's table `name`, which is gone or damaged:
    `reason`.

    The next refresh of the index replaces it.
    """

    def __init__(self, name: str, reason: str) -> None:
        self.name, self.reason = name, reason
        super().__init__(f"the rows in {name!r} cannot be used: {reason}")


class ObjectTooLarge(StorageError):
    """The object `name` has more than `most` bytes after its Content-Encoding is decoded."""

    def __init__(self, name: str, most: int) -> None:
        self.name, self.most = name, most
        super().__init__(f"the object {name!r} has more than {most:,} bytes")


class TopicError(ClipsearchError):
    """Publishing a message failed. The message names the topic and the reason."""


class DamagedObject(ClipsearchError):
    """The object `name` is readable but invalid. `reason` says why."""

    def __init__(self, name: str, reason: str) -> None:
        self.name, self.reason = name, reason
        super().__init__(f"the object {name!r} is damaged: {reason}")


class UnknownFormat(DamagedObject):
    """A newer version wrote the object `name`, in the format `found`; this one reads up to `known`.

    Readers skip it like a damaged object. Nothing may discard or delete it.
    """

    def __init__(self, name: str, found: int, known: int) -> None:
        super().__init__(
            name,
            f"a newer version of clipsearch wrote it, in format {found}; "
            f"this version reads format {known}: update this version",
        )
        self.args = (f"the object {name!r} cannot be read: {self.reason}",)


class ModelNotAllowed(DamagedObject):
    """The model.json `name` has the SHA-256 `digest`, which is not among those `allowed`."""

    def __init__(self, name: str, digest: str, allowed: Collection[str]) -> None:
        super().__init__(
            name,
            f"its SHA-256 is {digest}; CLIPSEARCH_MODEL_SHA256 allows only "
            f"{' and '.join(sorted(allowed))}",
        )
        self.digest, self.allowed = digest, tuple(allowed)
        self.args = (f"the model {name!r} is refused: {self.reason}",)


class NotReady(ClipsearchError):
    """`what` does not exist yet."""

    def __init__(self, what: str) -> None:
        self.what = what
        super().__init__(f"{what} does not exist yet")


class NoModel(NotReady):
    """No model has been published."""

    def __init__(self, what: str = "a model") -> None:
        super().__init__(what)


class ModelDiffers(ClipsearchError):
    """The bucket has the model with the text template `theirs`, and `ours` was to be published."""

    def __init__(self, name: str, ours: str | None, theirs: str | None) -> None:
        self.name, self.ours, self.theirs = name, ours, theirs
        super().__init__(
            f"the model is already in the bucket with {_template(theirs)}, and this one has "
            f"{_template(ours)}; delete the object {name!r}, publish again, then restart search"
        )


def _template(template: str | None) -> str:
    return "no text template" if template is None else f"the text template {template!r}"


class PhotoNotIndexed(ClipsearchError):
    """The photo `name` has no vector in the index."""

    def __init__(self, name: str) -> None:
        self.name = name
        super().__init__(f"the photo {shortened(name)!r} is not in the index")


class UnreadablePhoto(ClipsearchError):
    """The bytes cannot be indexed as a photo. `reason` is the message."""

    def __init__(self, reason: str) -> None:
        self.reason = reason
        super().__init__(reason)


class PhotoTooLarge(UnreadablePhoto):
    """The photo has more bytes than allowed."""


class PhotoRefused(UnreadablePhoto):
    """Storage refuses to read this photo. `is_certain` as in ObjectUnreadable."""

    def __init__(self, reason: str, is_certain: bool) -> None:
        self.is_certain = is_certain
        super().__init__(reason)


class NotAPhoto(UnreadablePhoto):
    """Neither name nor content are those of a photo. Such files are counted separately."""
