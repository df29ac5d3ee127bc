"""Questions to a running search."""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from collections.abc import Sequence
from http.client import HTTPException, HTTPResponse
from typing import Any, cast
from urllib.parse import urlencode, urlsplit

from cli.common.errors import RunError, UsageError, reason_of
from cli.common.localhost import open_local

LOCAL = "http://127.0.0.1:8081"  # of clipsearch run
SECONDS = 60.0  # a cold start loads the index


def ask(
    url: str,
    path: str,
    parameters: Sequence[tuple[str, str]] = (),
    body: bytes = b"",
    kind: str = "",
) -> dict[str, Any]:
    """The JSON answer to GET, or to POST of `body` with the content type `kind`.

    UsageError if `url` is not a URL. RunError if no answer comes, or one that is not 2xx.
    """
    if not url.startswith(("http://", "https://")):
        raise UsageError(f"{url!r} is not a URL; it must begin with http:// or https://")
    address = f"{url.rstrip('/')}/{path}" + (f"?{urlencode(parameters)}" if parameters else "")
    is_local = urlsplit(url).hostname in ("127.0.0.1", "localhost")
    open_ = open_local if is_local else _open
    try:
        headers = {"Content-Type": kind} if kind else {}
        with open_(urllib.request.Request(address, body or None, headers), SECONDS) as answer:
            found: dict[str, Any] = json.load(answer)
    except urllib.error.HTTPError as error:
        raise RunError(f"{url} answers {error.code}: {_detail(error)}") from error
    except OSError as error:
        hint = "start one with clipsearch run, or give the URL of another" if is_local else ""
        raise RunError(
            f"no search answers at {url} ({reason_of(error)}); {hint or 'check the URL'}"
        ) from error
    except (ValueError, HTTPException) as error:
        raise RunError(f"{url} does not answer like clipsearch: {reason_of(error)}") from error
    return found


def _open(request: urllib.request.Request, seconds: float) -> HTTPResponse:
    return cast(HTTPResponse, urllib.request.urlopen(request, timeout=seconds))


def _detail(error: urllib.error.HTTPError) -> str:
    try:
        return str(json.load(error)["detail"])
    except (ValueError, KeyError, TypeError):
        return str(error.reason)
