"""Photos with facts, what filters must find among them by brute force, and how to ask for it."""

import itertools
import math
import random
from dataclasses import dataclass
from datetime import datetime

import numpy as np

from clipsearch.index.format.entries import Entry, Kind
from clipsearch.index.format.facts import FORMATS, Facts

FOLDERS = ("", "2023/", "2023/Italy/", "2023/italy/", "2024/", "a b/é/")
WORDS = ("Beach", "beach", "BERG", "straße", "x%_")
SIZES = ((4000, 3000), (3000, 4000), (1000, 1000), (640, 480), (0, 0))


def seconds(text):
    """Of a time without a zone, since 1970."""
    return int((datetime.fromisoformat(text) - datetime(1970, 1, 1)).total_seconds())


@dataclass(frozen=True)
class Photo:
    name: str
    uploaded: int  # seconds since 1970
    width: int
    height: int
    facts: Facts | None
    vector: np.ndarray

    @property
    def date(self):
        is_taken = self.facts and self.facts.taken is not None
        return self.facts.taken if is_taken else self.uploaded

    @property
    def instant(self):
        has_offset = self.facts and self.facts.taken is not None and self.facts.offset is not None
        return self.date - 60 * self.facts.offset if has_offset else self.date

    @property
    def orientation(self):
        if not self.width:
            return None
        sides = (self.width > self.height) - (self.width < self.height)
        return {1: "landscape", -1: "portrait", 0: "square"}[sides]

    @property
    def format(self):
        return self.facts.format.lower() or None if self.facts else None

    def is_near(self, latitude, longitude, km):
        if not self.facts or self.facts.place is None:
            return False
        a, b = (
            np.radians([float(np.float32(d)) for d in self.facts.place]),
            np.radians([latitude, longitude]),
        )
        half = math.sin((a[0] - b[0]) / 2) ** 2
        half += math.cos(a[0]) * math.cos(b[0]) * math.sin((a[1] - b[1]) / 2) ** 2
        return 2 * 6371 * math.asin(math.sqrt(min(1, half))) <= km

    def entry(self):
        return Entry(
            name=self.name,
            generation=1_000_000 * self.uploaded,
            kind=Kind.VECTOR,
            width=self.width,
            height=self.height,
            time_us=1_000_000 * self.uploaded,
            vector=self.vector,
            facts=self.facts,
        )


def random_photos(count, center, seed=0):
    """`center` (d,): vectors are around it."""
    chance = random.Random(seed)
    noise = np.random.default_rng(seed)
    photos = []
    for number in range(count):
        vector = center + 0.05 * noise.standard_normal(len(center))
        photos.append(
            Photo(
                name=f"{chance.choice(FOLDERS)}{chance.choice(WORDS)} {number:03}.jpg",
                uploaded=seconds("2024-02-28T00:00") + 3600 * chance.randrange(96),
                width=(size := chance.choice(SIZES))[0],
                height=size[1],
                facts=_facts(chance) if chance.random() < 0.8 else None,
                vector=(vector / np.linalg.norm(vector)).astype(np.float32),
            )
        )
    return photos


def _facts(chance):
    has_date, has_place = chance.random() < 0.8, chance.random() < 0.5
    return Facts(
        format=chance.choice(["", *FORMATS]),
        size=chance.randrange(10**7),
        # few days, so that dates are equal
        taken=seconds("2023-06-29T00:00") + 43_200 * chance.randrange(8) if has_date else None,
        offset=chance.choice([None, 0, 120, -330]) if has_date else None,
        place=(41.9 + chance.random(), 12.5 + chance.random()) if has_place else None,
        keeps_places=True,
        hash=chance.randrange(2**64),
        colour=(chance.randrange(256), 2, 3),
        thumbnail=1,
    )


def listed(photos, oldest=False):
    """Their names by date, equal dates by name."""
    sign = 1 if oldest else -1
    return [p.name for p in sorted(photos, key=lambda p: (sign * p.date, p.name))]


def answer(response):
    assert response.status_code == 200, response.text
    return response.json()


def names(response):
    return [result["name"] for result in answer(response)["results"]]


def pages(client, **query):
    """The names of each page, to the last one."""
    cursor = {}
    while True:
        found = answer(client.get("/", params={**query, **cursor}))
        yield [result["name"] for result in found["results"]]
        if found["next_cursor"] is None:
            return
        cursor = {"cursor": found["next_cursor"]}


def whole(client, **query):
    return list(itertools.chain(*pages(client, limit=100, **query)))


def next_cursor(client, limit=100, **query):
    return answer(client.get("/", params={"limit": limit, **query}))["next_cursor"]
