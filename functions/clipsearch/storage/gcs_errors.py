"""Translates the errors of Google's client into ours. Import late: it imports the client."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from google.api_core.exceptions import BadRequest, Forbidden, GoogleAPIError, NotFound
from google.auth.exceptions import GoogleAuthError
from google.cloud.storage.exceptions import DataCorruption, InvalidResponse
from urllib3.exceptions import DecodeError, HTTPError

from clipsearch.errors import ObjectNotFound, ObjectUnreadable, StorageError

# Errors that one object may cause. The storage's own messages name accounts, and everyone can
# see the reason, so we use our own texts.
_OWN_FAULTS: dict[type[Exception], str] = {
    BadRequest: "the storage refused it (400); check for a customer-supplied encryption key",
    Forbidden: "the storage denied access (403); check its permissions and its Cloud KMS key",
    DataCorruption: "its bytes do not match its checksum",
    DecodeError: "its Content-Encoding is gzip, but its bytes are not gzip",
}


@contextmanager
def translated(operation: str, name: str, generation: int | None, bucket: str) -> Iterator[None]:
    """Translate the client's exceptions to ObjectNotFound, ObjectUnreadable or StorageError.

    `operation`: "read", "list", ... `name`: an object or a prefix. `bucket`: its address.
    """
    what = f"{operation} {name!r} in {bucket}"
    try:
        yield
    except NotFound as exc:
        if operation in ("list", "create"):  # these need no object, so the bucket is missing
            raise StorageError(f"{what}: no such bucket ({exc})") from exc
        raise ObjectNotFound(name, generation) from exc
    # OSError: every error of requests, including timeouts, and a full disk.
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
