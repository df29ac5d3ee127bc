"""Sessions and retries for Google's REST APIs that have no client here: Pub/Sub and IAM.

Imports Google's modules only when it is called: they are heavy, and a folder needs none.
"""

from __future__ import annotations

from typing import Any

# These pass; other answers would be the same again.
PASSING = (408, 429, 500, 502, 503, 504)


def authorized_session(scope: str | None, retries: int = 0, connections: int = 10) -> Any:
    """A requests session that sends the credentials of this function; none if `scope` is None,
    as emulators want it.

    A request that fails in passing is sent again, `retries` times, a POST too: it must do no harm
    twice. `connections` are kept open. Raises GoogleAuthError if there are no credentials.
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
        respect_retry_after_header=False,  # it may be longer than anybody waits
    )
    for scheme in ("https://", "http://"):
        session.mount(scheme, HTTPAdapter(pool_maxsize=connections, max_retries=retry))
    return session


def passing_retry(seconds: float, first_wait: float, longest_wait: float) -> Any:
    """A decorator: calls again for so many `seconds` while what is raised may pass, as Cloud
    Storage's client does. Then it raises a GoogleAPIError."""
    from google.cloud.storage.retry import DEFAULT_RETRY

    policy: Any = DEFAULT_RETRY.with_timeout(seconds)
    return policy.with_delay(initial=first_wait, maximum=longest_wait, multiplier=2.0)
