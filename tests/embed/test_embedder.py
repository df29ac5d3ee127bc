"""A photo that ends the process, hangs or meets an unknown error costs itself alone."""

import sys
from pathlib import Path

import pytest

from cli.common.errors import RunError
from cli.common.retry import Retries
from cli.embed import embedder
from cli.embed.embedder import Embedder
from cli.embed.embedding import Bundle
from clipsearch.errors import StorageError
from clipsearch.index.format.entries import Cause, Entries, Kind
from ingest.retries import LIMIT
from tests.support import fragile_child
from tests.support.pictures import jpeg

COMMAND = [sys.executable, str(Path(fragile_child.__file__))]


@pytest.fixture
def fragile(place):
    made = Embedder(place.job, COMMAND)
    yield made
    made.close()


def reasons(results):
    return {r.detail for r in results if r.outcome == "failed"}


def test_one_photo_of_a_batch_ends_the_process(place, fragile):
    for number in range(9):
        place.put(f"{number}.jpg")
    place.put("4.jpg", jpeg(size=(13, 13)))
    done = fragile.embed(place.wanted())
    assert [r.outcome for r in done.results] == ["indexed"] * 4 + ["failed"] + ["indexed"] * 4
    assert reasons(done.results) == {f"gave up after {LIMIT} attempts ended the process"}
    entries = Entries.concat(done.entries)
    assert len(entries) == 9
    [row] = [row for row in range(9) if entries.kinds[row] == Kind.FAILURE]
    assert entries.name(row) == "4.jpg"
    assert entries.widths[row] == Cause.GAVE_UP
    assert entries.reason(row) == f"gave up after {LIMIT} attempts ended the process"


def test_an_unknown_error_is_named(place, fragile):
    place.put("a.jpg", jpeg(size=(14, 14)))
    place.put("b.jpg")
    done = fragile.embed(place.wanted())
    assert reasons(done.results) == {f"gave up after {LIMIT} attempts (RuntimeError)"}


def test_a_photo_that_hangs_is_ended(place, fragile, monkeypatch):
    monkeypatch.setattr(embedder, "LIMIT", 2)
    place.put("b.jpg")
    fragile.embed(place.wanted())  # the process has started
    monkeypatch.setattr(embedder, "BATCH_S", 3.0)
    place.put("a.jpg", jpeg(size=(15, 15)))
    [hanging] = [photo for photo in place.wanted() if photo.name == "a.jpg"]
    done = fragile.embed([hanging])
    assert reasons(done.results) == {"gave up after 2 attempts ended the process"}


def test_a_known_failure_is_not_written_again(place, fragile):
    place.put("a.jpg", jpeg(size=(13, 13)))
    [photo] = place.wanted()
    known = photo.__class__(photo.name, photo.generation, photo.size, photo.at, known=photo.at)
    assert fragile.embed([known]).entries == []


def test_many_in_a_row_are_the_fault_of_the_machine(place, fragile, monkeypatch):
    monkeypatch.setattr(embedder, "LIMIT", 1)
    monkeypatch.setattr(embedder, "GIVEN_UP_AT_ONCE", 3)
    for number in range(4):
        place.put(f"{number}.jpg", jpeg(size=(13, 13)))
    with pytest.raises(RunError, match=r"3 photos in a row: gave up .* enough memory"):
        fragile.embed(place.wanted())


def test_a_fault_of_the_storage_costs_no_photo(place, fragile, monkeypatch):
    monkeypatch.setattr(Retries, "wait", lambda retries: True)
    place.put("a.jpg")
    wanted = place.wanted()
    (place.folder / "thumbnails").write_bytes(b"a file where the folder should be")
    with pytest.raises(StorageError):
        fragile.embed(wanted)
    (place.folder / "thumbnails").unlink()
    assert [r.outcome for r in fragile.embed(wanted).results] == ["indexed"]


def test_a_process_that_cannot_start_fails_no_photo(place):
    place.put("a.jpg")
    with pytest.raises(RunError, match="ended at its start, exit code 3"):
        Embedder(place.job, [sys.executable, "-c", "raise SystemExit(3)"]).embed(place.wanted())


def test_a_process_without_a_model_says_so(place, monkeypatch):
    place.put("a.jpg")
    for file in (place.folder / "index/models").rglob("model.json"):
        file.unlink()
    with pytest.raises(RunError, match=r"the embedding process cannot start: .*model"):
        Embedder(place.job).embed(place.wanted())


def test_an_overruling_entry_is_written_at_once(place, fragile):
    """As ingest does: it looks for the photo once more after that."""
    place.put("a.jpg")
    [photo] = place.wanted()
    greater = photo.__class__(photo.name, photo.generation, photo.size, photo.at + 9, known=1)
    bundle = Bundle(place.job, fragile.embed)
    bundle.add([greater])
    bundle.finish()
    assert bundle.count["segments"] == 0
    assert len(list(place.index.list(f"{place.job.space}/segments/"))) == 1
