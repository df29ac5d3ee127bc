"""Errors as RFC 9457 problem details. TABLE maps each error to its HTTP status.

RequestError                the request is wrong (or, for Busy, comes at a bad time)
├── BadRequest        400   the body is not a valid form
├── SwitchedOff       403   this deployment has switched the path off
├── UnknownPath       404
├── WrongMethod       405   with Allow
├── TooSlow           408   the body did not arrive in time
├── TooLarge          413
├── WrongContentType  415
├── TooMany           429   one client sends too many requests; with Retry-After
└── Busy              503   too many requests are waiting; with Retry-After
UrlNotAllowed is a 400. A site that fails is a 424 and not a 5xx, because a 5xx raises an alert.
The engine raises BadQuery for a wrong parameter, also a 400. TABLE also has the errors of
clipsearch: no such photo (404), an unreadable picture (413, 422), no model, index or storage (503).
"""

import logging
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from http import HTTPStatus

from clipsearch.errors import (
    DamagedObject,
    NotReady,
    PhotoNotIndexed,
    PhotoTooLarge,
    StorageError,
    UnreadablePhoto,
)
from clipsearch.text import MOST_SHOWN, shortened
from search.engine.errors import BadQuery, detail_of
from search.fetch.errors import SiteFailed, SiteTooSlow, UrlNotAllowed

log = logging.getLogger("clipsearch")

MEDIA_TYPE = "application/problem+json"

# Seconds. A place in the queue is soon free again; a model or an index needs a deployment.
RETRY_BUSY = 1
RETRY_NOT_READY = 5


class RequestError(Exception):
    """The message is for the person who sent the request."""


class BadRequest(RequestError):
    pass


class SwitchedOff(RequestError):
    pass


class UnknownPath(RequestError):
    pass


class WrongMethod(RequestError):
    def __init__(self, method: str, allowed: Iterable[str]) -> None:
        self.allow = ", ".join(allowed)
        super().__init__(f"method {method} is not allowed here; allowed: {self.allow}")


class TooSlow(RequestError):
    pass


class TooLarge(RequestError):
    pass


class WrongContentType(RequestError):
    pass


class TooMany(RequestError):
    def __init__(self, message: str, retry_after: int) -> None:
        """`retry_after`: seconds until the client may send a request again."""
        self.retry_after = retry_after
        super().__init__(message)


class Busy(RequestError):
    pass


@dataclass(frozen=True)
class Problem:
    status: int
    detail: str
    headers: Mapping[str, str] = field(default_factory=dict)

    @property
    def title(self) -> str:
        return HTTPStatus(self.status).phrase

    def body(self) -> dict[str, object]:
        return {
            "type": "about:blank",
            "title": self.title,
            "status": self.status,
            "detail": self.detail,
        }


# Most specific first.
TABLE: tuple[tuple[type[Exception], int], ...] = (
    (BadQuery, 400),
    (BadRequest, 400),
    (UrlNotAllowed, 400),
    (SwitchedOff, 403),
    (UnknownPath, 404),
    (PhotoNotIndexed, 404),
    (WrongMethod, 405),
    (TooSlow, 408),
    (TooLarge, 413),
    (PhotoTooLarge, 413),
    (WrongContentType, 415),
    (UnreadablePhoto, 422),
    (SiteFailed, 424),
    (SiteTooSlow, 424),
    (TooMany, 429),
    (Busy, 503),
    (NotReady, 503),
    (DamagedObject, 503),
    (StorageError, 503),
)
_UNEXPECTED = "internal error; the log of the function has the cause"


def problem_of(error: Exception) -> Problem:
    """Return the problem for `error`. An unexpected error is a 500 that hides its cause."""
    for kind, status in TABLE:
        if isinstance(error, kind):
            if isinstance(error, NotReady | StorageError | DamagedObject):
                log.warning("%s: %s", type(error).__name__, error)
            return Problem(status, _bounded(detail_of(error)), _headers(error))
    log.error("unexpected %s: %s", type(error).__name__, error, exc_info=error)
    return Problem(500, _UNEXPECTED)


def _headers(error: Exception) -> dict[str, str]:
    if isinstance(error, WrongMethod):
        return {"Allow": error.allow}
    if isinstance(error, TooMany):
        return {"Retry-After": str(error.retry_after)}
    if isinstance(error, Busy):
        return {"Retry-After": str(RETRY_BUSY)}
    if isinstance(error, NotReady | StorageError | DamagedObject):
        return {"Retry-After": str(RETRY_NOT_READY)}
    return {}


def _bounded(detail: str) -> str:
    """Cut the middle of a long message: that is the value sent. Its end says what is allowed."""
    if len(detail) <= 2 * MOST_SHOWN:
        return detail
    return f"{shortened(detail)}{detail[-MOST_SHOWN:]}"
