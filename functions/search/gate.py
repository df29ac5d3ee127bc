"""What a deployment refuses before any work: switched-off paths, and clients that ask too often."""

from collections.abc import Mapping
from functools import cache

from starlette.requests import Request

from clipsearch.settings import Settings
from search import resources
from search.http.client import client_of
from search.http.errors import SwitchedOff, TooMany
from search.http.rate import Buckets

# Probes ask for it, and it costs nothing.
ALWAYS_OPEN = "/health"
# A browser asks so before some requests. A refusal would look like a network that is down.
PREFLIGHT = "OPTIONS"
# Clients that an instance remembers: 2.5 MB.
REMEMBERED = 10_000


def check(request: Request) -> None:
    """Raises SwitchedOff, TooMany, and SettingsError."""
    path = request.url.path
    if path == ALWAYS_OPEN or request.method == PREFLIGHT:
        return
    settings = resources.settings()
    if setting := _off(settings).get(path):
        raise SwitchedOff(f"{path} is switched off here ({setting}=1 would switch it on)")
    buckets = _buckets()
    if buckets is not None:
        wait = buckets.take(client_of(request, settings.proxies))
        if wait:
            raise TooMany(
                f"more than {settings.rate_per_minute:,} requests a minute came from your address",
                wait,
            )


def _off(settings: Settings) -> Mapping[str, str]:
    """The paths that are switched off, with their settings."""
    switches = {
        "/embed": ("CLIPSEARCH_EMBED", settings.embed),
        "/classify": ("CLIPSEARCH_CLASSIFY", settings.classify),
    }
    return {path: name for path, (name, is_on) in switches.items() if not is_on}


@cache
def _buckets() -> Buckets | None:
    per_minute = resources.settings().rate_per_minute
    return Buckets(per_minute, REMEMBERED) if per_minute else None
