"""Photos with facts, and what filters select among them, in plain Python."""

from __future__ import annotations

import math
import random
import unicodedata
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import numpy as np
from hypothesis import strategies as st

from clipsearch.index.format.entries import Entry, Kind
from clipsearch.index.format.facts import FORMATS, Facts, Orientation
from clipsearch.index.search.facets import Facets
from clipsearch.index.search.filter import Filter, Moment
from tests.index.making import Vector

DIMENSION = 16
FOLDERS = (
    "",
    "2023/",
    "2023/07/",
    "2023/07/14/",
    "2023/07/15/",
    "2023/0",
    "holidays 2022 Rome/",
    "holidays 2023 Rome/",
    "2023/Ä/",
    "写真/",
    "写真/🐈 2023 and a long name/",
)
WORDS = (
    "IMG_1",
    "img_12",
    "Straße",
    "STRASSE",
    "\u00e9t\u00e9",
    "E\u0301TE\u0301",
    "İzmir",
    "ΣΊΣΥΦΟΣ",
    "a\0",
    "猫",
    "K",
    "\u212a",  # the sign of kelvin
)
PARTS = ("img", "G_1", "strasse", "SS", "É", "e", "ς", "k", "猫", "a\0", "/", "0", "i", "z" * 40)
SIZES = ((4000, 3000), (3000, 4000), (1000, 1000), (1, 1), (0, 0))
UPLOADED = 1_700_000_000  # seconds
# A few, so that dates are equal; one before 1970.
TAKEN = (-1, 0, UPLOADED - 3600, UPLOADED, UPLOADED + 40 * 86_400)
PLACES = ((0.0, 0.0), (0.5, -0.25), (90.0, 12.0), (-10.0, 179.5), (-10.0, -179.5))
EPOCH = datetime(1970, 1, 1)


@dataclass(frozen=True)
class Photo:
    """`generation` is the time of the upload, if it is large."""

    name: str
    generation: int
    size: tuple[int, int]
    facts: Facts
    vector: Vector

    def entry(self, time_us: int = 0) -> Entry:
        is_looked = self.facts != Facts()
        return Entry(
            self.name,
            self.generation,
            Kind.VECTOR,
            *self.size,
            time_us,
            vector=self.vector,
            facts=self.facts if is_looked else None,
        )

    @property
    def date(self) -> int:
        return self.facts.taken if self.facts.taken is not None else self.generation // 1_000_000

    @property
    def orientation(self) -> Orientation | None:
        width, height = self.size
        if not width or not height:
            return None
        if width == height:
            return Orientation.SQUARE
        return Orientation.LANDSCAPE if width > height else Orientation.PORTRAIT

    def fits(self, filter: Filter) -> bool:
        return (
            filter.photo in ("", self.name)
            and self.name.startswith(filter.folder)
            and plain(filter.name) in plain(self.name)
            and (filter.after is None or self.at(filter.after) >= filter.after.seconds)
            and (filter.before is None or self.at(filter.before) < filter.before.seconds)
            and (filter.near is None or self.is_near(*filter.near))
            and filter.orientation in (None, self.orientation)
            and (not filter.formats or self.facts.format in filter.formats)
            and (
                not filter.min_megapixels
                or self.size[0] * self.size[1] >= max(1, filter.min_megapixels * 1e6)
            )
        )

    def at(self, moment: Moment) -> int:
        """The date to compare with `moment`."""
        is_shifted = moment.is_instant and self.facts.taken is not None
        return self.date - 60 * (self.facts.offset or 0) if is_shifted else self.date

    def is_near(self, latitude: float, longitude: float, km: float) -> bool:
        """By the angle between two points on the sphere."""
        if self.facts.place is None:
            return False
        there, here = _point(*self.facts.place), _point(latitude, longitude)
        cosine = sum(a * b for a, b in zip(there, here, strict=True))
        return 6371 * math.acos(max(-1.0, min(1.0, cosine))) <= km


def plain(text: str) -> str:
    return unicodedata.normalize("NFC", unicodedata.normalize("NFD", text).casefold())


