"""Turns the errors of Google's client into ours. Imports the client: import it late."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from google.api_core.exceptions import BadRequest, Forbidden, GoogleAPIError, NotFound
from google.auth.exceptions import GoogleAuthError
from google.cloud.storage.exceptions import DataCorruption, InvalidResponse
from urllib3.exceptions import DecodeError, HTTPError

from clipsearch.errors import ObjectNotFound, ObjectUnreadable, StorageError

# What may be the fault of the object that was asked for. Not in the storage's words: those name
# accounts, and the reason is shown to everybody.
_OWN_FAULTS: dict[type[Exception], str] = {
    BadRequest: "the storage refuses it (400); is it encrypted with a customer-supplied key?",
    Forbidden: "the storage forbids it (403); check its permissions and its Cloud KMS key",
    DataCorruption: "its bytes do not match its checksum",
    DecodeError: "its Content-Encoding is gzip, but its bytes are not",
}


@contextmanager
def translated(operation: str, name: str, generation: int | None, bucket: str) -> Iterator[None]:
    """Raise ObjectNotFound, ObjectUnreadable or StorageError for what the client raises.

    `operation` ("read", "list", ...) on the object `name`, or the prefix, of the bucket's address.
    """
    what = f"{operation} {name!r} in {bucket}"
    try:
        yield
    except NotFound as exc:
        if operation in ("list", "create"):  # these need no object, so the bucket is missing
            raise StorageError(f"{what}: there is no such bucket ({exc})") from exc
        raise ObjectNotFound(name, generation) from exc
    # OSError: every error of requests, timeouts included, and a full disk.
    except (
        GoogleAPIError,
        GoogleAuthError,
        DataCorruption,
        InvalidResponse,
        HTTPError,
        OSError,
    ) as exc:
        if operation in ("read", "download", "stat"):
            for fault, reason in _OWN_FAULTS.items():
                if isinstance(exc, fault):
                    raise ObjectUnreadable(name, reason) from exc
        raise StorageError(f"{what}: {exc}") from exc
