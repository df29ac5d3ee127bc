"""The bar while photos go up; then what failed and why, what is no photo, and the last line."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from tqdm import tqdm

from cli.common.command import say_wrong
from clipsearch.text import printable

NO_PHOTOS_SHOWN = 100


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one name. `may_be_general`: others may fail in the same way; `ends_all`:
    they certainly will."""

    name: str
    kind: Literal["present", "uploaded", "failed", "no photo", "not tried"]
    reason: str = ""
    may_be_general: bool = False
    ends_all: bool = False


class Report:
    """`left_out` could not even be asked for: it counts as asked and failed."""

    def __init__(self, asked: int, present: int, left_out: Mapping[str, str]) -> None:
        self._asked = asked + len(left_out)
        self._counts = Counter(present=present)
        self._failed: list[Outcome] = []
        self._no_photos: list[Outcome] = []
        # disable=None: no bar where nobody sees it move, in a log file
        self._bar = tqdm(
            desc="uploading", total=asked, initial=present, unit=" photos", disable=None
        )
        for name, reason in left_out.items():
            self._count(Outcome(name, "failed", reason))

    def __enter__(self) -> Report:
        return self

    def __exit__(self, *_: object) -> None:
        self._bar.close()

    def note(self, outcome: Outcome) -> None:
        self._count(outcome)
        if outcome.kind != "not tried":
            self._bar.update()

    def end(self, given_up: str, interrupted: bool) -> int:
        """Say it all, and why it was given up, if it was; the exit code."""
        for outcome in sorted(self._failed, key=lambda outcome: outcome.name):
            print(printable(f"cannot be uploaded: {outcome.name}: {outcome.reason}"))
        no_photos = sorted(self._no_photos, key=lambda outcome: outcome.name)
        for outcome in no_photos[:NO_PHOTOS_SHOWN]:
            print(printable(f"not a photo: {outcome.name}: {outcome.reason}"))
        if len(no_photos) > NO_PHOTOS_SHOWN:
            print(f"… and {len(no_photos) - NO_PHOTOS_SHOWN} more that are no photos")
        print(self._last_line(), flush=True)
        if interrupted:
            say_wrong("stopped; the same command goes on where it was")
            return 130
        if given_up:
            say_wrong(f"given up: {given_up}; the same command goes on where it was")
        return 1 if given_up or self._failed else 0

    def _count(self, outcome: Outcome) -> None:
        self._counts[outcome.kind] += 1
        if outcome.kind == "failed":
            self._failed.append(outcome)
        elif outcome.kind == "no photo":
            self._no_photos.append(outcome)

    def _last_line(self) -> str:
        counts = self._counts
        parts = [
            f"{self._asked} asked",
            f"{counts['present']} present",
            f"{counts['uploaded']} uploaded now",
            f"{counts['failed']} failed",
        ]
        if counts["no photo"]:
            parts.append(f"{counts['no photo']} not photos")
        done = sum(counts[kind] for kind in ("present", "uploaded", "failed", "no photo"))
        if done < self._asked:
            parts.append(f"{self._asked - done} not tried")
        return ", ".join(parts)
