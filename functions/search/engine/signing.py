"""Signed URLs: anyone with the URL of a private thumbnail can open it for an hour.

A service account signs them without a key file, through the IAM Credentials API.
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

# Seconds. A URL is reused for half its life. So it stays valid for at least the other half, and
# browsers find the pictures in their cache.
LIFE_S = 3600
# A signature takes about 50 ms; a page of results needs 24 to 100.
AT_ONCE = 16
# URLs; each has about 1 kB.
REMEMBERED = 20_000

SCOPE = "https://www.googleapis.com/auth/cloud-platform"
PUBLIC = "https://storage.googleapis.com"
# All attempts together take less than search's 60 s, so that a 503 can give the reason.
TRIED_AGAIN = 3
TIMEOUT_S = (3.0, 10.0)  # connect, read


class SignedAddresses:
    """Signs URLs of objects in gs://BUCKET[/PREFIX] as a service account.

    Safe to use from several threads. Connects on first use.
    """

    def __init__(self, bucket_url: str, account: str) -> None:
        self._bucket, self._prefix = gs_parts(bucket_url)
        self._account = account
        self._known: OrderedDict[str, tuple[float, str]] = OrderedDict()  # valid until, URL
        self._lock = threading.Lock()
        self._threads = ThreadPoolExecutor(AT_ONCE, "signing")
        self._signing: Any = None

    def of(self, names: Sequence[str]) -> list[str]:
        """Return the signed URLs of these objects. Raises StorageError."""
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
            raise StorageError(f"cannot sign URLs as {self._account}: {exc}") from exc
        except (KeyError, TypeError, ValueError) as exc:
            trouble = f"the answer of IAM has no signature ({exc!r})"
            raise StorageError(f"cannot sign URLs as {self._account}: {trouble}") from exc
        return address

    def _connected(self) -> Any:
        with self._lock:
            if self._signing is None:
                self._signing = _signing_bucket(self._bucket, self._account)
            return self._signing


def _signing_bucket(name: str, account: str) -> Any:
    """Return a bucket of Google's client that signs as `account`. Raises StorageError."""
    from google.auth.credentials import AnonymousCredentials
    from google.auth.exceptions import GoogleAuthError
    from google.auth.iam import Signer
    from google.auth.transport.requests import Request
    from google.cloud.storage import Client
    from google.oauth2.service_account import Credentials

    try:
        session = authorized_session(SCOPE, TRIED_AGAIN, AT_ONCE)
    except GoogleAuthError as exc:  # no credentials in this environment
        raise StorageError(f"cannot sign URLs as {account}: {exc}") from exc
    untyped: Any = (Request, AnonymousCredentials, Signer, Credentials, Client)
    new_request, anonymous, new_signer, new_credentials, new_client = untyped
    request = partial(new_request(session), timeout=TIMEOUT_S)
    # Anonymous: the session already sends the credentials.
    signer = new_signer(request, anonymous(), account)
    # The client sends no request: it only builds the URL.
    credentials = new_credentials(signer, account, token_uri="")
    return new_client(project="none", credentials=credentials).bucket(name)
