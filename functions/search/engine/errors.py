"""The error of a request's values, and what anyone may read of any error."""

from clipsearch.errors import ClipsearchError, NoModel, StorageError
from clipsearch.text import shortened


class BadQuery(ClipsearchError):
    """A value of the request is wrong; the message is for the person who sent it."""


# What anyone may read in place of the error's own message, which names accounts and buckets.
_PUBLIC: tuple[tuple[type[Exception], str], ...] = (
    (NoModel, "no model has been published yet, or not all of it is there"),
    (StorageError, "the storage does not answer as it should; try again in a moment"),
)


def detail_of(error: Exception) -> str:
    """What anyone may read of `error`, one that was raised on purpose."""
    return next((said for kind, said in _PUBLIC if isinstance(error, kind)), str(error))


def quoted(value: str) -> str:
    """`value` for a message: escaped, and short however long it is."""
    return repr(shortened(value, 60))
