"""Parses a URL strictly: what this module accepts has only one reading."""

import ipaddress
import re
from dataclasses import dataclass
from urllib.parse import quote, urlsplit

from search.fetch.errors import UrlNotAllowed

MAX_CHARACTERS = 2_000
PORTS = {"http": 80, "https": 443}

# Parsers read control characters, spaces and backslashes differently.
_AMBIGUOUS = re.compile(r"[\x00-\x20\x7f\\]")
_LABEL = "[a-z0-9_]([a-z0-9_-]*[a-z0-9_])?"
_NAME = re.compile(rf"{_LABEL}(\.{_LABEL})*\.?")
# Resolvers read such a last label as a part of an IPv4 address: 2130706433, 0x7f.1, 127.1.
_NUMBER = re.compile("[0-9]+|0x[0-9a-f]*")


@dataclass(frozen=True)
class Target:
    """`host`: lower case, ASCII, without brackets. `path`: with the query, without the fragment."""

    scheme: str
    host: str
    port: int
    path: str

    @property
    def authority(self) -> str:
        """The value of the Host header."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == PORTS[self.scheme] else f"{host}:{self.port}"


def target_of(url: str) -> Target:
    """Raises UrlNotAllowed."""
    if len(url) > MAX_CHARACTERS:
        raise UrlNotAllowed(f"url has {len(url):,} characters; allowed: {MAX_CHARACTERS:,}")
    if _AMBIGUOUS.search(url):
        raise UrlNotAllowed("url has a space, a control character or a backslash; encode it")
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError as error:
        raise UrlNotAllowed("url is not a valid URL; allowed: http(s)://HOST/PATH") from error
    if parts.scheme not in PORTS or not parts.hostname:
        raise UrlNotAllowed("url must begin with http:// or https:// and a host")
    if "@" in parts.netloc:
        raise UrlNotAllowed("url has a user name or a password; send a URL without them")
    port = PORTS[parts.scheme] if port is None else port
    if port not in PORTS.values():
        raise UrlNotAllowed(f"url has port {port}; allowed: 80 and 443")
    path = quote(parts.path or "/", safe="/%!$&'()*+,;=:@~")
    if parts.query:
        path += "?" + quote(parts.query, safe="/?%!$&'()*+,;=:@~[]")
    return Target(parts.scheme, _host(parts.hostname), port, path)


def _host(name: str) -> str:
    if ":" in name:  # urlsplit checked the brackets; a zone ("%eth0") is never public
        return name
    try:
        ascii_name = name.encode("idna").decode("ascii").lower()
    except UnicodeError as error:
        raise UrlNotAllowed("url has an invalid host name") from error
    if not _NAME.fullmatch(ascii_name):
        raise UrlNotAllowed("url has an invalid host name")
    if _NUMBER.fullmatch(ascii_name.rstrip(".").rpartition(".")[2]):
        try:
            return str(ipaddress.IPv4Address(ascii_name))
        except ValueError as error:
            raise UrlNotAllowed(
                "url has an unusual form of an IPv4 address; use a.b.c.d"
            ) from error
    return ascii_name
