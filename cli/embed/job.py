"""What each process must know, and the buckets that it opens with that."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

from clipsearch.settings import PREFIX, Settings
from ingest.services import Services


@dataclass(frozen=True, slots=True)
class Job:
    """Goes to all processes. `photos`, `index` and `thumbnails` are URLs of buckets.

    `may_empty`: all photos may be removed from the index. `tally`: the folder of tally.py, or "".
    """

    photos: str
    index: str
    thumbnails: str
    space: str
    keeps_places: bool = False
    may_empty: bool = False
    tally: str = ""

    def settings(self) -> Settings:
        values = {
            "PHOTOS": self.photos,
            "INDEX": self.index,
            "THUMBNAILS": self.thumbnails,
            "MODEL": self.space,
            "KEEP_PLACES": str(int(self.keeps_places)),
            # Nobody gets URLs of pictures here.
            "PHOTOS_URL": "http://localhost",
            "THUMBNAILS_URL": "http://localhost",
        }
        return Settings.from_env({f"{PREFIX}{name}": value for name, value in values.items()})


@cache
def services_of(job: Job) -> Services:
    """The buckets, once a process."""
    return Services(job.settings())
