"""The table of Lance: the merge rule, search, several writers at once, and kill -9.

Run by `make test-engine`: Lance is in an environment of its own.
"""

from __future__ import annotations

import multiprocessing
import shutil
import time
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

import lance
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from clipsearch.engine.lance_table import LanceTable
from clipsearch.engine.mirror import mirror
from clipsearch.engine.mirror_reader import MirrorReader
from clipsearch.engine.reduced import KINDS, reduced
from clipsearch.engine.rows import INDEXED
from clipsearch.engine.state import newest_state
from clipsearch.engine.stretch import stretched
from clipsearch.engine.union import COMPARED
from clipsearch.errors import StorageError
from clipsearch.index.format.entries import Entries, Entry, Kind
from clipsearch.index.format.facts import Facts
from clipsearch.index.format.segments import write_segment
from clipsearch.index.search.filter import ALL, Filter, Moment
from clipsearch.index.search.small_index import index_of
from clipsearch.storage.local import FolderBucket
from tests.index.making import SPACE, entries_lists, photo, random_units, tombstone
from tests.index.making import facts as made_of
from tests.support.waiting import wait_for

# Lance has threads, which a fork would copy in any state.
context = multiprocessing.get_context("spawn")
DIM = 16


def table(folder: Path, dim: int = DIM, common: np.ndarray | None = None, least: int = 300):
    return LanceTable((folder / "table.lance").as_uri(), dim, common, least)


def made(folder: Path, *args: Any, **options: Any) -> LanceTable:
    its = table(folder, *args, **options)
    its.make()
    return its


def columns(entries: list[Entry]) -> Entries:
    return Entries.from_entries(entries)


def search(its: LanceTable, vector: np.ndarray, k: int):
    """Hits of the table alone."""
    return index_of(its.opened().best(vector, COMPARED, ALL).entries).search(vector, k)


def names(hits) -> list[str]:
    return [hit.name for hit in hits]


def stored(folder: Path) -> dict[str, tuple[int, bool, int]]:
    rows = lance.dataset(folder / "table.lance").to_table().to_pylist()
    assert len({row["key"] for row in rows}) == len(rows)
    return {row["name"]: (row["rank"], row["looked"], row["written"]) for row in rows}


def test_search_finds_the_best_photos_with_their_facts(tmp_path):
    vectors = random_units(40, DIM)
    facts = Facts(format="JPEG", size=7, place=(1.5, 2.5))
    entries = [photo(f"ü {i}", i + 1, v, 9, facts) for i, v in enumerate(vectors)]
    made(tmp_path).apply(columns([*entries, tombstone("gone", 3)]))
    found = made(tmp_path).opened().best(vectors[7], 5, ALL).entries
    hits = index_of(found).search(vectors[7], 5)
    exact = vectors @ vectors[7]
    assert names(hits) == [f"ü {i}" for i in np.argsort(-exact)[:5]]
    assert [h.score for h in hits] == pytest.approx(np.sort(exact)[::-1][:5], abs=2e-4)
    seventh = found.take(found.generations == 8)
    assert made_of(seventh, vectors=False) == made_of(columns([entries[7]]), vectors=False)


def test_an_empty_table_finds_nothing(tmp_path):
    with pytest.raises(StorageError, match="it does not exist"):
        table(tmp_path).opened()
    assert table(tmp_path).count() == 0
    made(tmp_path).improve()
    table(tmp_path).apply(columns([tombstone("a")]))
    table(tmp_path).improve()
    assert search(table(tmp_path), random_units(1, DIM)[0], 3) == []


def test_a_missing_table_is_not_made_by_a_change(tmp_path):
    its = made(tmp_path)
    its.make()  # once more
    news = columns([photo("a", 1, random_units(1, DIM)[0])])
    its.apply(news)
    assert (its.exists(), its.count()) == (True, 1)
    shutil.rmtree(tmp_path / "table.lance")
    for each in (its, table(tmp_path)):
        assert not each.exists()
        for change in (each.improve, partial(each.apply, news)):
            with pytest.raises(StorageError, match="it does not exist"):
                change()
    assert not (tmp_path / "table.lance").exists()


def test_a_deleted_table_is_mirrored_again(tmp_path):
    bucket = FolderBucket(tmp_path)
    vectors = random_units(3, DIM)
    write_segment(bucket, SPACE, [photo(f"{i}", 1, vectors[i]) for i in range(3)])
    mirror_once(bucket)
    shutil.rmtree(tmp_path / SPACE / "tables")
    mirror_once(bucket)
    reader = MirrorReader(bucket, SPACE, DIM, partial(opened_in, bucket), lambda: datetime.now(UTC))
    assert found_by(reader) == {"0": 1, "1": 1, "2": 1}


