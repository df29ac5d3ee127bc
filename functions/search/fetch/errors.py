"""Why a URL was not fetched. The messages never name the URL, which is part of a query.

FetchError
├── UrlNotAllowed   the URL itself is wrong, or leads to an address that is not public
├── SiteFailed      the site is unreachable or answers wrongly
└── SiteTooSlow     the site needs too long
"""

from clipsearch.errors import ClipsearchError


class FetchError(ClipsearchError):
    """The message is for the person who sent the URL."""


class UrlNotAllowed(FetchError):
    pass


class SiteFailed(FetchError):
    pass


class SiteTooSlow(FetchError):
    pass
