"""The page of site/ at /page/, for a deployment where one sign-in must open page and search.

CLIPSEARCH_SITE names the folder. The page calls this function by relative URLs, so it works under
every host name and path.
"""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from starlette.requests import Request
from starlette.responses import Response

from clipsearch.errors import SettingsError
from clipsearch.settings import Settings
from search.http.errors import UnknownPath
from search.http.reuse import reusable

PREFIX = "/page/"
INDEX = "index.html"
SEARCH_URL = ".."  # relative to the page
# As in site/index.html, which also works as it is.
DEFAULT_URL = '"http://127.0.0.1:8081/"'  # of the form, and of the link without JavaScript
DEFAULT_POLICY = r'<meta http-equiv="Content-Security-Policy"[^>]*>\n?'
# The tables of the system may lack these, as in a container.
TYPES = {
    ".css": "text/css; charset=utf-8",
    ".html": "text/html; charset=utf-8",
    ".ico": "image/x-icon",
    ".js": "text/javascript; charset=utf-8",
    ".png": "image/png",
    ".svg": "image/svg+xml",
    ".webmanifest": "application/manifest+json",
}


@dataclass(frozen=True)
class Site:
    """The files by name, and the headers of the HTML file."""

    files: Mapping[str, bytes]
    policy: str


def page_file(request: Request, settings: Settings) -> Response:
    """The file of the request's path. Raises UnknownPath, SettingsError."""
    name = request.url.path.removeprefix(PREFIX) or INDEX
    site = _site(settings)
    data = site.files.get(name)
    if data is None:
        raise UnknownPath(f"the page has no file {name!r}")
    headers = {"X-Content-Type-Options": "nosniff"}
    if name == INDEX:
        headers |= {"Content-Security-Policy": site.policy, "Referrer-Policy": "no-referrer"}
    type_ = TYPES.get(Path(name).suffix, "application/octet-stream")
    return reusable(request, Response(data, headers=headers, media_type=type_))


@cache
def _site(settings: Settings) -> Site:
    """Reads the folder once: it is part of the image, and has some 100 kB."""
    folder = Path(settings.site)
    if not (folder / INDEX).is_file():
        raise SettingsError("CLIPSEARCH_SITE", settings.site, f"a folder with the file {INDEX}")
    files = {path.name: path.read_bytes() for path in folder.iterdir() if path.is_file()}
    files[INDEX] = _index(files[INDEX].decode()).encode()
    files["config.js"] = (
        f"export const SEARCH_URL = {json.dumps(SEARCH_URL)};\n"
        f"export const SUGGESTIONS = {json.dumps(settings.suggestions)};\n"
        f"export const PHOTOS = {json.dumps(settings.photos)};\n"
        "export const PROGRESS = null;\n"
    ).encode()
    return Site(files, _policy(settings))


def _index(html: str) -> str:
    html, policies = re.subn(DEFAULT_POLICY, "", html)  # a header has it
    if policies != 1 or html.count(DEFAULT_URL) != 2:
        raise ValueError(f"{INDEX} must have a form and a link to {DEFAULT_URL}, and one policy")
    html = html.replace(DEFAULT_URL, f'"{SEARCH_URL}/"')
    # Browsers fetch a manifest without cookies, so a proxy would ask it to sign in.
    return html.replace('rel="manifest"', 'rel="manifest" crossorigin="use-credentials"')


def _policy(settings: Settings) -> str:
    """The Content-Security-Policy of the page: this function and the two buckets."""
    photos, thumbnails = settings.photos_url, settings.thumbnails_url
    return "; ".join(
        [
            "default-src 'none'",
            "script-src 'self'",
            "style-src 'self'",
            f"img-src 'self' blob: {photos}/ {thumbnails}/",
            f"connect-src 'self' {photos}/",  # photos: for a zip
            "form-action 'self'",
            "manifest-src 'self'",
            "base-uri 'none'",
            "frame-ancestors 'none'",
        ]
    )
