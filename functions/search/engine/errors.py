"""The error for wrong values in a request, and public messages for other errors."""

from clipsearch.errors import ClipsearchError, NoModel, NotReady, StorageError
from clipsearch.text import shortened


class BadQuery(ClipsearchError):
    """A value in the request is wrong. The message is for the person who sent it."""


# Public messages that replace the error's own, which names accounts and buckets.
_PUBLIC: tuple[tuple[type[Exception], str], ...] = (
    (NoModel, "no model has been published yet, or its upload is incomplete"),
    (NotReady, "No photos yet. Add some to the bucket; they appear here within seconds."),
    (StorageError, "storage is temporarily unavailable; try again in a moment"),
)


def detail_of(error: Exception) -> str:
    """The public message for `error`, which must be one of the expected errors."""
    return next((said for kind, said in _PUBLIC if isinstance(error, kind)), str(error))


def quoted(value: str) -> str:
    """Escape and shorten `value` for a message."""
    return repr(shortened(value, 60))
