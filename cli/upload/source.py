"""What the engine asks of where photos come from, and what may come instead of a photo."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol


class NotAPhoto(Exception):
    """This is something else than a photo, and no photo is missing without it."""


class OwnFault(Exception):
    """This photo cannot be uploaded as it is. It says nothing about the others."""


class Unavailable(Exception):
    """This photo could not be had, and what is in the way may be in the way of all.

    `again`: trying again may help."""

    def __init__(self, reason: str, again: bool = False) -> None:
        self.again = again
        super().__init__(reason)


class GiveUp(Exception):
    """No photo can be had any more."""


class Source(Protocol):
    """Photos by the names that they get in the bucket. Several threads use it at once."""

    prefix: str  # of all names
    is_immutable: bool  # what is there under a name needs no comparing
    cache_control: str

    def names(self) -> Sequence[str]:
        """What is asked for, each once."""

    def left_out(self) -> Mapping[str, str]:
        """What should have been among the names and cannot be, with the reason."""

    def read(self, name: str) -> bytes:
        """Raises NotAPhoto, OwnFault, Unavailable, GiveUp."""

    def content_type(self, data: bytes) -> str:
        """Of a whole photo, else raises NotAPhoto, OwnFault, Unavailable."""

    def metadata(self, name: str) -> Mapping[str, str]:
        """What is kept with the object."""
