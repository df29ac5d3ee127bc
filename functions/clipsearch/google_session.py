"""Sessions and retries for Google REST APIs that are used without a client: Pub/Sub and IAM.

Imports Google's modules only when called: they are heavy, and local folders need none.
"""

from __future__ import annotations

from typing import Any

# Transient HTTP statuses; retries of others would fail again.
PASSING = (408, 429, 500, 502, 503, 504)


def authorized_session(scope: str | None, retries: int = 0, connections: int = 10) -> Any:
    """Return a requests session that sends the function's credentials.

    If `scope` is None, it sends none, as emulators expect. Transient failures are retried
    `retries` times, POSTs too, so every request must be idempotent. `connections` are kept open.
    Raises GoogleAuthError if there are no credentials.
    """
    import google.auth
    from google.auth.credentials import AnonymousCredentials
    from google.auth.transport.requests import AuthorizedSession
    from requests.adapters import HTTPAdapter
    from urllib3.util import Retry

    untyped: Any = (AuthorizedSession, AnonymousCredentials)
    new_session, anonymous = untyped
    session = new_session(google.auth.default(scopes=[scope])[0] if scope else anonymous())
    retry = Retry(
        retries,
        backoff_factor=0.1,
        status_forcelist=PASSING if retries else (),
        allowed_methods=None,  # any
        respect_retry_after_header=False,  # may be longer than callers wait
    )
    for scheme in ("https://", "http://"):
        session.mount(scheme, HTTPAdapter(pool_maxsize=connections, max_retries=retry))
    return session


def passing_retry(seconds: float, first_wait: float, longest_wait: float) -> Any:
    """Return a decorator that retries transient errors for `seconds`.

    They are the errors that Cloud Storage's client retries. Waits start at `first_wait` seconds
    and double up to `longest_wait`. Then it raises a GoogleAPIError.
    """
    from google.cloud.storage.retry import DEFAULT_RETRY

    policy: Any = DEFAULT_RETRY.with_timeout(seconds)
    return policy.with_delay(initial=first_wait, maximum=longest_wait, multiplier=2.0)
