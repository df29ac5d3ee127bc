"""Parses the filters of a search in a URL, a form or JSON, and writes them for a URL."""

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from clipsearch.images.kinds import FORMATS as NAMES
from search.engine.criteria import ORIENTATIONS, Criteria
from search.engine.errors import BadQuery, quoted
from search.http.times import text_of, time_of
from search.http.values import as_list, as_object, as_text, is_number, shown

# Each is given once, but format is repeatable.
FORMAT = "format"
SINGLE = ("photo", "folder", "name", "after", "before", "near", "orientation", "min_megapixels")
FILTER_PARAMETERS = (*SINGLE[:-1], FORMAT, SINGLE[-1])
FORMATS = tuple(name.lower() for name in NAMES)

NEAR_KEYS = ("latitude", "longitude", "km")
MOST_KM = 20_040  # half of the equator
MOST_MEGAPIXELS = 1000
_NUMBER = re.compile(r"[+-]?\d+(\.\d+)?", re.ASCII)


def criteria_of(values: Mapping[str, str], formats: Sequence[str]) -> Criteria:
    """Parse the parameters SINGLE among `values`, and each `format`. Raises BadQuery."""
    given = {name: values[name] for name in SINGLE if name in values}
    near, least = given.pop("near", None), given.pop("min_megapixels", None)
    return _criteria(
        given,
        near=None if near is None else _near_of_text(near),
        formats=formats,
        least=0 if least is None else _number(least, "min_megapixels"),
    )


def criteria_of_json(value: Any) -> Criteria:
    """Parse the object `filter` of POST /search. Raises BadQuery."""
    given = dict(as_object(value, "filter", FILTER_PARAMETERS))
    near, least = given.pop("near", None), given.pop("min_megapixels", 0)
    formats = given.pop(FORMAT, [])
    texts = {name: as_text(text, f"filter.{name}") for name, text in given.items()}
    listed = [formats] if isinstance(formats, str) else as_list(formats, f"filter.{FORMAT}")
    return _criteria(
        texts,
        near=None if near is None else _near_of_json(near),
        formats=[as_text(one, f"filter.{FORMAT}") for one in listed],
        least=least,
    )


def parameters_of(criteria: Criteria) -> list[tuple[str, str]]:
    """The inverse of criteria_of."""
    near = criteria.near and ",".join(_plain(number) for number in criteria.near)
    texts = {
        "photo": criteria.photo,
        "folder": criteria.folder,
        "name": criteria.name,
        "after": criteria.after and text_of(criteria.after),
        "before": criteria.before and text_of(criteria.before),
        "near": near,
        "orientation": criteria.orientation,
    }
    pairs = [(name, text) for name, text in texts.items() if text]
    pairs += [(FORMAT, name) for name in criteria.formats]
    if criteria.min_megapixels:
        pairs.append(("min_megapixels", _plain(criteria.min_megapixels)))
    return pairs


def _criteria(
    texts: Mapping[str, str],
    near: tuple[float, float, float] | None,
    formats: Iterable[str],
    least: Any,
) -> Criteria:
    for name, text in texts.items():
        if not text.strip():
            raise BadQuery(f"{name} is empty")
    if not is_number(least) or not 0 <= least <= MOST_MEGAPIXELS:
        raise BadQuery(
            f"min_megapixels must be a number from 0 to {MOST_MEGAPIXELS}, not {shown(least)}"
        )
    folder, orientation = texts.get("folder", ""), texts.get("orientation", "")
    if orientation and orientation not in ORIENTATIONS:
        raise _not_one_of("orientation", ORIENTATIONS, orientation)
    for name in formats:
        if name not in FORMATS:
            raise _not_one_of(FORMAT, FORMATS, name)
    return Criteria(
        photo=texts.get("photo", ""),
        folder=folder if not folder or folder.endswith("/") else f"{folder}/",
        name=texts.get("name", ""),
        after=time_of(texts["after"], "after") if "after" in texts else None,
        before=time_of(texts["before"], "before") if "before" in texts else None,
        near=near,
        orientation=orientation,
        formats=tuple(sorted(set(formats))),
        min_megapixels=float(least),
    )


def _near_of_text(text: str) -> tuple[float, float, float]:
    parts = [part.strip() for part in text.split(",")]
    if len(parts) != len(NEAR_KEYS):
        raise BadQuery(
            f"near must be a latitude, a longitude and km, such as 41.9,12.5,10, not {quoted(text)}"
        )
    latitude, longitude, km = (_number(part, "near") for part in parts)
    return _near(latitude, longitude, km)


def _near_of_json(value: Any) -> tuple[float, float, float]:
    given = as_object(value, "filter.near", NEAR_KEYS)
    missing = [key for key in NEAR_KEYS if key not in given]
    if missing:
        raise BadQuery(f"filter.near lacks {missing[0]}; give {', '.join(NEAR_KEYS)}")
    return _near(*(given[key] for key in NEAR_KEYS))


def _near(latitude: Any, longitude: Any, km: Any) -> tuple[float, float, float]:
    for name, value, most in (("latitude", latitude, 90), ("longitude", longitude, 180)):
        if not is_number(value) or not -most <= value <= most:
            raise BadQuery(f"near: {name} must be from -{most} to {most}, not {shown(value)}")
    if not is_number(km) or not 0 < km <= MOST_KM:
        raise BadQuery(f"near: km must be more than 0 and at most {MOST_KM:,}, not {shown(km)}")
    return float(latitude), float(longitude), float(km)


def _number(text: str, name: str) -> float:
    """A decimal number without an exponent. Raises BadQuery."""
    if not _NUMBER.fullmatch(text):
        raise BadQuery(f"{name}: {quoted(text)} is not a number")
    return float(text)  # inf, if it has hundreds of digits


def _plain(number: float) -> str:
    """Without an exponent, which _number refuses, and without a needless .0"""
    return f"{number:.9f}".rstrip("0").rstrip(".")


def _not_one_of(name: str, allowed: Sequence[str], value: str) -> BadQuery:
    return BadQuery(f"{name} must be one of {', '.join(allowed)}, not {quoted(value)}")
