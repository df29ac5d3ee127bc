"""GET /facets: how many photos there are of each month, folder, format and orientation.

Imported on the first search, not with main.py (see search.engine.state).
"""

from itertools import groupby
from typing import TYPE_CHECKING, Any, cast

from search.engine.asked import Asked
from search.engine.by_date import matching_of
from search.engine.errors import BadQuery

if TYPE_CHECKING:
    from clipsearch.index.search.facets import Facets
    from clipsearch.index.search.matching import Matching
    from clipsearch.index.search.photo_index import PhotoIndex


def facets_of(asked: Asked) -> dict[str, Any]:
    """The JSON. With terms, only the photos that match count.

    `estimated`: only if more photos may match. Each number is then a lower bound.
    """
    if not asked.index.counts_facets:
        raise BadQuery(
            "this deployment counts no facets, because its photos are in an engine for many photos"
        )
    is_cut = False
    if asked.vectors:
        matching = cast("Matching", matching_of(asked, asked.filter.loosest))
        found, is_cut = matching.facets(asked.filter), matching.is_cut
    else:
        found = cast("PhotoIndex", asked.index).facets(asked.filter)
    facets = {
        "photos": found.photos,
        "years": _years(found),
        "folders": [{"folder": name, "photos": photos} for name, photos in found.folders],
        "formats": [{"format": name.lower(), "photos": photos} for name, photos in found.formats],
        "orientations": [
            {"orientation": orientation.name.lower(), "photos": photos}
            for orientation, photos in found.orientations
        ],
        "places": found.places,
    }
    return facets | {"estimated": True} if is_cut else facets


def _years(found: "Facets") -> list[dict[str, Any]]:
    years = []
    for year, months in groupby(found.months, key=lambda month: month[0]):
        listed = [{"month": month, "photos": photos} for _, month, photos in months]
        photos = sum(month["photos"] for month in listed)
        years.append({"year": year, "photos": photos, "months": listed})
    return years
