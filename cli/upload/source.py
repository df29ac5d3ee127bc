"""Where photos come from, and the errors that a source raises."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol


class NotAPhoto(Exception):
    """The file is not a photo, and nothing is lost without it."""


class OwnFault(Exception):
    """This photo cannot be uploaded. Others may be fine."""


class Unavailable(Exception):
    """This photo could not be read, for a reason that may affect all photos.

    `again`: a retry may help.
    """

    def __init__(self, reason: str, again: bool = False) -> None:
        self.again = again
        super().__init__(reason)


class GiveUp(Exception):
    """No further photo can be read."""


class Source(Protocol):
    """Photos by their names in the bucket. Several threads use it at once."""

    prefix: str  # of all names
    is_immutable: bool  # an object in the bucket needs no comparison
    cache_control: str

    def names(self) -> Sequence[str]:
        """The names of all photos, each once."""

    def left_out(self) -> Mapping[str, str]:
        """Reasons by name: photos that are missing from names()."""

    def read(self, name: str) -> bytes:
        """The bytes of a photo. Raises NotAPhoto, OwnFault, Unavailable, GiveUp."""

    def content_type(self, data: bytes) -> str:
        """The content type of `data`. NotAPhoto, OwnFault or Unavailable if it is not a photo."""

    def metadata(self, name: str) -> Mapping[str, str]:
        """The metadata of the object."""
