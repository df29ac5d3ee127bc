"""Facts survive merges, purges and packing, and win over entries without them."""

from __future__ import annotations

import io
from datetime import timedelta

import numpy as np

from clipsearch.index.compaction import run
from clipsearch.index.format.commits import Commit, newest_commit, publish_commit
from clipsearch.index.format.entries import Entry
from clipsearch.index.format.facts import Facts, facts_of_row
from clipsearch.index.format.packs import parse_pack_path, read_head
from clipsearch.index.format.segments import read_segment, segment_path, write_segment
from clipsearch.index.reader.snapshot_reader import SnapshotReader
from clipsearch.index.search.photo_index import PhotoIndex
from tests.index.compaction.running import (
    DAY,
    bury,
    compact,
    now_us,
    seen,
    settle,
    truth,
    without_vectors,
)
from tests.index.making import SPACE, npz, photo, random_units
from tests.index.packed import packed
from tests.support.memory import MemoryBucket

VECTORS = random_units(40, 16)


def known(number: int) -> Facts:
    return Facts(format="HEIC", size=number + 1, taken=-number, place=(1.5, -2.5), hash=number)


def entries(bucket: MemoryBucket, begin: int, end: int, has_facts: bool = True) -> list[Entry]:
    return [
        photo(f"p{i}", 1, VECTORS[i], now_us(bucket), known(i) if has_facts else None)
        for i in range(begin, end)
    ]


def facts_seen(bucket: MemoryBucket) -> dict[str, Facts | None]:
    found = SnapshotReader(bucket, SPACE).refresh().entries
    return {found.name(row): facts_of_row(found.facts[row]) for row in range(len(found))}


def test_a_merge_keeps_facts(bucket: MemoryBucket) -> None:
    for i in range(20):
        write_segment(bucket, SPACE, entries(bucket, i, i + 1, has_facts=i % 2 == 0))
    before = truth(bucket)
    compact(bucket)
    settle(bucket)
    assert len(newest_commit(bucket, SPACE).segments) == 1
    assert truth(bucket) == before
    assert seen(bucket) == without_vectors(before)
    assert facts_seen(bucket) == {f"p{i}": None if i % 2 else known(i) for i in range(20)}


def test_a_merge_chooses_the_entry_with_facts(bucket: MemoryBucket) -> None:
    """Also over a later one without: an older version indexed the photo again."""
    write_segment(bucket, SPACE, entries(bucket, 0, 20))
    bucket.later(timedelta(minutes=1))
    for i in range(20):
        write_segment(bucket, SPACE, entries(bucket, i, i + 1, has_facts=False))
    compact(bucket)
    (merged,) = newest_commit(bucket, SPACE).segments
    assert len(read_segment(bucket, SPACE, merged)) == 20
    assert facts_seen(bucket) == {f"p{i}": known(i) for i in range(20)}


def test_a_purge_keeps_facts_and_drops_the_entries_from_before(bucket: MemoryBucket) -> None:
    old = write_segment(bucket, SPACE, entries(bucket, 0, 20, has_facts=False))
    new = write_segment(bucket, SPACE, entries(bucket, 0, 10))
    publish_commit(bucket, Commit(SPACE, 1, (old, new), sizes={old: 20, new: 10}))
    bury(bucket, [0, 1, 2, 3])
    bucket.later(run.GRACE)  # loose segments are merged now
    before = truth(bucket)
    assert compact(bucket).purged_entries == 10 + 4
    assert sorted(newest_commit(bucket, SPACE).sizes.values()) == [4, 6, 10]
    assert truth(bucket) == before
    assert facts_seen(bucket) == {f"p{i}": known(i) if 4 <= i < 10 else None for i in range(20)}


def pack_both(bucket: MemoryBucket, *names: str) -> Commit:
    commit = Commit(SPACE, 1, names, sizes=dict.fromkeys(names, 20), purged=bucket.now)
    following = packed(bucket, commit, direction=None, exact_limit=1, worth_packing=1)
    assert following
    publish_commit(bucket, following)
    return following


def test_a_pack_has_the_facts_of_its_segment(bucket: MemoryBucket) -> None:
    names = [write_segment(bucket, SPACE, entries(bucket, i, i + 20)) for i in (0, 20)]
    commit = pack_both(bucket, *names)
    for name in names:
        head = read_head(bucket, SPACE, commit.packs[name])
        assert np.array_equal(head.entries.facts, read_segment(bucket, SPACE, name).facts)
        bucket.delete(segment_path(SPACE, name))
    assert facts_seen(bucket) == {f"p{i}": known(i) for i in range(40)}
    bucket.later(DAY)
    bury(bucket, range(8))
    before = seen(bucket)
    compact(bucket)  # the purge reads packs only
    assert seen(bucket) == before


def test_a_pack_of_an_older_version_loses_nothing_but_facts(bucket: MemoryBucket) -> None:
    """They are filled in again; entries of a later segment have them."""
    names = [write_segment(bucket, SPACE, entries(bucket, i, i + 20)) for i in (0, 20)]
    commit = pack_both(bucket, *names)
    older = commit.packs[names[0]]
    name, data = parse_pack_path(older), bucket.read(older)
    assert name
    with np.load(io.BytesIO(data[name.size :]), allow_pickle=False) as arrays:
        head = npz(**{column: arrays[column] for column in arrays if column != "facts"})
    bucket.delete(older)
    bucket.create(older, data[: name.size] + head)
    assert facts_seen(bucket) == {f"p{i}": None if i < 20 else known(i) for i in range(40)}

    bucket.later(timedelta(minutes=1))
    write_segment(bucket, SPACE, entries(bucket, 0, 5))
    reader, index = SnapshotReader(bucket, SPACE), PhotoIndex()
    snapshot = reader.refresh()
    index.update(snapshot)
    assert (snapshot.photos, snapshot.damaged) == (40, ())
    assert {hit.name for hit in index.search(VECTORS[3], 40)} == {f"p{i}" for i in range(40)}
    assert facts_seen(bucket) == {f"p{i}": None if 5 <= i < 20 else known(i) for i in range(40)}
