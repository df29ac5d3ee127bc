"""Settings: environment variables in one table, validated once.

`SETTINGS` is the complete list. An unknown variable that starts with CLIPSEARCH_ is an error,
because it is probably a typo.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote, urlsplit

from clipsearch.errors import SettingsError
from clipsearch.storage import folder_path, gs_parts

PREFIX = "CLIPSEARCH_"
BUCKET_FORM = "gs://BUCKET, gs://BUCKET/PREFIX or file:///ABSOLUTE/FOLDER"
TOPIC_FORM = "projects/PROJECT/topics/TOPIC"
OWN_PAGE = "page"  # relative to /, if search serves the page itself
ROWS = ("memory", "bucket", "auto")  # where the rows of packs are while search runs
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

    @classmethod
    def from_env(cls, environ: Mapping[str, str] = os.environ) -> Settings:
        """Raises SettingsError for a missing, invalid or unknown variable."""
        _refuse_unknown(environ)
        values = {name: environ.get(name, default) for name, default in SETTINGS.items()}
        photos = _bucket(values, "CLIPSEARCH_PHOTOS")
        site = _site(values)
        settings = cls(
            photos=photos,
            index=_bucket(values, "CLIPSEARCH_INDEX"),
            thumbnails=_bucket(values, "CLIPSEARCH_THUMBNAILS"),
            photos_url=_public_url(values, "CLIPSEARCH_PHOTOS"),
            thumbnails_url=_public_url(values, "CLIPSEARCH_THUMBNAILS"),
            model=_model(values),
            model_sha256=model_digests(values),
            allowed_origins=_origins(values),
            topic=_topic(values, "CLIPSEARCH_TOPIC"),
            sign_as=_sign_as(values),
            dead_letters=_topic(values, "CLIPSEARCH_DEAD_LETTERS"),
            site_url=OWN_PAGE if site else _site_url(values),
            site=site,
            suggestions=_suggestions(values),
            fetch_urls=_switch(values, "CLIPSEARCH_FETCH_URLS"),
            keep_places=_switch(values, "CLIPSEARCH_KEEP_PLACES"),
            embed=_switch(values, "CLIPSEARCH_EMBED"),
            classify=_switch(values, "CLIPSEARCH_CLASSIFY"),
            log_sample=_share(values, "CLIPSEARCH_LOG_SAMPLE"),
            rate_per_minute=_whole(values, "CLIPSEARCH_RATE_PER_MINUTE", 1_000_000),
            proxies=_whole(values, "CLIPSEARCH_PROXIES", 9),
            previews=_switch(values, "CLIPSEARCH_PREVIEWS"),
            rows=_rows(values),
        )
        _refuse_writing_among_photos(photos, "CLIPSEARCH_INDEX", settings.index)
        _refuse_writing_among_photos(photos, "CLIPSEARCH_THUMBNAILS", settings.thumbnails)
        return settings


def _refuse_unknown(environ: Mapping[str, str]) -> None:
    for name in sorted(environ):
        if name.startswith(PREFIX) and name not in SETTINGS:
            raise SettingsError(name, environ[name], f"unset; allowed: {', '.join(SETTINGS)}")


def _bucket(values: Mapping[str, str | None], name: str) -> str:
    value = values[name]
    if value is None:
        raise SettingsError(name, None, BUCKET_FORM)
    try:
        if value.startswith("gs://"):
            gs_parts(value)
        else:
            folder_path(value)
    except ValueError as exc:
        raise SettingsError(name, value, f"{BUCKET_FORM} ({exc})") from exc
    return value.rstrip("/")


def _public_url(values: Mapping[str, str | None], bucket_name: str) -> str:
    name = f"{bucket_name}_URL"
    value = values[name] or ""
    bucket = values[bucket_name] or ""
    if not value and bucket.startswith("gs://"):
        gs_bucket, prefix = gs_parts(bucket)
        return f"{PUBLIC_STORAGE}/{gs_bucket}/{quote(prefix)}".rstrip("/")
    return _url(name, value)


def _site_url(values: Mapping[str, str | None]) -> str:
    value = values["CLIPSEARCH_SITE_URL"] or ""
    if any(character in value for character in "; ,\"'"):  # it becomes part of a CSP header
        raise SettingsError(
            "CLIPSEARCH_SITE_URL", value, "a URL without spaces, quotes, commas and semicolons"
        )
    return _url("CLIPSEARCH_SITE_URL", value) if value else ""


def _site(values: Mapping[str, str | None]) -> str:
    value = values["CLIPSEARCH_SITE"] or ""
    if value and not Path(value).is_absolute():
        raise SettingsError("CLIPSEARCH_SITE", value, "the absolute path of a folder, or empty")
    return value


def _suggestions(values: Mapping[str, str | None]) -> tuple[str, ...]:
    value = values["CLIPSEARCH_SUGGESTIONS"] or "[]"
    try:
        texts = json.loads(value)
    except ValueError:
        texts = None
    if not isinstance(texts, list) or not all(isinstance(text, str) for text in texts):
        raise SettingsError("CLIPSEARCH_SUGGESTIONS", value, 'a JSON list such as ["a cat"]')
    return tuple(texts)


def _url(name: str, value: str) -> str:
    parts = urlsplit(value)
    is_absolute = parts.scheme in ("http", "https") and parts.netloc
    is_relative = re.match(r"\.\.(/|$)", value)
    if not (is_absolute or is_relative) or parts.query or parts.fragment:
        allowed = "http(s)://HOST[/PATH] or ..[/PATH], without ? and #"
        raise SettingsError(name, value or None, allowed)
    return value.rstrip("/")


def _model(values: Mapping[str, str | None]) -> str:
    value = values["CLIPSEARCH_MODEL"] or ""
    if not re.fullmatch("current|[0-9a-f]{12}", value):
        allowed = "'current' or a space (12 hexadecimal digits)"
        raise SettingsError("CLIPSEARCH_MODEL", value, allowed)
    return value


def model_digests(environ: Mapping[str, str | None] = os.environ) -> tuple[str, ...]:
    """The digests of the allowed models; empty: every model. Raises SettingsError.

    Public because the commands that publish a model need this setting alone.
    """
    value = environ.get("CLIPSEARCH_MODEL_SHA256") or ""
    digests = tuple(part.strip() for part in value.split(",")) if value else ()
    if not all(re.fullmatch("[0-9a-f]{64}", digest) for digest in digests):
        allowed = "SHA-256 digests of 64 hexadecimal digits, separated by commas, or empty"
        raise SettingsError("CLIPSEARCH_MODEL_SHA256", value, allowed)
    return digests


def _origins(values: Mapping[str, str | None]) -> tuple[str, ...]:
    value = values["CLIPSEARCH_ALLOWED_ORIGINS"] or ""
    origins = tuple(part.strip() for part in value.split(","))
    if origins != ("*",) and not all(re.fullmatch(r"https?://[^/?#\s]+", o) for o in origins):
        allowed = "'*' or origins such as https://example.org, separated by commas"
        raise SettingsError("CLIPSEARCH_ALLOWED_ORIGINS", value, allowed)
    return origins


def _switch(values: Mapping[str, str | None], name: str) -> bool:
    value = values[name] or SETTINGS[name]
    if value not in ("0", "1"):
        raise SettingsError(name, value, "1 (yes) or 0 (no)")
    return value == "1"


def _rows(values: Mapping[str, str | None]) -> str:
    value = values["CLIPSEARCH_ROWS"] or SETTINGS["CLIPSEARCH_ROWS"] or ""
    if value not in ROWS:
        raise SettingsError("CLIPSEARCH_ROWS", value, " or ".join(map(repr, ROWS)))
    return value


def _share(values: Mapping[str, str | None], name: str) -> float:
    value = values[name] or SETTINGS[name] or ""
    if not re.fullmatch(r"0(\.[0-9]{1,9})?|1(\.0{1,9})?", value):
        raise SettingsError(name, value, "a number from 0 to 1, such as 0.1")
    return float(value)


def _whole(values: Mapping[str, str | None], name: str, most: int) -> int:
    value = values[name] or SETTINGS[name] or ""
    if not re.fullmatch("[0-9]{1,9}", value) or int(value) > most:
        raise SettingsError(name, value, f"a whole number from 0 to {most:,}")
    return int(value)


def _topic(values: Mapping[str, str | None], name: str) -> str:
    value = values[name] or ""
    if value and not re.fullmatch(r"projects/[a-z0-9.:-]+/topics/[A-Za-z][\w.~+%-]{2,254}", value):
        raise SettingsError(name, value, f"{TOPIC_FORM}, or empty")
    return value


def _sign_as(values: Mapping[str, str | None]) -> str:
    value = values["CLIPSEARCH_SIGN_AS"] or ""
    is_account = re.fullmatch(r"[a-z0-9-]+@[a-z0-9.-]+", value)
    is_cloud = (values["CLIPSEARCH_THUMBNAILS"] or "").startswith("gs://")
    if value and not (is_account and is_cloud):
        allowed = "the e-mail address of a service account, for thumbnails at gs://…, or empty"
        raise SettingsError("CLIPSEARCH_SIGN_AS", value, allowed)
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
