"""Which rows of a catalogue fit a filter, without a Python object per photo."""

from __future__ import annotations

import numpy as np

from clipsearch.index.format.facts import FORMATS, Known
from clipsearch.index.search.columns import Columns, Mask
from clipsearch.index.search.filter import Filter, Moment

EARTH_RADIUS = 6371.0  # km
PIXELS = 1e6  # of a megapixel


def mask_of(filter: Filter, columns: Columns) -> Mask:
    """(n,) which of the n rows fit."""
    entries, masks = columns.entries, [columns.photos]
    if filter.photo:
        masks.append(columns.names.equal_to(filter.photo))
    if filter.folder:
        masks.append(columns.names.beginning_with(filter.folder))
    if filter.name:
        masks.append(columns.names.containing(filter.name))
    if filter.after is not None:
        masks.append(~_before(filter.after, columns))
    if filter.before is not None:
        masks.append(_before(filter.before, columns))
    if filter.near is not None:
        masks.append(_near(*filter.near, columns))
    if filter.orientation is not None:
        masks.append(columns.orientations == filter.orientation)
    if filter.formats:
        numbers = [FORMATS.index(name) + 1 for name in filter.formats]
        masks.append(np.isin(entries.facts["format"], numbers))
    if filter.min_megapixels:
        pixels = entries.widths.astype(np.int64) * entries.heights
        masks.append((pixels > 0) & (pixels >= filter.min_megapixels * PIXELS))
    return np.asarray(np.logical_and.reduce(masks))


def _before(moment: Moment, columns: Columns) -> Mask:
    dates = columns.instants if moment.is_instant else columns.dates
    return dates < moment.seconds


def _near(latitude: float, longitude: float, km: float, columns: Columns) -> Mask:
    """(n,) which places are at most `km` away, by the haversine formula."""
    mask = columns.known(Known.PLACE)
    places = columns.entries.facts[mask]
    here = np.radians(latitude)
    there = np.radians(places["latitude"].astype(np.float64))
    east = np.radians(places["longitude"].astype(np.float64) - longitude)
    share = np.sin((there - here) / 2) ** 2
    share += np.cos(here) * np.cos(there) * np.sin(east / 2) ** 2
    mask[mask] = 2 * EARTH_RADIUS * np.arcsin(np.sqrt(share.clip(0, 1))) <= km
    return mask
