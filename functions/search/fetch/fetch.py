"""Fetches one picture: checks each hop, limits time and size, and decompresses nothing."""

import http.client
import ssl
from urllib.parse import urljoin

from clipsearch.errors import PhotoTooLarge
from clipsearch.images.limits import MAX_BYTES
from clipsearch.version import __version__
from search.fetch import network
from search.fetch.addresses import public
from search.fetch.connection import Deadline, PinnedConnection
from search.fetch.errors import SiteFailed, SiteTooSlow
from search.fetch.target import Target, target_of

SECONDS = 10.0
MAX_REDIRECTS = 5
_REDIRECTS = (301, 302, 303, 307, 308)
_PIECE = 65_536  # bytes
_TOO_LARGE = f"the picture at url has more than {MAX_BYTES:,} bytes"
_HEADERS = {
    "User-Agent": f"clipsearch/{__version__}",
    "Accept": "image/*",
    "Accept-Encoding": "identity",
    "Connection": "close",
}


def fetch(url: str, seconds: float = SECONDS) -> bytes:
    """Return the bytes at `url`. They need not be a picture.

    Blocks for at most `seconds`, and for the name server. Raises UrlNotAllowed, SiteFailed,
    SiteTooSlow, PhotoTooLarge.
    """
    deadline = Deadline(seconds)
    for _ in range(MAX_REDIRECTS + 1):
        body, location = _hop(target_of(url), deadline)
        if location is None:
            return body
        try:
            url = urljoin(url, location)
        except ValueError as error:
            raise SiteFailed("the site redirects to an invalid URL") from error
    raise SiteFailed(f"the site redirects more than {MAX_REDIRECTS} times")


def _hop(target: Target, deadline: Deadline) -> tuple[bytes, str | None]:
    """Return (the body, None), or (b"", where a redirect leads)."""
    try:
        found = network.resolve(target.host, target.port)
    except (OSError, UnicodeError) as error:
        raise SiteFailed("the host of url cannot be found") from error
    connection = PinnedConnection(target, public(found), deadline)
    try:
        return _exchange(connection, target)
    except TimeoutError as error:
        raise SiteTooSlow(deadline.passed) from error
    except (OSError, http.client.HTTPException, ValueError) as error:
        raise SiteFailed(_reason(error)) from error
    finally:
        connection.hang_up()


def _exchange(connection: PinnedConnection, target: Target) -> tuple[bytes, str | None]:
    connection.request("GET", target.path, headers={"Host": target.authority, **_HEADERS})
    response = connection.getresponse()
    location = response.headers.get("Location")
    if response.status in _REDIRECTS and location:
        return b"", location
    if response.status != 200:
        raise SiteFailed(f"the site answers with status {response.status}")
    encoding = response.headers.get("Content-Encoding", "identity")
    if encoding.lower() != "identity":
        raise SiteFailed("the site compresses the picture, although it was asked not to")
    return _body(response), None


def _body(response: http.client.HTTPResponse) -> bytes:
    """Read the body. Compares it with its Content-Length, which http.client does not."""
    if (response.length or 0) > MAX_BYTES:
        raise PhotoTooLarge(_TOO_LARGE)
    body = bytearray()
    while piece := response.read(_PIECE):
        body += piece
        if len(body) > MAX_BYTES:
            raise PhotoTooLarge(_TOO_LARGE)
    if response.length:
        raise SiteFailed(f"the site ends the picture {response.length:,} bytes too early")
    return bytes(body)


def _reason(error: Exception) -> str:
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"the site has no valid certificate: {error.verify_message}"
    if isinstance(error, ssl.SSLError):
        return "the site does not speak TLS as it should"
    if isinstance(error, OSError):
        return "the site ends the connection"
    return "the site does not answer with valid HTTP"
