"""The command as a person calls it: folders, Cloud Storage, and what it refuses."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from cli.copy_index.copying import copy_index
from cli.main import main
from clipsearch.model.bundle import publish_bundle
from clipsearch.model.pointer import current_pointer, switch_to
from clipsearch.storage import open_bucket
from clipsearch.storage.local import FolderBucket
from tests.copy_index.conftest import Library, answers, photos
from tests.support.gcs_double import cloud_storage
from tests.support.memory import MemoryBucket


@pytest.fixture
def index(library: Library, tmp_path: Path) -> Path:
    """The library in a folder."""
    folder = tmp_path / "index"
    for name, (data, _) in library.bucket.objects.items():
        FolderBucket(folder).create(name, data)
    return folder


def downloads(requests: list[tuple[str, str]]) -> list[str]:
    return [path for method, path in requests if method == "GET" and "alt=media" in path]


def test_from_folder_to_folder(
    index: Path, library: Library, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    copy = tmp_path / "copy"
    assert main(["copy-index", str(index), copy.as_uri()]) == 0
    out = capsys.readouterr().out
    assert out.endswith(f"{copy.as_uri()} has the index of {index.as_uri()}\n")
    bucket = FolderBucket(copy)
    assert current_pointer(bucket).space == library.space
    assert answers(bucket, library.space) == answers(library.bucket, library.space)
    assert main(["copy-index", str(index), str(copy), "--json"]) == 0
    figures = json.loads(capsys.readouterr().out)
    assert figures == {"copied": 0, "bytes": 0, "present": figures["present"], "damaged": []}
    assert figures["present"] == 5 + 3  # files of the model, segments


def test_between_buckets_and_again(
    index: Path, library: Library, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with cloud_storage(monkeypatch, "first", "second", page_size=3) as double:
        assert main(["copy-index", str(index), "gs://first"]) == 0
        assert main(["copy-index", "gs://first", "gs://second/backup/index"]) == 0
        copy = open_bucket("gs://second/backup/index")
        assert answers(copy, library.space) == answers(library.bucket, library.space)
        double.requests.clear()
        assert main(["copy-index", "gs://first", "gs://second/backup/index"]) == 0
        read = downloads(double.requests)
        assert not [path for path in read if "onnx" in path or "segments" in path], read
        assert not [path for method, path in double.requests if method == "DELETE"]
        assert main(["copy-index", "gs://second/backup/index", str(tmp_path / "back")]) == 0
        assert photos(FolderBucket(tmp_path / "back"), library.space) == library.photos()


def test_damage_on_the_way_is_noticed(
    index: Path, library: Library, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
) -> None:
    with cloud_storage(monkeypatch, "first", "second") as double:
        assert main(["copy-index", str(index), "gs://first"]) == 0
        name = library.bucket.names(f"{library.space}/segments/")[-1]
        double.damage("first", name, bytes(len(library.bucket.read(name))))
        assert main(["copy-index", "gs://first", "gs://second"]) == 1
        assert f"{name}: its bytes do not match its checksum" in capsys.readouterr().out


def refusal(capsys: pytest.CaptureFixture[str], *arguments: object) -> str:
    """The one line."""
    assert main(["copy-index", *map(str, arguments)]) == 2
    streams = capsys.readouterr()
    assert streams.out == ""
    return streams.err


def test_it_refuses_what_would_mix_two_indexes(
    index: Path, library: Library, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    copy, other = tmp_path / "copy", tmp_path / "other"
    assert "FROM and TO are both" in refusal(capsys, index, index)
    assert "lies inside the other" in refusal(capsys, index, index / "backup")
    assert "lies inside the other" in refusal(capsys, index / "x", index)
    assert "is not gs://BUCKET" in refusal(capsys, "gs://X", copy)

    library.bucket.url = "memory://other"
    assert copy_index(library.bucket, FolderBucket(other)) == 0
    capsys.readouterr()
    assert "is a copy of memory://other, not of" in refusal(capsys, index, other)

    pictures = tmp_path / "pictures"
    pictures.mkdir()
    (pictures / "a.jpg").write_bytes(b"x")
    assert "holds no index; it has 'a.jpg'" in refusal(capsys, index, pictures)
    assert [path.name for path in pictures.iterdir()] == ["a.jpg"]

    used = tmp_path / "used"
    for name, (data, _) in library.bucket.objects.items():
        FolderBucket(used).create(name, data)
    assert "holds another index" in refusal(capsys, index, used)


def test_a_copy_that_is_in_use_is_not_changed(
    library: Library, target: MemoryBucket, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Its own uploads would count as replaced."""
    folder, copy = tmp_path / "a", tmp_path / "b"
    for name, (data, _) in library.bucket.objects.items():
        FolderBucket(folder).create(name, data)
    assert main(["copy-index", str(folder), str(copy)]) == 0
    capsys.readouterr()
    used = Library(library.bucket, library.space)
    before = set(library.bucket.objects)
    used.upload("mine")
    [new] = set(library.bucket.objects) - before
    FolderBucket(copy).create(new, library.bucket.read(new))
    assert "1 segments of its own" in refusal(capsys, folder, copy)
    assert "mine" in photos(FolderBucket(copy), library.space)


def test_a_place_with_a_model_alone_is_empty(
    library: Library, target: MemoryBucket, bundle: Path
) -> None:
    """Terraform puts the first model there."""
    publish_bundle(bundle, target)
    assert copy_index(library.bucket, target) == 0
    assert current_pointer(target).number == 1  # it was current already
    assert photos(target, library.space) == library.photos()


def test_a_switch_of_the_model_is_copied(
    library: Library, target: MemoryBucket, tmp_path: Path
) -> None:
    from tests.support.tiny_bundle import make_tiny_bundle

    assert copy_index(library.bucket, target) == 0
    other = publish_bundle(make_tiny_bundle(tmp_path / "other", 1), library.bucket, False)
    Library(library.bucket, other).upload("a", "b")
    switch_to(library.bucket, other)
    assert copy_index(library.bucket, target) == 0
    pointer = current_pointer(target)
    assert (pointer.space, pointer.previous) == (other, library.space)
    assert photos(target, other) == {"a": 1, "b": 1}


def test_without_an_index_there_is_nothing_to_copy(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["copy-index", str(tmp_path / "nothing"), str(tmp_path / "copy")]) == 1
    assert "does not exist yet" in capsys.readouterr().err
    assert not (tmp_path / "copy").exists()
