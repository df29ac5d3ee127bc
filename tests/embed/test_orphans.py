"""A photo is removed from the index only if it is really gone."""

import pytest

from benchmarks.same_index import states
from cli.embed.embedder import Embedder
from cli.embed.embedding import Bundle
from cli.embed.known import read_known, segments_of
from cli.embed.orphans import remove_orphans
from clipsearch.errors import StorageError
from clipsearch.index.format.entries import Kind
from clipsearch.index.format.segments import segment_path


@pytest.fixture
def indexed(place):
    for name in ("a.jpg", "b.jpg"):
        place.put(name)
    embedder = Embedder(place.job)
    bundle = Bundle(place.job, embedder.embed)
    bundle.add(place.wanted())
    bundle.finish()
    embedder.close()
    return place


def kinds(place):
    entries = states(place.index, place.job.space)
    return {entries.name(row): Kind(entries.kinds[row]) for row in range(len(entries))}


def test_a_photo_that_came_back_stays(indexed):
    orphans = [(photo.name, photo.at) for photo in indexed.wanted()]
    (indexed.folder / "photos/a.jpg").unlink()
    assert remove_orphans(indexed.job, orphans) == 1
    assert kinds(indexed) == {"a.jpg": Kind.TOMBSTONE, "b.jpg": Kind.VECTOR}
    assert len(list((indexed.folder / "thumbnails").rglob("*.webp"))) == 1


def test_a_segment_that_was_merged_meanwhile_stops_the_run(indexed):
    [(name, pack)] = segments_of(indexed.index, indexed.job.space)
    indexed.index.delete(segment_path(indexed.job.space, name))
    with pytest.raises(StorageError, match="the same command starts again"):
        read_known(indexed.index, indexed.job.space, name, pack)


def test_a_damaged_segment_is_skipped(indexed):
    [(name, pack)] = segments_of(indexed.index, indexed.job.space)
    [file] = (indexed.folder / "index").rglob(name)
    file.write_bytes(b"damaged")
    assert read_known(indexed.index, indexed.job.space, name, pack) is None