def test_the_index_keeps_what_a_search_finds_and_follows_changes(tmp_path):
    vectors = random_units(1200, DIM)
    its = made(tmp_path, common=vectors[0])
    its.apply(columns([photo(f"{i}", 1, v) for i, v in enumerate(vectors)]))
    its.improve()
    assert lance.dataset(tmp_path / "table.lance").describe_indices()
    assert names(search(its, vectors[7], 1)) == ["7"]
    its.apply(columns([tombstone("7", 1), photo("8", 2, vectors[9])]))
    assert "7" not in names(search(its, vectors[7], 20))
    assert {*names(search(its, vectors[9], 2))} == {"8", "9"}
    its.improve()
    assert {*names(search(its, vectors[9], 2))} == {"8", "9"}
    assert its.count() == 1199


def test_the_index_is_trained_again_when_the_table_has_grown(tmp_path):
    vectors, found = random_units(6000, DIM), []
    its = made(tmp_path)
    for begin, end in ((0, 400), (400, 500), (500, 6000), (6000, 6000)):
        if begin < end:
            its.apply(columns([photo(f"{i}", 1, vectors[i]) for i in range(begin, end)]))
        its.improve()
        dataset = lance.dataset(tmp_path / "table.lance")
        indices = [index.name for index in dataset.describe_indices()]
        assert len(indices) == 1 + len(INDEXED)
        for index in indices:
            assert dataset.stats.index_stats(index)["num_unindexed_rows"] == 0, index
        found.append(int(dataset.config()["clipsearch.trained_for"]))
    assert found == [400, 400, 6000, 6000]


def test_new_rows_are_indexed_when_they_are_many(tmp_path):
    vectors = random_units(430, DIM)
    its = made(tmp_path)  # 30 are many
    for end, unindexed in ((400, 0), (429, 29), (430, 0)):
        its.apply(columns([photo(f"{i}", 1, vectors[i]) for i in range(end)]))
        its.improve()
        dataset = lance.dataset(tmp_path / "table.lance")
        assert dataset.stats.index_stats("vectors")["num_unindexed_rows"] == unindexed
        assert names(search(its, vectors[end - 1], 1)) == [f"{end - 1}"]


def test_products_are_the_same_stretched():
    vectors, query = random_units(50, DIM), random_units(1, DIM, seed=1)
    direction = random_units(1, DIM, seed=2)[0]
    longer = stretched(vectors, direction, 6)
    assert longer @ direction == pytest.approx(6 * vectors @ direction, abs=1e-5)
    shorter = stretched(query, direction, 1 / 6)
    assert longer @ shorter.T == pytest.approx(vectors @ query.T, abs=1e-5)


def test_a_table_keeps_the_direction_that_it_was_made_with(tmp_path):
    vectors = random_units(20, DIM)
    made(tmp_path, common=vectors[0]).apply(columns([photo("a", 1, vectors[1])]))
    made(tmp_path, common=vectors[5]).apply(columns([photo("b", 1, vectors[2])]))
    rows = lance.dataset(tmp_path / "table.lance").to_table(["name", "vector"]).sort_by("name")
    indexed = np.array(rows["vector"].to_pylist())
    assert indexed == pytest.approx(stretched(vectors[1:3], vectors[0], 6), abs=2e-3)


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(entries_lists(names="abc"), min_size=1, max_size=4))
def test_batches_in_any_order_end_in_the_merge_rule(tmp_path_factory, batches):
    folder = tmp_path_factory.mktemp("table")
    for batch in batches:
        made(folder, 4).apply(reduced([columns(batch)]))
    expected = reduced([columns(batch) for batch in batches])
    ranks = expected.generations * KINDS + expected.kinds
    looked = (expected.facts["flags"] & 1 > 0).tolist()
    rows = zip(ranks.tolist(), looked, expected.times.tolist(), strict=True)
    assert stored(folder) == {expected.name(i): row for i, row in enumerate(rows)}


def apply_for_ever(url: str, seed: int, started: Path) -> None:
    chance = np.random.default_rng(seed)
    for round_ in range(1 << 30):
        generations = chance.integers(1, 1000, 50)
        entries = [
            photo(f"{i}", int(g), random_units(1, DIM)[0]) for i, g in enumerate(generations)
        ]
        LanceTable(url, DIM, None).apply(columns(entries))
        (started / f"{seed}-{round_}").touch()


def test_writers_at_once_never_leave_a_photo_twice(tmp_path):
    """Without the primary key there are 71 to 100 rows for 50 photos."""
    rounds = tmp_path / "rounds"
    rounds.mkdir()
    url = (tmp_path / "table.lance").as_uri()
    made(tmp_path).apply(columns([tombstone("first")]))
    workers = [context.Process(target=apply_for_ever, args=(url, i, rounds)) for i in range(2)]
    for worker in workers:
        worker.start()
    try:
        wait_for(lambda: _each_has(rounds, 4), "both writers have merged four times", 300)
    finally:
        for worker in workers:
            worker.kill()
            worker.join()
    assert len(stored(tmp_path)) == 51


def _each_has(rounds: Path, count: int) -> bool:
    return all(len([*rounds.glob(f"{seed}-*")]) >= count for seed in range(2))


def mirror_for_ever(url: str, done: Path) -> None:
    bucket = FolderBucket(Path(url.removeprefix("file://")))
    while True:
        mirror_once(bucket)
        done.touch()


