"""The page as the local stack serves it: what of site/ depends on where things are."""

from __future__ import annotations

import json
from collections.abc import Sequence

from cli import ROOT

SITE = ROOT / "site"
# What site/index.html and site/config.js say, for whoever serves them as they are.
DEFAULT_SEARCH_URL = "http://127.0.0.1:8081"


def site_files(search_url: str, suggestions: Sequence[str] = ()) -> dict[str, str]:
    """Path → text of the two files that name the search function. `search_url`: no slash at
    the end."""
    html = (SITE / "index.html").read_text()
    action = f'action="{DEFAULT_SEARCH_URL}/"'
    assert html.count(action) == 1, "site/index.html has no form to give an address to"
    config = (
        f"export const SEARCH_URL = {json.dumps(search_url)};\n"
        f"export const SUGGESTIONS = {json.dumps(list(suggestions))};\n"
    )
    return {
        "/index.html": html.replace(action, f'action="{search_url}/"'),
        "/config.js": config,
    }


def policy(search_url: str) -> str:
    """The Content-Security-Policy of the page: narrower than its own, which fits everywhere."""
    return "; ".join(
        [
            "default-src 'none'",
            "script-src 'self'",
            "style-src 'self'",
            "img-src 'self' blob:",
            f"connect-src {search_url}",
            f"form-action {search_url}",
            "base-uri 'none'",
            "frame-ancestors 'none'",
        ]
    )
