"""The bar of an upload; then the failures with their reasons, other files, and the counts."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from cli.common.command import say_wrong
from cli.common.output import result, say, warn
from cli.common.progress import bar

NO_PHOTOS_SHOWN = 100


@dataclass(frozen=True, slots=True)
class Outcome:
    """What happened to one name.

    `may_be_general`: others may fail for the same reason. `ends_all`: all others would.
    """

    name: str
    kind: Literal["present", "uploaded", "failed", "no photo", "not tried"]
    reason: str = ""
    may_be_general: bool = False
    ends_all: bool = False


class Report:
    """`left_out`: names that could not be read from the source, with reasons. They have failed."""

    def __init__(self, asked: int, present: int, left_out: Mapping[str, str]) -> None:
        self._asked = asked + len(left_out)
        self._counts = Counter(present=present)
        self._failed: list[Outcome] = []
        self._no_photos: list[Outcome] = []
        self._bar = bar("uploading", total=asked, done=present)
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
        """Print everything; returns the exit code. `given_up`: the reason, "" if not."""
        self._failed.sort(key=lambda outcome: outcome.name)
        self._no_photos.sort(key=lambda outcome: outcome.name)
        for outcome in self._failed:
            warn(f"cannot be uploaded: {outcome.name}: {outcome.reason}")
        for outcome in self._no_photos[:NO_PHOTOS_SHOWN]:
            say(f"not a photo: {outcome.name}: {outcome.reason}")
        if len(self._no_photos) > NO_PHOTOS_SHOWN:
            say(f"… and {len(self._no_photos) - NO_PHOTOS_SHOWN} more that are not photos")
        say(self._last_line())
        result(self._figures())
        if interrupted:
            say_wrong("stopped; the same command continues")
            return 130
        if given_up:
            say_wrong(f"given up: {given_up}; the same command continues")
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
        if self._not_tried:
            parts.append(f"{self._not_tried} not tried")
        return ", ".join(parts)

    def _figures(self) -> dict[str, Any]:
        """The object of --json."""
        return {
            "asked": self._asked,
            "present": self._counts["present"],
            "uploaded": self._counts["uploaded"],
            "not_tried": self._not_tried,
            "failed": _named(self._failed),
            "not_photos": _named(self._no_photos),
        }

    @property
    def _not_tried(self) -> int:
        kinds = ("present", "uploaded", "failed", "no photo")
        return self._asked - sum(self._counts[kind] for kind in kinds)


def _named(outcomes: list[Outcome]) -> list[dict[str, str]]:
    return [{"name": outcome.name, "reason": outcome.reason} for outcome in outcomes]
