"""CORS headers: the page has another origin than the search function."""

from collections.abc import Sequence

# Seconds that a browser caches a preflight response; Chromium allows at most two hours.
PREFLIGHT_MAX_AGE = 7200

ANYONE = "*"


def cors_headers(origin: str | None, allowed: Sequence[str]) -> dict[str, str]:
    """Return the headers of every response. `origin` is the request's Origin header."""
    headers = {"Access-Control-Expose-Headers": "Retry-After, Server-Timing"}
    if ANYONE in allowed:
        return headers | {"Access-Control-Allow-Origin": ANYONE}
    if origin in allowed:
        headers["Access-Control-Allow-Origin"] = str(origin)
    return headers | {"Vary": "Origin"}


def preflight_headers(methods: Sequence[str]) -> dict[str, str]:
    """Return the headers of a response to OPTIONS, in addition to `cors_headers`."""
    return {
        "Access-Control-Allow-Methods": ", ".join(methods),
        "Access-Control-Allow-Headers": "Accept, Content-Type",
        "Access-Control-Max-Age": str(PREFLIGHT_MAX_AGE),
    }
