"""Which browsers may read the answers: the page is served from another origin than search."""

from collections.abc import Sequence

# Seconds a browser remembers a preflight answer; Chromium keeps none longer than two hours.
PREFLIGHT_MAX_AGE = 7200

ANYONE = "*"


def cors_headers(origin: str | None, allowed: Sequence[str]) -> dict[str, str]:
    """Headers of every answer; `origin` is the request's Origin header."""
    headers = {"Access-Control-Expose-Headers": "Retry-After, Server-Timing"}
    if ANYONE in allowed:
        return headers | {"Access-Control-Allow-Origin": ANYONE}
    if origin in allowed:
        headers["Access-Control-Allow-Origin"] = str(origin)
    return headers | {"Vary": "Origin"}


def preflight_headers(methods: Sequence[str]) -> dict[str, str]:
    """What an OPTIONS request is answered beside `cors_headers`."""
    return {
        "Access-Control-Allow-Methods": ", ".join(methods),
        "Access-Control-Allow-Headers": "Accept, Content-Type",
        "Access-Control-Max-Age": str(PREFLIGHT_MAX_AGE),
    }
