"""Public addresses: what a fetch may connect to."""

import ipaddress
from collections.abc import Iterable

from search.fetch.errors import UrlNotAllowed

# The IPv6 addresses that the internet routes. Others hold IPv4 addresses (::ffff:0:0/96, NAT64's
# 64:ff9b::/96) or belong to the network itself.
_GLOBAL_UNICAST = ipaddress.IPv6Network("2000::/3")


def public(addresses: Iterable[str]) -> list[str]:
    """Return the addresses, IPv4 first: an instance may have no way to IPv6 addresses.

    Raises UrlNotAllowed if one of them is not public. Its message does not name the address,
    which may be the answer of an internal name server.
    """
    parsed = [_parsed(address) for address in addresses]
    if not all(map(is_public, parsed)):
        raise UrlNotAllowed("url leads to an address that is not public")
    return [str(address) for address in sorted(parsed, key=lambda address: address.version)]


def is_public(address: ipaddress.IPv4Address | ipaddress.IPv6Address) -> bool:
    if not address.is_global or address.is_multicast or address.is_reserved:
        return False
    if isinstance(address, ipaddress.IPv4Address):
        return True
    has_ipv4 = address.sixtofour is not None or address.teredo is not None
    return address in _GLOBAL_UNICAST and address.scope_id is None and not has_ipv4


def _parsed(address: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address:
    try:
        return ipaddress.ip_address(address)
    except ValueError as error:
        raise UrlNotAllowed("url has an invalid address") from error