def opened_in(bucket: FolderBucket, name: str) -> LanceTable:
    return LanceTable(f"{bucket.url}/{SPACE}/tables/{name}.lance", DIM, None, 20)


def mirror_once(bucket: FolderBucket) -> None:
    opened = partial(opened_in, bucket)
    mirror(bucket, SPACE, DIM, opened, lambda: datetime.now(UTC), lambda done, known: None)


def found_by(reader: MirrorReader) -> dict[str, int]:
    """The generation of each photo."""
    snapshot, union = reader.refresh()
    hits = union.search(random_units(1, DIM)[0], 100)
    assert snapshot.photos == len(hits)
    return {hit.name: hit.generation for hit in hits}


def photos_in(written: list[Entry]) -> dict[str, int]:
    """The generation of each photo whose winning entry is a vector."""
    best = {e.name: e for e in sorted(written, key=lambda e: (e.generation, e.kind))}
    return {name: e.generation for name, e in best.items() if e.kind == Kind.VECTOR}


def test_mirrors_that_are_killed_lose_nothing(tmp_path, monkeypatch):
    """Two at once, killed while photos arrive and go; one run later the table is the index.

    A search beside them is right after each event.
    """
    bucket, chance = FolderBucket(tmp_path / "index"), np.random.default_rng(0)
    monkeypatch.setattr("clipsearch.engine.mirror_reader.LOOK_EVERY", timedelta())
    monkeypatch.setattr("clipsearch.engine.mirror_reader.WORTH_A_NEW_TABLE", 2)
    opened = partial(opened_in, bucket)
    reader = MirrorReader(bucket, SPACE, DIM, opened, lambda: datetime.now(UTC))
    written: list[Entry] = []
    for round_ in range(3):
        done = tmp_path / f"done-{round_}"
        workers = [
            context.Process(target=mirror_for_ever, args=(bucket.url, done)) for _ in range(2)
        ]
        for worker in workers:
            worker.start()
        deadline = time.monotonic() + 300
        while not done.exists() and time.monotonic() < deadline:
            name, generation = f"{chance.integers(30)}", int(chance.integers(1, 9))
            vector = random_units(1, DIM, seed=hash((name, generation)) % 2**32)[0]
            is_gone = chance.random() < 0.3
            entry = tombstone(name, generation) if is_gone else photo(name, generation, vector)
            write_segment(bucket, SPACE, [entry])
            written.append(entry)
            assert found_by(reader) == photos_in(written)
        for worker in workers:
            worker.kill()
            worker.join()
        cold = MirrorReader(bucket, SPACE, DIM, opened, lambda: datetime.now(UTC))
        assert found_by(cold) == photos_in(written)
    mirror_once(bucket)
    state = newest_state(bucket, SPACE)
    assert state is not None
    folder = tmp_path / "index" / SPACE / "tables" / f"{state.table}.lance"
    rows = lance.dataset(folder).to_table(columns=["name", "rank"]).to_pylist()
    best = {
        e.name: max(4 * o.generation + o.kind for o in written if o.name == e.name) for e in written
    }
    assert sorted((row["name"], row["rank"]) for row in rows) == sorted(best.items())
    assert Kind.TOMBSTONE in {rank % KINDS for rank in best.values()}


def test_a_broken_table_is_a_storage_error(tmp_path):
    (tmp_path / "table.lance" / "_versions").mkdir(parents=True)
    (tmp_path / "table.lance" / "_versions" / "18446744073709551614.manifest").write_bytes(b"no")
    with pytest.raises(StorageError, match="cannot open the mirror's table"):
        table(tmp_path).opened()


@pytest.mark.parametrize("read", [20_000, 30])
@pytest.mark.parametrize("oldest", [True, False])
def test_lists_by_date_are_in_order_also_of_equal_dates(tmp_path, monkeypatch, read, oldest):
    """Whether the dates are read or only counted, and with 40 photos of one second."""
    monkeypatch.setattr("clipsearch.engine.lance_version.DATES_READ", read)
    monkeypatch.setattr("clipsearch.engine.lance_version.DATED", 20)
    days = [86_400 * (i // 3) if i < 200 else -5 for i in range(240)]
    its = made(tmp_path, least=100)
    vectors = random_units(240, DIM)
    its.apply(
        columns([photo(f"{i:03}", 1, vectors[i], facts=Facts(taken=days[i])) for i in range(240)])
    )
    its.improve()
    sign = 1 if oldest else -1
    right = [f"{i:03}" for i in sorted(range(240), key=lambda i: (sign * days[i], i))]
    for limits in (ALL, Filter(after=Moment(-9), before=Moment(10**9))):
        found: list[str] = []
        after = None
        while len(found) < 240:
            entries = its.opened().by_date(25, after, limits, oldest)
            hits = index_of(entries).newest(25, None, ALL, oldest)
            assert hits
            found += names(hits)
            after = hits[-1].date, hits[-1].name
        assert found == right
