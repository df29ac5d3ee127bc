"""The files of site/ that name the URL of the search, as the local stack serves them."""

from __future__ import annotations

import json
from collections.abc import Sequence

from cli import ROOT

SITE = ROOT / "site"
# As in site/index.html and site/config.js, which also work as they are.
DEFAULT_SEARCH_URL = "http://127.0.0.1:8081"
# Relative, so that the page works under each name of this machine.
SEARCH_URL = "search"


def site_files(search_url: str, suggestions: Sequence[str] = ()) -> dict[str, str]:
    """Path → text of the two files. `search_url`: without a slash at its end."""
    html = (SITE / "index.html").read_text()
    action = f'action="{DEFAULT_SEARCH_URL}/"'
    assert html.count(action) == 1, "site/index.html has no form with the default URL"
    config = (
        f"export const SEARCH_URL = {json.dumps(search_url)};\n"
        f"export const SUGGESTIONS = {json.dumps(list(suggestions))};\n"
    )
    return {
        "/index.html": html.replace(action, f'action="{search_url}/"'),
        "/config.js": config,
    }


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
