"""Settings: environment variables in one table, validated once.

`SETTINGS` is the complete list. An unknown variable that starts with CLIPSEARCH_ is an error,
because it is probably a typo.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

import clipsearch.setting_values as of
from clipsearch.errors import SettingsError
from clipsearch.storage import folder_path, gs_parts

PREFIX = "CLIPSEARCH_"
OWN_PAGE = "page"  # relative to /, if search serves the page itself
ROWS = ("memory", "bucket", "auto")  # where the rows of packs are while search runs
ENGINES = ("", "lance")  # what holds the photos while search runs; empty: its memory
PUBLIC_STORAGE = "https://storage.googleapis.com"


# Name and default of each variable; None: required. docs/configuration.md explains them.
SETTINGS: Mapping[str, str | None] = {
    "CLIPSEARCH_PHOTOS": None,
    "CLIPSEARCH_INDEX": None,
    "CLIPSEARCH_THUMBNAILS": None,
    "CLIPSEARCH_PHOTOS_URL": "",  # for gs://, the default is derived from CLIPSEARCH_PHOTOS
    "CLIPSEARCH_THUMBNAILS_URL": "",  # likewise from CLIPSEARCH_THUMBNAILS
    "CLIPSEARCH_SIGN_AS": "",
    "CLIPSEARCH_MODEL": "current",
    "CLIPSEARCH_MODEL_SHA256": "",
    "CLIPSEARCH_ALLOWED_ORIGINS": "*",
    "CLIPSEARCH_SITE_URL": "",
    "CLIPSEARCH_SITE": "",
    "CLIPSEARCH_SUGGESTIONS": "",
    "CLIPSEARCH_FETCH_URLS": "0",
    "CLIPSEARCH_KEEP_PLACES": "0",
    "CLIPSEARCH_EMBED": "1",
    "CLIPSEARCH_CLASSIFY": "1",
    "CLIPSEARCH_LOG_SAMPLE": "1",
    "CLIPSEARCH_RATE_PER_MINUTE": "0",
    "CLIPSEARCH_PROXIES": "1",
    "CLIPSEARCH_PREVIEWS": "0",
    "CLIPSEARCH_ROWS": "memory",
    "CLIPSEARCH_ENGINE": "",
    "CLIPSEARCH_TOPIC": "",
    "CLIPSEARCH_DEAD_LETTERS": "",
    "GOOGLE_CLOUD_PROJECT": "",
}


@dataclass(frozen=True, slots=True)
class Settings:
    """The validated settings. URLs have no trailing slash; ../PATH is relative to the request.

    `site_url` is OWN_PAGE with `site`.
    """

    photos: str
    index: str
    thumbnails: str
    photos_url: str
    thumbnails_url: str
    model: str
    allowed_origins: tuple[str, ...]
    model_sha256: tuple[str, ...] = ()
    topic: str = ""
    dead_letters: str = ""
    sign_as: str = ""
    site_url: str = ""
    site: str = ""
    suggestions: tuple[str, ...] = ()
    fetch_urls: bool = False
    keep_places: bool = False
    embed: bool = True
    classify: bool = True
    log_sample: float = 1.0
    rate_per_minute: int = 0
    proxies: int = 1
    previews: bool = False
    rows: str = "memory"
    engine: str = ""

    @classmethod
    def from_env(cls, environ: Mapping[str, str] = os.environ) -> Settings:
        """Raises SettingsError for a missing, invalid or unknown variable."""
        _refuse_unknown(environ)

        def given(name: str) -> tuple[str, str]:
            """The name and its value, as the readers take them."""
            value = environ.get(name, SETTINGS[name])
            if value is None:
                raise SettingsError(name, None, of.BUCKET_FORM)
            return name, value

        def or_default(name: str) -> tuple[str, str]:
            """The same; an empty value is the default."""
            return name, environ.get(name) or SETTINGS[name] or ""

        site = of.folder(*given("CLIPSEARCH_SITE"))
        settings = cls(
            photos=of.bucket(*given("CLIPSEARCH_PHOTOS")),
            index=of.bucket(*given("CLIPSEARCH_INDEX")),
            thumbnails=of.bucket(*given("CLIPSEARCH_THUMBNAILS")),
            photos_url=_public_url(given("CLIPSEARCH_PHOTOS_URL"), given("CLIPSEARCH_PHOTOS")),
            thumbnails_url=_public_url(
                given("CLIPSEARCH_THUMBNAILS_URL"), given("CLIPSEARCH_THUMBNAILS")
            ),
            model=of.model(*given("CLIPSEARCH_MODEL")),
            model_sha256=model_digests(environ),
            allowed_origins=of.origins(*given("CLIPSEARCH_ALLOWED_ORIGINS")),
            topic=of.topic(*given("CLIPSEARCH_TOPIC")),
            dead_letters=of.topic(*given("CLIPSEARCH_DEAD_LETTERS")),
            sign_as=_sign_as(given("CLIPSEARCH_SIGN_AS"), given("CLIPSEARCH_THUMBNAILS")),
            site_url=OWN_PAGE if site else of.site_url(*given("CLIPSEARCH_SITE_URL")),
            site=site,
            suggestions=of.texts(*given("CLIPSEARCH_SUGGESTIONS")),
            fetch_urls=of.switch(*or_default("CLIPSEARCH_FETCH_URLS")),
            keep_places=of.switch(*or_default("CLIPSEARCH_KEEP_PLACES")),
            embed=of.switch(*or_default("CLIPSEARCH_EMBED")),
            classify=of.switch(*or_default("CLIPSEARCH_CLASSIFY")),
            log_sample=of.share(*or_default("CLIPSEARCH_LOG_SAMPLE")),
            rate_per_minute=of.whole(*or_default("CLIPSEARCH_RATE_PER_MINUTE"), 1_000_000),
            proxies=of.whole(*or_default("CLIPSEARCH_PROXIES"), 9),
            previews=of.switch(*or_default("CLIPSEARCH_PREVIEWS")),
            rows=of.choice(*or_default("CLIPSEARCH_ROWS"), ROWS),
            engine=of.choice(*or_default("CLIPSEARCH_ENGINE"), ENGINES),
        )
        for name, url in [
            ("CLIPSEARCH_INDEX", settings.index),
            ("CLIPSEARCH_THUMBNAILS", settings.thumbnails),
        ]:
            _refuse_writing_among_photos(settings.photos, name, url)
        return settings


def model_digests(environ: Mapping[str, str] = os.environ) -> tuple[str, ...]:
    """The digests of the allowed models; empty: every model. Raises SettingsError.

    Public because the commands that publish a model need this setting alone.
    """
    name = "CLIPSEARCH_MODEL_SHA256"
    return of.digests(name, environ.get(name, ""))


def _refuse_unknown(environ: Mapping[str, str]) -> None:
    for name in sorted(environ):
        if name.startswith(PREFIX) and name not in SETTINGS:
            raise SettingsError(name, environ[name], f"unset; allowed: {', '.join(SETTINGS)}")


def _public_url(given: tuple[str, str], bucket: tuple[str, str]) -> str:
    _, value = bucket
    if not given[1] and value.startswith("gs://"):
        gs_bucket, prefix = gs_parts(value)
        return f"{PUBLIC_STORAGE}/{gs_bucket}/{quote(prefix)}".rstrip("/")
    return of.url(*given)


def _sign_as(given: tuple[str, str], thumbnails: tuple[str, str]) -> str:
    name, value = given
    is_account = re.fullmatch(r"[a-z0-9-]+@[a-z0-9.-]+", value)
    if value and not (is_account and thumbnails[1].startswith("gs://")):
        allowed = "the e-mail address of a service account, for thumbnails at gs://…, or empty"
        raise SettingsError(name, value, allowed)
    return value


def _refuse_writing_among_photos(photos: str, name: str, url: str) -> None:
    """Refuse to write among the photos: each write would trigger `ingest` again, endlessly."""
    if photos.startswith("gs://") and url.startswith("gs://"):
        among = gs_parts(photos)[0] == gs_parts(url)[0]
    elif photos.startswith("file://") and url.startswith("file://"):
        among = _inside(folder_path(url), folder_path(photos))
    else:
        among = False
    if among:
        raise SettingsError(name, url, f"outside of the photos ({photos})")


def _inside(folder: Path, other: Path) -> bool:
    return folder.resolve().is_relative_to(other.resolve())
