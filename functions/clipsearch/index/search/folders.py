"""Counts photos by folder, without a Python object per photo."""

from __future__ import annotations

import numpy as np

from clipsearch.index.search.all_names import AllNames
from clipsearch.index.search.names import WORD, Names, Rows, Words

SLASHES = np.uint64(0x2F2F2F2F2F2F2F2F)
LOW_BITS = np.uint64(0x7F7F7F7F7F7F7F7F)
# Odd, without a pattern: spreads the differences of two words over all bits.
FACTOR = np.uint64(0x9E3779B97F4A7C15)
BUCKET_BITS = 16


def folders_below(
    names: AllNames, rows: Rows, folder: str, most: int
) -> tuple[tuple[str, int], ...]:
    """The folders one level below `folder`, and how many of `rows` (m,) are in each.

    All names at `rows` must begin with `folder`. At most `most` folders, the largest first.
    """
    begin = len(folder.encode())
    found_at, made = [rows[:0]], [np.zeros(0, np.uint64)]
    for places, part, its_rows in names.parts(rows):
        inside, hashes = _hashes(part, its_rows, begin)
        found_at.append(rows[places[inside]])
        made.append(hashes)
    rows = np.concatenate(found_at)
    places, counts = _grouped(np.concatenate(made))
    found = []
    for at in np.lexsort((places, -counts))[:most].tolist():
        name = names.text(int(rows[places[at]]))
        end = name.index("/", len(folder)) + 1
        found.append((name[:end], int(counts[at])))
    return tuple(sorted(found, key=lambda one: (-one[1], one[0])))


def _hashes(names: Names, rows: Rows, begin: int) -> tuple[Rows, Words]:
    """The places in `rows` of names with a slash after `begin` bytes, and a hash of the bytes up
    to it."""
    hashes = np.zeros(len(rows), np.uint64)
    places = np.arange(len(rows))
    chosen, made = [places[:0]], [hashes[:0]]
    while len(rows):
        words = names.words(rows, begin)
        slashes = _slashes(words)
        ends = slashes > 0
        up_to = words[ends] & ~(_smeared(slashes[ends]) >> np.uint64(8))
        chosen.append(places[ends])
        made.append(_mixed(hashes[ends], up_to))
        begin += WORD
        goes_on = ~ends & (names.lengths(rows) > begin)
        rows, places = rows[goes_on], places[goes_on]
        hashes = _mixed(hashes[goes_on], words[goes_on])
    return np.concatenate(chosen), np.concatenate(made)


def _slashes(words: Words) -> Words:
    """The highest bit of each byte that is a slash."""
    other = words ^ SLASHES
    return ~(((other & LOW_BITS) + LOW_BITS) | other | LOW_BITS)


def _smeared(words: Words) -> Words:
    """Ones from the highest bit on."""
    for shift in (1, 2, 4, 8, 16, 32):
        words = words | words >> np.uint64(shift)
    return words


def _mixed(hashes: Words, words: Words) -> Words:
    mixed = (hashes ^ words) * FACTOR
    return mixed ^ mixed >> np.uint64(29)


def _grouped(hashes: Words) -> tuple[Rows, Rows]:
    """A place of each distinct hash (g,), and how often it occurs (g,). Sorts nothing."""
    places, counts = [np.zeros(0, np.int64)], [np.zeros(0, np.int64)]
    left = np.arange(len(hashes))
    mixed = hashes
    while len(left):
        mixed = mixed * FACTOR
        buckets = (mixed >> np.uint64(64 - BUCKET_BITS)).astype(np.int64)
        leader = np.full(1 << BUCKET_BITS, -1)
        leader[buckets] = left
        is_same = hashes[leader[buckets]] == hashes[left]
        count = np.bincount(buckets[is_same], minlength=len(leader))
        taken = np.flatnonzero(count)
        places.append(leader[taken])
        counts.append(count[taken])
        left, mixed = left[~is_same], mixed[~is_same]
    return np.concatenate(places), np.concatenate(counts)
