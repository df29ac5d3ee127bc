"""A bundle writes few segments; one that is killed, repeated or doubled changes nothing."""

from __future__ import annotations

import pytest

from benchmarks.same_index import differences, states
from cli.embed import embedding
from cli.embed.embedder import Embedder
from cli.embed.embedding import Bundle
from cli.embed.job import services_of
from clipsearch.index.format.entries import Kind
from clipsearch.telemetry import Timing
from ingest.indexing import index_photos, remove_photos
from ingest.messages import Wanted
from tests.support.pictures import jpeg


@pytest.fixture
def embed(place):
    made = Embedder(place.job)
    yield made.embed
    made.close()


@pytest.fixture
def photos(place):
    for number in range(20):
        place.put(f"{number:02}.jpg")
    place.put("broken.jpg", b"no photo")
    place.put("notes.txt", b"no photo")
    return place.wanted()


def segments(place):
    return len(list(place.index.list(f"{place.job.space}/segments/")))


def run(place, embed, photos):
    bundle = Bundle(place.job, embed)
    bundle.add(photos)
    bundle.finish()
    return bundle


def test_many_batches_become_one_segment(place, photos, embed, monkeypatch):
    monkeypatch.setattr(embedding, "LARGEST_BATCH", (6, 10**9, 10**9))
    bundle = run(place, embed, photos)
    assert segments(place) == bundle.count["segments"] == 1
    assert {n: bundle.count[n] for n in ("indexed", "failed", "skipped")} == {
        "indexed": 20,
        "failed": 1,
        "skipped": 1,
    }


def test_a_full_segment_does_not_wait_for_the_end(place, photos, embed, monkeypatch):
    monkeypatch.setattr(embedding, "LARGEST_BATCH", (6, 10**9, 10**9))
    monkeypatch.setattr(embedding, "SEGMENT", 10)
    Bundle(place.job, embed).add(photos)  # killed before it finishes
    assert segments(place) == 1
    assert len(states(place.index, place.job.space)) == 12


def test_the_entries_are_those_of_ingest(place, make_place, photos, embed):
    run(place, embed, photos)
    other = make_place("other")
    services = services_of(other.job)
    services.photos = place.photos
    index_photos(photos, services, services.model.encoder(), Timing())
    same = [states(p.index, p.job.space) for p in (place, other)]
    assert len(same[0]) == 22
    assert list(differences(*same)) == []
    thumbnails = [
        {p.relative_to(place_.folder): p.read_bytes()
         for p in (place_.folder / "thumbnails").rglob("*.webp")}
        for place_ in (place, other)
    ]  # fmt: skip
    assert len(thumbnails[0]) == 20
    assert thumbnails[0] == thumbnails[1]


def test_a_doubled_bundle_changes_nothing(place, photos, embed):
    run(place, embed, photos)
    before = states(place.index, place.job.space)
    run(place, embed, photos)
    assert segments(place) == 2
    assert list(differences(before, states(place.index, place.job.space))) == []


def test_a_photo_that_is_gone_by_now_is_no_photo(place, photos, embed):
    (place.folder / "photos/03.jpg").unlink()
    bundle = run(place, embed, photos)
    assert bundle.count["gone"] == 1
    assert bundle.count["indexed"] == 19


def test_what_ingest_does_meanwhile_wins(place, photos, embed):
    """A photo is deleted, and one replaced, after they were embedded and before the segment."""
    services = services_of(place.job)
    gone, replaced = photos[0], photos[1]

    def embed_slowly(batch):
        done = embed(batch)
        (place.folder / "photos" / gone.name).unlink()
        remove_photos([(gone.name, gone.at)], (place.job.space,), services)
        place.put(replaced.name, jpeg("blue"))
        at = place.photos.stat(replaced.name).generation
        event = Wanted(replaced.name, at, None, at=at, known=None)
        index_photos([event], services, services.model.encoder(), Timing())
        return done

    run(place, embed_slowly, photos)
    found = states(place.index, place.job.space)
    row = {found.name(row): row for row in range(len(found))}
    assert found.kinds[row[gone.name]] == Kind.TOMBSTONE
    assert found.generations[row[replaced.name]] > replaced.at
    thumbnails = [file.name for file in (place.folder / "thumbnails").rglob("*.webp")]
    assert len(thumbnails) == 20  # 18 photos, and both generations of the replaced one
