"""The files of site/ that differ from stack to stack, as the local stack serves them."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path

from cli import ROOT

SITE = ROOT / "site"
# As in site/index.html and site/config.js, which also work as they are.
DEFAULT_SEARCH_URL = "http://127.0.0.1:8081"
# Relative, so that the page works under each name of this machine.
SEARCH_URL = "search"


def site_files(
    search_url: str,
    suggestions: Sequence[str] = (),
    photos: str = "",
    progress: Mapping[str, int] | None = None,
) -> dict[str, str]:
    """Path → text of the files. `search_url`: without a slash at its end.

    `photos`: how the page calls the folder. `progress`: how many `files` it has, and how many of
    them are `waiting` to be indexed.
    """
    html = _html()
    default = f'"{DEFAULT_SEARCH_URL}/"'
    assert html.count(default) == 2, "site/index.html has no form and link with the default URL"
    config = {
        "SEARCH_URL": search_url,
        "SUGGESTIONS": list(suggestions),
        "PHOTOS": photos,
        "PROGRESS": progress,  # spares the first request for progress.json
    }
    lines = [f"export const {name} = {json.dumps(value)};\n" for name, value in config.items()]
    return {
        "/index.html": html.replace(default, f'"{search_url}/"'),
        "/config.js": "".join(lines),
        "/progress.json": json.dumps(progress),
    }


@cache
def _html() -> str:
    return (SITE / "index.html").read_text()


def called(folder: Path) -> str:
    """Its path with ~ for the home folder."""
    home = Path.home()
    return f"~/{folder.relative_to(home)}" if folder.is_relative_to(home) else str(folder)


def policy(search_url: str = "") -> str:
    """The Content-Security-Policy of the page, for its own server, and for this `search_url`."""
    return "; ".join(
        [
            "default-src 'none'",
            "script-src 'self'",
            "style-src 'self'",
            "img-src 'self' blob:",
            f"connect-src 'self' {search_url}".rstrip(),
            f"form-action 'self' {search_url}".rstrip(),
            "manifest-src 'self'",
            "base-uri 'none'",
            "frame-ancestors 'none'",
        ]
    )
