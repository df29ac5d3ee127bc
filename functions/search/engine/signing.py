"""Addresses of private thumbnails that anyone may open for a while.

Signed by a service account without a key file: its signature comes from the IAM Credentials API.
https://cloud.google.com/storage/docs/access-control/signed-urls
https://cloud.google.com/iam/docs/reference/credentials/rest/v1/projects.serviceAccounts/signBlob
Imported on the first search, not with main.py.
"""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from functools import partial
from typing import Any

from clipsearch.errors import StorageError
from clipsearch.google_session import authorized_session
from clipsearch.storage import gs_parts

# Seconds. An address is given out again for half its life, so each answer is good for the other
# half, and a browser finds pictures in its cache.
LIFE_S = 3600
# A signature takes some 50 ms; a page of answers has 24 to 100.
AT_ONCE = 16
# An address has about 1 kB.
REMEMBERED = 20_000

SCOPE = "https://www.googleapis.com/auth/cloud-platform"
PUBLIC = "https://storage.googleapis.com"
# All attempts together end before search's own time does (60 s), so that a 503 says what it was.
TRIED_AGAIN = 3
TIMEOUT_S = (3.0, 10.0)  # to connect, and for the answer


class SignedAddresses:
    """Addresses in the bucket at gs://BUCKET[/PREFIX], signed by a service account. Safe to use
    from several threads; connects on first use."""

    def __init__(self, bucket_url: str, account: str) -> None:
        self._bucket, self._prefix = gs_parts(bucket_url)
        self._account = account
        self._known: OrderedDict[str, tuple[float, str]] = OrderedDict()  # good until; address
        self._lock = threading.Lock()
        self._threads = ThreadPoolExecutor(AT_ONCE, "signing")
        self._signing: Any = None

    def of(self, names: Sequence[str]) -> list[str]:
        """The addresses of these objects. Raises StorageError."""
        now = time.monotonic()
        with self._lock:
            known = {name: self._known[name] for name in names if name in self._known}
        found = {name: address for name, (until, address) in known.items() if until > now}
        missing = [name for name in names if name not in found]
        if missing:
            bucket = self._connected()
            signed = self._threads.map(lambda name: self._sign(name, bucket), missing)
            found |= zip(missing, signed, strict=True)
            with self._lock:
                for name in missing:
                    self._known[name] = now + LIFE_S / 2, found[name]
                    self._known.move_to_end(name)
                while len(self._known) > REMEMBERED:
                    self._known.popitem(last=False)
        return [found[name] for name in names]

    def _sign(self, name: str, bucket: Any) -> str:
        from google.auth.exceptions import GoogleAuthError

        try:
            address: str = bucket.blob(self._prefix + name).generate_signed_url(
                version="v4", expiration=timedelta(seconds=LIFE_S), api_access_endpoint=PUBLIC
            )
        except (GoogleAuthError, OSError) as exc:
            raise StorageError(f"sign as {self._account}: {exc}") from exc
        except (KeyError, TypeError, ValueError) as exc:
            trouble = f"IAM answered no signature ({exc!r})"
            raise StorageError(f"sign as {self._account}: {trouble}") from exc
        return address

    def _connected(self) -> Any:
        with self._lock:
            if self._signing is None:
                self._signing = _signing_bucket(self._bucket, self._account)
            return self._signing


def _signing_bucket(name: str, account: str) -> Any:
    """The bucket as Google's client knows it; it signs as `account`. Raises StorageError."""
    from google.auth.credentials import AnonymousCredentials
    from google.auth.exceptions import GoogleAuthError
    from google.auth.iam import Signer
    from google.auth.transport.requests import Request
    from google.cloud.storage import Client
    from google.oauth2.service_account import Credentials

    try:
        session = authorized_session(SCOPE, TRIED_AGAIN, AT_ONCE)
    except GoogleAuthError as exc:  # there are no credentials here to ask it with
        raise StorageError(f"sign as {account}: {exc}") from exc
    untyped: Any = (Request, AnonymousCredentials, Signer, Credentials, Client)
    new_request, anonymous, new_signer, new_credentials, new_client = untyped
    request = partial(new_request(session), timeout=TIMEOUT_S)
    # Anonymous, because the session sends the credentials already.
    signer = new_signer(request, anonymous(), account)
    # The client asks nothing: it only knows how such an address is put together.
    credentials = new_credentials(signer, account, token_uri="")
    return new_client(project="none", credentials=credentials).bucket(name)
