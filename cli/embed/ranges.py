"""Cuts the names of a bucket into ranges that many processes can list side by side.

Nobody knows how names are distributed. So a range is halved in the middle of its characters, and
the next existing name becomes the border: years, digits and hashes are all cut well. A cut costs
one request, or a few where one half is empty. Ranges of unequal size are harmless: listing is fast
beside embedding.
"""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import pairwise, takewhile

from clipsearch.storage import Bucket, Stat

MOST = 256  # ranges
TRIES = 40  # requests for one cut
DIGITS = 8  # characters after the common beginning in which the middle is looked for
CHARACTERS = 0x110000  # of Unicode; its order is that of UTF-8
LAST = chr(CHARACTERS - 1)
SURROGATES = range(0xD800, 0xE000)  # no characters
# Most names have these only. With few characters, the middle is soon between existing names.
PRINTABLE = range(0x20, 0x7F)


@dataclass(frozen=True, slots=True)
class Range:
    """The names from `start` to below `end`; an `end` of "" has no limit. Order of UTF-8 bytes."""

    start: str
    end: str


def ranges_of(photos: Bucket, count: int) -> list[Range]:
    """About `count` ranges that together have all names, each once. Raises StorageError.

    Photos that come or go meanwhile make no difference.
    """
    first = _first(photos, "") if count > 1 else None
    if first is None:
        return [Range("", "")]
    borders = [first, _above_all(photos, first)]
    with ThreadPoolExecutor(8, "clipsearch-ranges") as pool:
        while len(borders) - 1 < min(count, MOST):
            pairs = list(pairwise(borders))
            cuts = list(pool.map(lambda pair: _cut(photos, *pair), pairs))
            found = [cut for cut in cuts if cut is not None]
            if not found:
                break
            borders = sorted([*borders, *found], key=str.encode)
    borders[0] = borders[-1] = ""
    return [Range(*pair) for pair in pairwise(borders)]


def list_range(photos: Bucket, names: Range) -> Iterator[Stat]:
    """The photos of the range, without the placeholders of folders. Raises StorageError."""
    end = names.end.encode()
    listed = photos.list(start=names.start)
    if end:
        listed = takewhile(lambda stat: stat.name.encode() < end, listed)
    return (stat for stat in listed if stat.name and not stat.name.endswith("/"))


def middle(low: str, high: str) -> str:
    """A text about halfway between `low` and a greater `high`; `low` itself if there is none."""
    same = 0
    while same < min(len(low), len(high)) and low[same] == high[same]:
        same += 1
    tails = [name[same : same + DIGITS] for name in (low, high)]
    is_plain = all(ord(character) in PRINTABLE for character in tails[0])
    first, base = (PRINTABLE.start, len(PRINTABLE) + 1) if is_plain else (1, CHARACTERS)
    halfway, text = sum(_number(tail, first, base) for tail in tails) // 2, ""
    for _ in range(DIGITS):
        halfway, digit = divmod(halfway, base)
        text = (_character(first + digit - 1) if digit else "") + text
    found = low[:same] + text
    return found if low.encode() < found.encode() < high.encode() else low


def _number(text: str, first: int, base: int) -> int:
    """`text` as a number whose digits are its characters from `first` on; 0: the text has ended."""
    number = 0
    for place in range(DIGITS):
        digit = ord(text[place]) - first + 1 if place < len(text) else 0
        number = number * base + min(max(digit, 0), base - 1)
    return number


def _character(number: int) -> str:
    return chr(SURROGATES.start - 1 if number in SURROGATES else number)


def _above_all(photos: Bucket, first: str) -> str:
    """A text above all names, `first` being the first of them, but not far above."""
    shared, length = 0, len(first)  # how much of `first` do all names begin with?
    while shared < length:
        tried = (shared + length + 1) // 2
        if _first(photos, first[:tried] + LAST) is None:
            shared = tried
        else:
            length = tried - 1
    beginning, step = first[:shared], 1
    there = ord(first[shared]) if shared < len(first) else 0
    above = CHARACTERS - 1
    while there + step < above:  # a name begins with `there`, none with `above`
        found = _first(photos, beginning + _character(there + step))
        if found is None:
            above, step = there + step, max(1, step // 4)
        else:
            there, step = ord(found[shared]), 2 * step
        step = min(step, max(1, (above - there) // 2))
    return beginning + _character(above)


def _cut(photos: Bucket, low: str, high: str) -> str | None:
    """An existing name between both, as far in the middle as there is one; None without one."""
    limit = high
    for _ in range(TRIES):
        wanted = middle(low, limit)
        if wanted == low:
            return None
        found = _first(photos, wanted)
        if found is not None and found.encode() < high.encode():
            return found
        limit = wanted  # there is nothing in the upper half
    return None


def _first(photos: Bucket, start: str) -> str | None:
    """The first name that is not below `start`."""
    stat = next(iter(photos.list(start=start)), None)
    return None if stat is None else stat.name
