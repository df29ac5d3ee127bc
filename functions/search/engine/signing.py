"""Addresses of private thumbnails that anyone may open for a while.

Signed by a service account without a key file: its signature comes from the IAM Credentials API.
https://cloud.google.com/storage/docs/access-control/signed-urls
https://cloud.google.com/iam/docs/reference/credentials/rest/v1/projects.serviceAccounts/signBlob
Imported on the first search, not with main.py.
"""

from __future__ import annotations

import base64
import os
import threading
import time
from collections import OrderedDict
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

from clipsearch.errors import StorageError
from clipsearch.storage import gs_parts

# Seconds. An address is given out again for half its life, so each answer is good for the other
# half, and a browser finds pictures in its cache.
LIFE_S = 3600
# A signature takes some 50 ms; a page of answers has 24 to 100.
AT_ONCE = 16
# An address has about 1 kB.
REMEMBERED = 20_000

SERVICE = "https://iamcredentials.googleapis.com"
SCOPE = "https://www.googleapis.com/auth/cloud-platform"
PUBLIC = "https://storage.googleapis.com"
PASSING = (429, 500, 502, 503, 504)
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
        self._signer: Any = None

    def of(self, names: Sequence[str]) -> list[str]:
        """The addresses of these objects. Raises StorageError."""
        now = time.monotonic()
        with self._lock:
            known = {name: self._known[name] for name in names if name in self._known}
        found = {name: address for name, (until, address) in known.items() if until > now}
        missing = [name for name in names if name not in found]
        if missing:
            signer = self._connected()
            signed = self._threads.map(lambda name: self._sign(name, signer), missing)
            found |= zip(missing, signed, strict=True)
            with self._lock:
                for name in missing:
                    self._known[name] = now + LIFE_S / 2, found[name]
                    self._known.move_to_end(name)
                while len(self._known) > REMEMBERED:
                    self._known.popitem(last=False)
        return [found[name] for name in names]

    def _sign(self, name: str, signer: Any) -> str:
        from google.cloud.storage import Client

        # Never asked anything: it only knows how such an address is put together.
        client: Any = Client(project="none", credentials=signer)
        blob = client.bucket(self._bucket).blob(self._prefix + name)
        address: str = blob.generate_signed_url(
            version="v4", expiration=timedelta(seconds=LIFE_S), api_access_endpoint=PUBLIC
        )
        return address

    def _connected(self) -> Any:
        with self._lock:
            if self._signer is None:
                self._signer = _signer(self._account)
            return self._signer


def _signer(account: str) -> Any:
    """Credentials whose signatures are made by the IAM Credentials API. Raises StorageError."""
    from google.auth.credentials import AnonymousCredentials, Signing
    from google.auth.exceptions import GoogleAuthError

    try:
        session = _session()
    except GoogleAuthError as exc:  # there are no credentials here to ask it with
        raise StorageError(f"sign as {account}: {exc}") from exc
    url = f"{_service()}/v1/projects/-/serviceAccounts/{account}:signBlob"

    class Signer(AnonymousCredentials, Signing):
        signer = None
        signer_email = account

        def sign_bytes(self, message: bytes) -> bytes:
            body = {"payload": base64.b64encode(message).decode()}
            try:
                with session.post(url, json=body, timeout=TIMEOUT_S) as answer:
                    if answer.ok:
                        return base64.b64decode(answer.json()["signedBlob"])
                    trouble = f"{answer.status_code} {answer.reason}: {answer.text[:300]}"
            except (GoogleAuthError, OSError, KeyError, ValueError) as exc:
                raise StorageError(f"sign as {account}: {exc}") from exc
            raise StorageError(f"sign as {account}: {trouble}")

    made: Any = Signer  # untyped
    return made()


def _service() -> str:
    emulator = os.environ.get("IAM_CREDENTIALS_EMULATOR_HOST")  # for tests; Google has no such name
    return f"http://{emulator}" if emulator else SERVICE


def _session() -> Any:
    import google.auth
    from google.auth import credentials
    from google.auth.transport import requests
    from requests.adapters import HTTPAdapter
    from urllib3.util import Retry

    untyped: Any = (requests.AuthorizedSession, credentials.AnonymousCredentials)
    new_session, anonymous = untyped
    is_real = _service() == SERVICE
    session = new_session(google.auth.default(scopes=[SCOPE])[0] if is_real else anonymous())
    # The same signature again is the same: what passes may be tried again.
    retry = Retry(
        TRIED_AGAIN,
        backoff_factor=0.1,
        status_forcelist=PASSING,
        allowed_methods=["POST"],
        raise_on_status=False,
        respect_retry_after_header=False,  # it may be longer than anybody waits
    )
    adapter = HTTPAdapter(pool_maxsize=AT_ONCE, max_retries=retry)
    session.mount("https://", adapter)
    session.mount("http://", adapter)
    return session
