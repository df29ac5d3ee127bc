"""Which model is current: numbered pointers, each written once; the greatest number counts.

    models/current/<12 digits>.json     {"space", "created"}, and perhaps "filling", "previous"

A pointer may name two more spaces. `filling` is being filled and becomes current later.
`previous` was current before `space`, until a reconcile of `space` has ended. `ingest` writes
tombstones into both. Readers that know only `space` ignore the rest.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from clipsearch.errors import (
    DamagedObject,
    NoModel,
    ObjectExists,
    ObjectNotFound,
    StorageError,
)

if TYPE_CHECKING:
    from clipsearch.storage import Bucket, Stat

FOLDER = "models/current/"
MAX_NUMBER = 99_999_999_999
RACES = 20  # how often others may be faster
# By then every instance has seen a new pointer: they look every 5 s. The rest is for clocks.
SEEN_AFTER = timedelta(seconds=60)
LONG_AGO = datetime(1970, 1, 1, tzinfo=UTC)
_SPACE = "[0-9a-f]{12}"


@dataclass(frozen=True, slots=True)
class Pointer:
    """`space` is current since `at`, by the storage's clock. `number` is 0 for a fixed model."""

    space: str
    filling: str | None = None
    previous: str | None = None
    number: int = 0
    at: datetime = LONG_AGO

    @property
    def beside(self) -> tuple[str, ...]:
        """The spaces that get tombstones, too."""
        others = dict.fromkeys(s for s in (self.filling, self.previous) if s)
        return tuple(space for space in others if space != self.space)

    def is_seen(self, when: datetime) -> bool:
        """Whether every instance acted on this pointer at that time."""
        return when >= self.at + SEEN_AFTER


def current_pointer(bucket: Bucket) -> Pointer:
    """The newest pointer. NoModel, DamagedObject, StorageError.

    A damaged pointer is no reason to take the one before: `ingest` would write into its space."""
    numbers = _numbers(bucket)
    if not numbers:
        raise NoModel(f"the current model in {bucket.url}")
    newest = max(numbers)
    return _read(bucket, newest, numbers[newest])


def pointer_after(bucket: Bucket, known: Pointer | None) -> Pointer:
    """The newest pointer, if an earlier look found `known`. Raises as current_pointer().

    Numbers grow by one. So one cheap request shows that nothing is newer.
    """
    if known is None:
        return current_pointer(bucket)
    try:
        bucket.stat(pointer_name(known.number + 1))
    except ObjectNotFound:
        return known
    return current_pointer(bucket)


def current_space(bucket: Bucket) -> str:
    """The space of the current bundle. Raises as current_pointer()."""
    return current_pointer(bucket).space


def make_current(bucket: Bucket, space: str) -> None:
    """Make `space` current at once. Changes nothing if it is. StorageError."""

    def change(newest: Pointer | None) -> Pointer | None:
        if newest is None:
            return Pointer(space)
        filling = newest.filling if newest.filling != space else None
        return None if newest.space == space else Pointer(space, filling)

    _advance(bucket, change)


def start_filling(bucket: Bucket, space: str) -> Pointer:
    """Tell `ingest` that `space` is being filled; returns the pointer that counts.

    Changes nothing if `space` is current. NoModel, DamagedObject, StorageError.
    """
    current_pointer(bucket)  # a damaged pointer does not say what is current

    def change(newest: Pointer | None) -> Pointer | None:
        if newest is None or space in (newest.space, newest.filling):
            return None
        return Pointer(newest.space, space, newest.previous)

    _advance(bucket, change)
    return current_pointer(bucket)


def switch_to(bucket: Bucket, space: str) -> Pointer:
    """Make `space` current and keep the model before for going back. If `space` is current, the
    filling of another one ends. Raises as current_pointer()."""
    current_pointer(bucket)

    def change(newest: Pointer | None) -> Pointer | None:
        if newest is None:
            return Pointer(space)
        if newest.space == space:
            return Pointer(space, None, newest.previous) if newest.filling else None
        filling = newest.filling if newest.filling != space else None
        return Pointer(space, filling, newest.space)

    _advance(bucket, change)
    return current_pointer(bucket)


def forget_previous(bucket: Bucket, pointer: Pointer) -> bool:
    """End a switch: the model before is no longer kept. False if there is a newer pointer."""
    try:
        _create(bucket, pointer.number + 1, Pointer(pointer.space, pointer.filling))
    except ObjectExists:
        return False
    return True


def space_before(bucket: Bucket) -> str | None:
    """The space that was current before the present one; None if there was none.

    Raises as current_pointer(); damaged older pointers are passed over."""
    present = current_pointer(bucket)
    if present.previous:
        return present.previous
    numbers = _numbers(bucket)
    for number in sorted(numbers, reverse=True):
        try:
            space = _read(bucket, number, numbers[number]).space
        except DamagedObject:
            continue
        if space != present.space:
            return space
    return None


def pointer_name(number: int) -> str:
    return f"{FOLDER}{number:012d}.json"


def _numbers(bucket: Bucket) -> dict[int, Stat]:
    """The pointers by number, without those above MAX_NUMBER: nothing could follow these."""
    found = {}
    for stat in bucket.list(FOLDER):
        match = re.fullmatch(rf"{FOLDER}(\d{{12}})\.json", stat.name)
        if match and int(match[1]) <= MAX_NUMBER:
            found[int(match[1])] = stat
    return found


def _read(bucket: Bucket, number: int, stat: Stat) -> Pointer:
    try:
        document = json.loads(bucket.read(stat.name))
        space, filling, previous = map(document.get, ("space", "filling", "previous"))
        others = [other for other in (filling, previous) if other is not None]
        if not all(re.fullmatch(_SPACE, each) for each in (space, *others)):
            raise ValueError("not a space")
    except (ValueError, AttributeError, TypeError, RecursionError) as exc:
        raise DamagedObject(stat.name, "not a pointer to the current model") from exc
    return Pointer(space, filling, previous, number, stat.updated)


def _advance(bucket: Bucket, change: Callable[[Pointer | None], Pointer | None]) -> None:
    """Write what `change` makes of the newest pointer as the next number.

    `change` gets None if there is no pointer or a damaged one, which the next number heals. It
    returns None if nothing is to be done. Others may be faster; then it is asked again."""
    for _ in range(RACES):
        numbers = _numbers(bucket)
        newest = max(numbers, default=0)
        try:
            present = _read(bucket, newest, numbers[newest]) if newest else None
        except DamagedObject:
            present = None
        following = change(present)
        if following is None:
            return
        if newest == MAX_NUMBER:
            break
        try:
            _create(bucket, newest + 1, following)
            return
        except ObjectExists:
            continue
    raise StorageError(f"no number after {newest} could be had for models/current in {bucket.url}")


def _create(bucket: Bucket, number: int, pointer: Pointer) -> None:
    """Raises ObjectExists if somebody else was faster."""
    document = {"space": pointer.space, "created": datetime.now(UTC).isoformat()}
    if pointer.filling:
        document["filling"] = pointer.filling
    if pointer.previous:
        document["previous"] = pointer.previous
    bucket.create(pointer_name(number), json.dumps(document).encode(), "application/json")
