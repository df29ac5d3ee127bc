"""Values of settings: each function reads one kind, or raises SettingsError.

`name` is for the error.
"""

import json
import re
from pathlib import Path
from urllib.parse import urlsplit

from clipsearch.errors import SettingsError
from clipsearch.storage import folder_path, gs_parts

BUCKET_FORM = "gs://BUCKET, gs://BUCKET/PREFIX or file:///ABSOLUTE/FOLDER"
TOPIC_FORM = "projects/PROJECT/topics/TOPIC"


def bucket(name: str, value: str) -> str:
    """The URL of a bucket or folder."""
    try:
        if value.startswith("gs://"):
            gs_parts(value)
        else:
            folder_path(value)
    except ValueError as exc:
        raise SettingsError(name, value, f"{BUCKET_FORM} ({exc})") from exc
    return value.rstrip("/")


def url(name: str, value: str) -> str:
    """An address, or one relative to the request."""
    parts = urlsplit(value)
    is_absolute = parts.scheme in ("http", "https") and parts.netloc
    is_relative = re.match(r"\.\.(/|$)", value)
    if not (is_absolute or is_relative) or parts.query or parts.fragment:
        allowed = "http(s)://HOST[/PATH] or ..[/PATH], without ? and #"
        raise SettingsError(name, value or None, allowed)
    return value.rstrip("/")


def site_url(name: str, value: str) -> str:
    """An address that becomes part of a CSP header, or ""."""
    if any(character in value for character in "; ,\"'"):
        raise SettingsError(name, value, "a URL without spaces, quotes, commas and semicolons")
    return url(name, value) if value else ""


def folder(name: str, value: str) -> str:
    """An absolute path, or ""."""
    if value and not Path(value).is_absolute():
        raise SettingsError(name, value, "the absolute path of a folder, or empty")
    return value


def texts(name: str, value: str) -> tuple[str, ...]:
    try:
        parsed = json.loads(value or "[]")
    except ValueError:
        parsed = None
    if not isinstance(parsed, list) or not all(isinstance(text, str) for text in parsed):
        raise SettingsError(name, value, 'a JSON list such as ["a cat"]')
    return tuple(parsed)


def model(name: str, value: str) -> str:
    if not re.fullmatch("current|[0-9a-f]{12}", value):
        raise SettingsError(name, value, "'current' or a space (12 hexadecimal digits)")
    return value


def digests(name: str, value: str) -> tuple[str, ...]:
    parts = tuple(part.strip() for part in value.split(",")) if value else ()
    if not all(re.fullmatch("[0-9a-f]{64}", part) for part in parts):
        allowed = "SHA-256 digests of 64 hexadecimal digits, separated by commas, or empty"
        raise SettingsError(name, value, allowed)
    return parts


def origins(name: str, value: str) -> tuple[str, ...]:
    parts = tuple(part.strip() for part in value.split(","))
    if parts != ("*",) and not all(re.fullmatch(r"https?://[^/?#\s]+", part) for part in parts):
        allowed = "'*' or origins such as https://example.org, separated by commas"
        raise SettingsError(name, value, allowed)
    return parts


def switch(name: str, value: str) -> bool:
    if value not in ("0", "1"):
        raise SettingsError(name, value, "1 (yes) or 0 (no)")
    return value == "1"


def choice(name: str, value: str, allowed: tuple[str, ...]) -> str:
    if value not in allowed:
        raise SettingsError(name, value, " or ".join(map(repr, allowed)))
    return value


def share(name: str, value: str) -> float:
    if not re.fullmatch(r"0(\.[0-9]{1,9})?|1(\.0{1,9})?", value):
        raise SettingsError(name, value, "a number from 0 to 1, such as 0.1")
    return float(value)


def whole(name: str, value: str, most: int) -> int:
    if not re.fullmatch("[0-9]{1,9}", value) or int(value) > most:
        raise SettingsError(name, value, f"a whole number from 0 to {most:,}")
    return int(value)


def topic(name: str, value: str) -> str:
    if value and not re.fullmatch(r"projects/[a-z0-9.:-]+/topics/[A-Za-z][\w.~+%-]{2,254}", value):
        raise SettingsError(name, value, f"{TOPIC_FORM}, or empty")
    return value
