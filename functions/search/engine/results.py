"""The JSON of results: URLs, score, match and facts of each photo.

Imported on the first search, not with main.py (see search.engine.state).
"""

from datetime import datetime, timedelta
from itertools import chain, islice
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from clipsearch.images.previews import preview_name
from clipsearch.images.thumbnails import thumbnail_name
from clipsearch.settings import Settings
from search.engine.asked import Asked
from search.engine.matches import UNKNOWN
from search.engine.page import Page

if TYPE_CHECKING:
    from clipsearch.index.format.facts import Facts
    from clipsearch.index.search.hits import Hit, Listed
    from search.engine.signing import SignedAddresses

_EPOCH, _SECOND = datetime(1970, 1, 1), timedelta(seconds=1)
PLACE_DIGITS = 5  # a metre


class Results:
    """Safe to use from several threads."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._signed = _signed_addresses(settings)

    def of(self, asked: Asked, page: Page) -> list[dict[str, Any]]:
        """One object for each hit. Raises StorageError if URLs cannot be signed."""
        hits = [*page.hits, *chain.from_iterable(page.also)]
        files = [(_thumbnail(hit), _preview(hit)) for hit in hits]
        address_of = self._addresses([name for pair in files for name in pair if name])
        photos = (
            self._photo(asked, hit, address_of[thumbnail], address_of[preview] if preview else None)
            for hit, (thumbnail, preview) in zip(hits, files, strict=True)
        )
        results = list(islice(photos, len(page.hits)))
        return [
            {**result, "also": list(islice(photos, len(also)))}
            for result, also in zip(results, page.also, strict=True)
        ]

    def _addresses(self, names: list[str]) -> dict[str, str]:
        """The URL of each thumbnail and preview. Raises StorageError."""
        if self._signed is not None:
            return dict(zip(names, self._signed.of(names), strict=True))
        return {name: f"{self._settings.thumbnails_url}/{name}" for name in names}

    def _photo(
        self, asked: Asked, hit: "Hit | Listed", thumbnail: str, preview: str | None
    ) -> dict[str, Any]:
        return {
            "name": hit.name,
            "url": f"{self._settings.photos_url}/{quote(hit.name)}",
            "thumbnail_url": thumbnail,
            "preview_url": preview,
            **_scores(asked, hit),
            "width": hit.width,
            "height": hit.height,
            **_facts(hit.facts, hit.uploaded),
            "also": [],
        }


def _thumbnail(hit: "Hit | Listed") -> str:
    version = hit.facts.thumbnail if hit.facts else 0
    return thumbnail_name(hit.name, hit.generation, version)


def _preview(hit: "Hit | Listed") -> str | None:
    has_one = hit.facts is not None and hit.facts.preview
    return preview_name(hit.name, hit.generation) if has_one else None


def _scores(asked: Asked, hit: "Hit | Listed") -> dict[str, Any]:
    """score, similarity, match and confidence."""
    if hit.score is None:
        return {"score": None, "similarity": None, **UNKNOWN}
    if asked.combination is not None:
        return {"score": asked.combination.value(hit.score), "similarity": None, **UNKNOWN}
    judged = asked.matches.facts(hit.score) if asked.matches else UNKNOWN
    return {"score": hit.score, "similarity": round(100 * hit.score, 4), **judged}


def _facts(facts: "Facts | None", uploaded: int | None) -> dict[str, Any]:
    taken = colour = place = None
    if facts is not None:
        taken = _time(facts.taken, _zone(facts.offset))
        if facts.hash is not None:
            colour = "#{:02x}{:02x}{:02x}".format(*facts.colour)
        if facts.place is not None:
            latitude, longitude = (round(degrees, PLACE_DIGITS) for degrees in facts.place)
            place = {"latitude": latitude, "longitude": longitude}
    return {
        "taken": taken,
        "uploaded": _time(uploaded, "Z"),
        "bytes": (facts.size or None) if facts else None,
        "format": (facts.format.lower() or None) if facts else None,
        "colour": colour,
        "place": place,
    }


def _time(seconds: int | None, zone: str = "") -> str | None:
    """In ISO 8601."""
    try:
        return None if seconds is None else f"{(_EPOCH + seconds * _SECOND).isoformat()}{zone}"
    except OverflowError:  # no year from 1 to 9999
        return None


def _zone(offset: int | None) -> str:
    """`offset`: minutes east of UTC, or unknown."""
    if offset is None:
        return ""
    hours, minutes = divmod(abs(offset), 60)
    return f"{'-' if offset < 0 else '+'}{hours:02}:{minutes:02}"


def _signed_addresses(settings: Settings) -> "SignedAddresses | None":
    if not settings.sign_as:
        return None
    from search.engine.signing import SignedAddresses

    return SignedAddresses(settings.thumbnails, settings.sign_as)
