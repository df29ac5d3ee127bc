"""Damaged objects of the source: said, counted, and never copied."""

from __future__ import annotations

from pathlib import Path

import pytest

from cli.copy_index.copying import copy_index
from cli.copy_index.objects import Copier
from cli.copy_index.record import Record
from cli.copy_index.space import copy_space
from clipsearch.errors import DamagedObject, NoModel, UnknownFormat
from clipsearch.index.format.commits import commit_path, newest_commit
from clipsearch.index.format.segments import segment_path
from clipsearch.index.reader.snapshot_reader import SnapshotReader
from clipsearch.model.pointer import current_pointer
from clipsearch.storage.local import FolderBucket
from tests.copy_index.conftest import Library, answers, photos
from tests.index.making import SPACE, npz
from tests.index.packed import COUNT, DIMENSION
from tests.support.memory import MemoryBucket


def overwrite(bucket: MemoryBucket, name: str, data: bytes) -> None:
    bucket.replace(name, bucket.stat(name).generation, data)


def cut(bucket: MemoryBucket, name: str) -> None:
    overwrite(bucket, name, bucket.read(name)[:-100])


def test_a_damaged_segment_is_left_out(
    library: Library, target: MemoryBucket, capsys: pytest.CaptureFixture[str]
) -> None:
    loose = library.bucket.names(f"{library.space}/segments/")[-1]
    cut(library.bucket, loose)
    assert copy_index(library.bucket, target) == 1
    said = capsys.readouterr().out
    assert f"damaged in {library.bucket.url}: {loose}: it is not an .npz file" in said
    assert "1 damaged objects: see above" in said
    assert loose not in target.objects
    assert sorted(photos(target, library.space)) == [*"abcdefghi"]
    assert answers(target, library.space) == answers(library.bucket, library.space)


def test_the_sources_of_a_damaged_merge_replace_it(library: Library, target: MemoryBucket) -> None:
    [merged] = newest_commit(library.bucket, library.space).segments
    cut(library.bucket, segment_path(library.space, merged))
    assert copy_index(library.bucket, target) == 1
    assert sorted(photos(target, library.space)) == [*"abcdefghij"]


def test_a_sound_copy_is_kept_when_the_source_is_damaged_later(
    library: Library, target: MemoryBucket, capsys: pytest.CaptureFixture[str]
) -> None:
    assert copy_index(library.bucket, target) == 0
    before = photos(target, library.space)
    [merged] = newest_commit(library.bucket, library.space).segments
    cut(library.bucket, segment_path(library.space, merged))
    assert copy_index(library.bucket, target) == 1
    assert "the copy keeps the sound one it has" in capsys.readouterr().out
    assert photos(target, library.space) == before


def test_a_lost_segment_is_damage_and_not_a_merge(
    library: Library, target: MemoryBucket, capsys: pytest.CaptureFixture[str]
) -> None:
    commit = newest_commit(library.bucket, library.space)
    [merged] = commit.segments
    for name in (merged, *commit.replaced):
        library.bucket.delete(segment_path(library.space, name))
    assert copy_index(library.bucket, target) == 1
    assert f"{merged}: it is missing" in capsys.readouterr().out
    assert sorted(photos(target, library.space)) == ["i", "j"]


def test_a_damaged_commit_costs_no_photo(library: Library, target: MemoryBucket) -> None:
    number = newest_commit(library.bucket, library.space).number
    cut(library.bucket, commit_path(library.space, number))
    assert copy_index(library.bucket, target) == 1
    assert photos(target, library.space) == {**dict.fromkeys("abcdefghij", 1)}


def test_a_damaged_model_does_not_become_current(
    library: Library, target: MemoryBucket, capsys: pytest.CaptureFixture[str]
) -> None:
    name = f"models/{library.space}/text.onnx.data"
    overwrite(library.bucket, name, bytes(len(library.bucket.read(name))))
    assert copy_index(library.bucket, target) == 1
    said = capsys.readouterr().out
    assert "its SHA-256 is" in said
    assert "could not be copied, so memory://copy has no current model" in said
    with pytest.raises(NoModel):
        current_pointer(target)
    assert photos(target, library.space) == library.photos()  # the expensive part


def test_a_damaged_pointer_stops_it(library: Library, target: MemoryBucket) -> None:
    overwrite(library.bucket, "models/current/000000000001.json", b"{}")
    with pytest.raises(DamagedObject, match="not a pointer"):
        copy_index(library.bucket, target)
    assert not target.objects


def test_what_a_newer_version_wrote_stops_it(library: Library, target: MemoryBucket) -> None:
    name = segment_path(library.space, f"{1:016x}-{1:012x}.npz")
    library.bucket.create(name, npz(format=7, space=library.space, more=1))
    with pytest.raises(UnknownFormat, match="update this version"):
        copy_index(library.bucket, target)
    with pytest.raises(NoModel):
        current_pointer(target)


def copied(source: FolderBucket, target: FolderBucket) -> Copier:
    copier = Copier(source, target)
    copy_space(copier, Record(source, target), SPACE)
    return copier


def test_packs_are_copied_and_used(packed_library: FolderBucket, tmp_path: Path) -> None:
    target = FolderBucket(tmp_path / "copy")
    assert not copied(packed_library, target).done.damaged
    snapshot = SnapshotReader(target, SPACE).refresh()
    assert snapshot.damaged == ()
    assert snapshot.photos == COUNT
    assert len(newest_commit(target, SPACE).packs) == 3
    assert answers(target, SPACE, DIMENSION) == answers(packed_library, SPACE, DIMENSION)
    done = copied(packed_library, target).done
    assert (done.copied, done.present) == (0, 4 + 3 + 1)  # segments, packs, quantizer


@pytest.mark.parametrize("where", [100, -20_000])
def test_a_damaged_pack_is_left_out_and_its_segment_is_there(
    packed_library: FolderBucket, tmp_path: Path, where: int
) -> None:
    commit = newest_commit(packed_library, SPACE)
    pack = packed_library.root / sorted(commit.packs.values())[0]
    data = bytearray(pack.read_bytes())
    data[where] ^= 1
    pack.write_bytes(data)
    target = FolderBucket(tmp_path / "copy")
    done = copied(packed_library, target).done
    assert [line.split(":")[0] for line in done.damaged] == [sorted(commit.packs.values())[0]]
    snapshot = SnapshotReader(target, SPACE).refresh()
    assert (snapshot.damaged, snapshot.photos) == ((), COUNT)
    assert len(newest_commit(target, SPACE).packs) == 2


def test_without_its_quantizer_no_pack_is_copied(
    packed_library: FolderBucket, tmp_path: Path
) -> None:
    quantizer = newest_commit(packed_library, SPACE).quantizer
    assert quantizer
    (packed_library.root / quantizer).write_bytes(b"x")
    target = FolderBucket(tmp_path / "copy")
    assert len(copied(packed_library, target).done.damaged) == 1
    commit = newest_commit(target, SPACE)
    assert (commit.packs, commit.quantizer) == ({}, None)
    snapshot = SnapshotReader(target, SPACE).refresh()
    assert (snapshot.damaged, snapshot.photos) == ((), COUNT)
