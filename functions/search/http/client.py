"""Which client a request comes from, as a key: its address, or its network with IPv6."""

from ipaddress import IPv6Address, ip_address, ip_network

from starlette.requests import Request

HEADER = "x-forwarded-for"
# A household or a server usually has a network of this size to itself, with IPv6.
NETWORK_BITS = 64


def client_of(request: Request, proxies: int) -> str:
    """The client's IPv4 address or IPv6 network; "" if the request names none.

    Each proxy appends the address that it saw to X-Forwarded-For, so with `proxies` of them the
    client's is that many from the end. Whatever stands before it, the client may have invented.
    Cloud Run appends one address. A load balancer of Google's appends the client's and its own:
    https://cloud.google.com/load-balancing/docs/https#x-forwarded-for_header
    """
    if not proxies:
        return network_of(request.client.host if request.client else "")
    forwarded = [part for header in request.headers.getlist(HEADER) for part in header.split(",")]
    return network_of(forwarded[-proxies]) if len(forwarded) >= proxies else ""


def network_of(text: str) -> str:
    """The network of an address that may have a port, as a key; "" if it is no address."""
    text = text.strip()
    if text.startswith("["):  # [IPv6]:port
        text = text[1:].partition("]")[0]
    elif text.count(":") == 1:  # IPv4:port
        text = text.partition(":")[0]
    try:
        address = ip_address(text.partition("%")[0])
    except ValueError:
        return ""
    if isinstance(address, IPv6Address):
        if address.ipv4_mapped is None:
            return str(ip_network((address, NETWORK_BITS), strict=False))
        address = address.ipv4_mapped
    return str(address)
