"""Every error that clipsearch raises on purpose.

    ClipsearchError
    ├── SettingsError             a setting is missing, invalid or unknown
    ├── StorageError              storage trouble; the same call may work later
    │   ├── ObjectNotFound        no such object, or no such generation of it
    │   ├── ObjectExists          create(): a different object already has the name
    │   ├── ObjectUnreadable      the object is there, but it cannot be read
    │   ├── ObjectTooLarge        the object has more bytes than were asked for at most
    │   └── BadObjectName         no object can ever have this name (also a ValueError)
    ├── TopicError                a message was not published; the same call may work later
    ├── DamagedObject             a segment, commit or model file is not what it must be
    ├── NotReady                  no model or no index yet
    │   └── NoModel
    ├── PhotoNotIndexed           no vector is known for this photo
    └── UnreadablePhoto           bad data, for ever: trying again cannot help
        ├── PhotoTooLarge         more bytes than a photo may have
        ├── PhotoRefused          the storage does not give it; perhaps later
        └── NotAPhoto             no photo, by its name and its content

Each class keeps its data as attributes and builds its own sentence.
"""

from __future__ import annotations

from clipsearch.text import shortened


class ClipsearchError(Exception):
    """The root of the tree."""


class SettingsError(ClipsearchError):
    """The environment variable `name` has a `value` (None: it is not set) that is not `allowed`."""

    def __init__(self, name: str, value: str | None, allowed: str) -> None:
        self.name, self.value, self.allowed = name, value, allowed
        state = "is not set" if value is None else f"is {value!r}"
        super().__init__(f"{name} {state}; it must be {allowed}")


class StorageError(ClipsearchError):
    """The storage did not do what was asked; the message names operation, bucket and object."""


class ObjectNotFound(StorageError):
    """There is no object `name`, or its `generation` (when given) is gone or replaced."""

    def __init__(self, name: str, generation: int | None = None) -> None:
        self.name, self.generation = name, generation
        which = "" if generation is None else f" of generation {generation}"
        super().__init__(f"there is no object {name!r}{which}")


class ObjectExists(StorageError):
    """`name` is already taken by an object with other bytes."""

    def __init__(self, name: str) -> None:
        self.name = name
        super().__init__(f"another object is already named {name!r}")


class BadObjectName(StorageError, ValueError):
    """`name` cannot be the name of an object, because of `reason`."""

    def __init__(self, name: str, reason: str) -> None:
        self.name, self.reason = name, reason
        super().__init__(f"{name!r} cannot be the name of an object: {reason}")


class ObjectUnreadable(StorageError):
    """The object `name` is there and cannot be read, because of `reason`: its permissions, its
    key, its encoding, its checksum.

    `is_certain`: it is this object alone. Cloud Storage says the same of each object of a bucket
    that may not be read; there storage/probe.py tells."""

    def __init__(self, name: str, reason: str, is_certain: bool = False) -> None:
        self.name, self.reason, self.is_certain = name, reason, is_certain
        super().__init__(f"the object {name!r} cannot be read: {reason}")


class ObjectTooLarge(StorageError):
    """The object `name` has more than `most` bytes, after its Content-Encoding was undone."""

    def __init__(self, name: str, most: int) -> None:
        self.name, self.most = name, most
        super().__init__(f"the object {name!r} has more than {most:,} bytes")


class TopicError(ClipsearchError):
    """The topic did not take a message; the sentence names the topic and says why."""


class DamagedObject(ClipsearchError):
    """The object `name` can be read but is not what it must be, because of `reason`."""

    def __init__(self, name: str, reason: str) -> None:
        self.name, self.reason = name, reason
        super().__init__(f"the object {name!r} is damaged: {reason}")


class NotReady(ClipsearchError):
    """`what` does not exist yet."""

    def __init__(self, what: str) -> None:
        self.what = what
        super().__init__(f"{what} is not there yet")


class NoModel(NotReady):
    """No model has been published."""

    def __init__(self, what: str = "a model") -> None:
        super().__init__(what)


class PhotoNotIndexed(ClipsearchError):
    """The photo `name` has no vector in the index."""

    def __init__(self, name: str) -> None:
        self.name = name
        super().__init__(f"the photo {shortened(name)!r} is not in the index")


class UnreadablePhoto(ClipsearchError):
    """The bytes are not a photo that can be indexed, because of `reason` (a full sentence part)."""

    def __init__(self, reason: str) -> None:
        self.reason = reason
        super().__init__(reason)


class PhotoTooLarge(UnreadablePhoto):
    """The photo has more bytes than are accepted."""


class PhotoRefused(UnreadablePhoto):
    """The storage does not give this photo. `is_certain` as in ObjectUnreadable."""

    def __init__(self, reason: str, is_certain: bool) -> None:
        self.is_certain = is_certain
        super().__init__(reason)


class NotAPhoto(UnreadablePhoto):
    """A file that nobody would take for a photo; it is counted apart."""