def _point(latitude: float, longitude: float) -> tuple[float, float, float]:
    a, b = math.radians(latitude), math.radians(longitude)
    return math.cos(a) * math.cos(b), math.cos(a) * math.sin(b), math.sin(a)


def facets(photos: Iterable[Photo], filter: Filter) -> Facets:
    every = list(photos)

    def those(*without: str) -> list[Photo]:
        return [photo for photo in every if photo.fits(filter.without(*without))]

    fits = those()
    months: Counter[tuple[int, int]] = Counter()
    for photo in those("after", "before"):
        date = EPOCH + timedelta(seconds=photo.date)
        months[date.year, date.month] += 1
    begin = len(filter.folder)
    folders = Counter(p.name[: p.name.index("/", begin) + 1] for p in fits if "/" in p.name[begin:])
    formats = Counter(p.facts.format for p in those("formats") if p.facts.format)
    ways = Counter(p.orientation for p in those("orientation") if p.orientation)
    return Facets(
        photos=len(fits),
        months=tuple((*month, months[month]) for month in sorted(months, reverse=True)),
        folders=tuple(sorted(folders.items(), key=lambda f: (-f[1], f[0]))),
        formats=tuple(sorted(formats.items(), key=lambda f: (-f[1], FORMATS.index(f[0])))),
        orientations=tuple(sorted(ways.items(), key=lambda o: (-o[1], o[0]))),
        places=sum(photo.facts.place is not None for photo in fits),
    )


def exact_vector(seed: int) -> Vector:
    """(DIMENSION,) of four halves: equal as float16, and so are all products."""
    chance = np.random.default_rng(seed)
    vector = np.zeros(DIMENSION, np.float32)
    vector[chance.choice(DIMENSION, 4, replace=False)] = chance.choice([-0.5, 0.5], 4)
    return vector


def random_photos(
    chance: random.Random, count: int, generation: Callable[[], int]
) -> Iterator[Photo]:
    for _ in range(count):
        yield Photo(
            name=chance.choice(FOLDERS) + chance.choice(WORDS),
            generation=generation(),
            size=chance.choice(SIZES),
            facts=random_facts(chance) if chance.random() < 0.8 else Facts(),
            vector=exact_vector(chance.randrange(30)),
        )


def random_facts(chance: random.Random) -> Facts:
    taken = chance.choice((None, *TAKEN))
    return Facts(
        format=chance.choice(("", "JPEG", "PNG", "HEIC")),
        size=7,
        taken=taken,
        offset=None if taken is None else chance.choice((None, 0, 60, -330)),
        place=chance.choice((None, *PLACES)),
    )


vectors = st.builds(exact_vector, st.integers(0, 30))
_moments = st.builds(
    Moment,
    st.builds(int.__add__, st.sampled_from(TAKEN), st.sampled_from([-3600, -3599, 0, 1])),
    st.booleans(),
)


def some_filters() -> st.SearchStrategy[Filter]:
    """Of up to three criteria. No place is at one of the distances."""
    criteria: dict[str, st.SearchStrategy[Any]] = {
        "photo": st.builds(str.__add__, st.sampled_from(FOLDERS), st.sampled_from(WORDS)),
        "folder": st.sampled_from(FOLDERS),
        "name": st.sampled_from(PARTS),
        "after": _moments,
        "before": _moments,
        "near": st.sampled_from([(0.1, 0.0, 20.0), (-10.0, 180.0, 60.0), (90.0, -5.0, 1.0)])
        | st.sampled_from([(0.0, 0.0, 20_040.0)]),
        "orientation": st.sampled_from(Orientation),
        "formats": st.sampled_from([("JPEG",), ("JPEG", "PNG"), ("AVIF",)]),
        "min_megapixels": st.sampled_from([0.000001, 1.0, 12.0, 500.0]),
    }
    chosen = st.lists(st.sampled_from(sorted(criteria)), max_size=3, unique=True)
    return chosen.flatmap(
        lambda fields: st.builds(Filter, **{field: criteria[field] for field in fields})
    )
