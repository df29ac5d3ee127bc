"""Compared in small groups, photos get what one comparison of the whole bucket gives them."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from cli.embed import records
from cli.embed.comparing import compare
from clipsearch.images.decode import DECODER
from clipsearch.index.format.entries import Cause, Entries, Entry, Kind, key_of
from clipsearch.index.format.generations import overruling
from clipsearch.index.reader.catalogue import Catalogue
from clipsearch.index.reconcile_log import Pending
from clipsearch.storage import Stat
from ingest.reconcile.comparison import Comparison
from tests.index.making import unit

NAMES = st.sampled_from(["a.jpg", "b/c.jpg", "é.jpg", "日.png", "z"])
CAUSES = st.sampled_from([Cause.UNKNOWN, Cause.REFUSED, Cause.SKIPPED, Cause.GAVE_UP, DECODER])


def entry(name, generation, kind, cause, time):
    if kind == Kind.FAILURE:
        return Entry(name, generation, kind, time_us=time, reason="why", cause=cause)
    vector = unit(1, 0) if kind == Kind.VECTOR else None
    return Entry(name, generation, kind, 640, 480, time, vector=vector)


GENERATIONS = st.integers(1, 3) | st.just(overruling(5, 2))
ENTRIES = st.lists(
    st.builds(entry, NAMES, GENERATIONS, st.sampled_from(Kind), CAUSES, st.integers(0, 2)),
    max_size=12,
    # Of two that differ only in their cause, the merge rule takes any.
    unique_by=lambda it: (it.name, it.generation, it.kind, it.time_us),
).map(lambda entries: [*entries, *entries[:2]])  # two are delivered twice
LISTED = st.dictionaries(NAMES, st.integers(1, 3))


def whole(entries, stats):
    """As a reconcile compares."""
    catalogue, _ = Catalogue.empty().merged(Entries.from_entries(entries).without_vectors())
    comparison = Comparison(catalogue, Pending.concat([]))
    wanted = comparison.look(stats) if stats else []
    return comparison, wanted, list(comparison.orphans("", ""))


@given(ENTRIES, LISTED)
def test_the_same_photos_are_wanted_and_orphaned(entries, listed):
    stats = [Stat(name, at, 7, None, records._LONG_AGO) for name, at in listed.items()]
    sheaves = records.Sheaves()
    segments = [entries[:5], entries[5:]]  # a photo may be in both
    known = [r for part in segments for r in records.of_known(Entries.from_entries(part))]
    bound: dict[bytes, list[bytes]] = {}
    for begin in (known, map(records.of_listed, stats)):
        for record in begin:
            assert not sheaves.add(record)
        for key, sheaf in sheaves.take():
            bound.setdefault(key, []).append(sheaf)
    grouped = [group for sheaf in bound.values() for group in records.groups_in(sheaf)]
    parts = [compare([group]) for group in grouped]
    comparison, wanted, orphans = whole(entries, stats)
    assert sorted((p for part in parts for p in part.wanted), key=str) == sorted(wanted, key=str)
    assert sorted(o for part in parts for o in part.orphans) == sorted(orphans)
    for count in ("objects", "indexed", "failed", "skipped"):
        assert sum(getattr(part, count) for part in parts) == getattr(comparison, count)
    together = compare(grouped)
    assert sorted(together.wanted, key=str) == sorted(wanted, key=str)


@given(NAMES)
def test_a_key_has_the_16_bytes_of_the_index(name):
    assert records.key(name) == np.array(key_of(name), ">u8").tobytes()


def test_sheaves_are_bound_by_the_beginning_of_the_key(monkeypatch):
    monkeypatch.setattr(records, "SHEAVES_OF", 50)
    sheaves = records.Sheaves()
    bound: dict[bytes, list[bytes]] = {}
    for number in range(120):
        record = records.of_listed(Stat(f"{number}.jpg", 1, 7, None, records._LONG_AGO))
        for beginning, sheaf in sheaves.add(record):
            bound.setdefault(beginning, []).append(sheaf)
    assert sum([len(records.groups_in(s)) for s in bound.values()]) == 100
    for beginning, sheaf in sheaves.take():
        bound.setdefault(beginning, []).append(sheaf)
    names = [records.listed_in(g).name for s in bound.values() for g in records.groups_in(s)]
    assert sorted(names) == sorted(f"{number}.jpg" for number in range(120))
    for beginning, found in bound.items():
        keys = [records.key(records.listed_in(g).name) for g in records.groups_in(found)]
        assert {bytes([key[0], key[1] & 0xF0]) for key in keys} == {beginning}
