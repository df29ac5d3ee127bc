"""The test data of `make bench-index`. Its figures need an idle machine, so no test checks them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from benchmarks.index import bucket_rows, filters, recall
from benchmarks.index.__main__ import table
from benchmarks.index.data import SPACE, Data, name_of
from benchmarks.index.libraries import KINDS, sizes_of_scenes
from clipsearch.index.reader.snapshot_reader import SnapshotReader
from clipsearch.index.search.photo_index import PhotoIndex
from clipsearch.storage.local import FolderBucket


def test_made_up_vectors_are_as_far_from_each_other_as_those_of_a_clip() -> None:
    data = Data.load(None)
    among_photos = data.base @ data.base.T
    best = np.sort(data.texts @ data.base.T, axis=1)[:, -1]
    assert 0.4 < np.median(among_photos) < 0.6
    assert 0.25 < best.mean() < 0.4
    assert np.median(data.texts @ data.texts.T) > 0.75


def test_a_library_holds_the_photos_that_it_was_made_of(tmp_path: Path) -> None:
    data = Data.load(None)
    data.write_library(tmp_path, 300)
    data.write_library(tmp_path, 300)  # already exists
    index = PhotoIndex()
    snapshot = SnapshotReader(FolderBucket(tmp_path), SPACE).refresh()
    index.update(snapshot)
    assert snapshot.photos == 300
    (block,) = data.photos(300)
    assert index.search(block[77], 1)[0].name == name_of(77)


@pytest.mark.parametrize("kind", KINDS)
def test_a_library_has_its_shares_of_scenes(kind: str) -> None:
    sizes, photos = sizes_of_scenes(KINDS[kind], 100_000), 100_000
    assert sizes.sum() == photos
    single = 1 - KINDS[kind].bursts - KINDS[kind].time_lapses
    assert abs((sizes == 1).sum() / photos - single) < 0.001  # a last burst may be of one photo
    assert abs(sizes[sizes > 100].sum() / photos - KINDS[kind].time_lapses) < 0.001


def test_photos_of_a_burst_are_near_duplicates() -> None:
    data, photos = Data.load(None), 2000
    vectors = np.concatenate(list(data.photos(photos, "bursts")))
    assert np.linalg.norm(vectors, axis=1) == pytest.approx(1, abs=1e-5)
    sizes = sizes_of_scenes(KINDS["bursts"], photos)
    scene = np.repeat(np.arange(len(sizes)), sizes)
    cosines = vectors @ vectors.T
    np.fill_diagonal(cosines, 1)
    alike = scene[:, None] == scene
    assert cosines[alike].min() > 0.9
    assert np.median(cosines[~alike]) < 0.6


def test_recall_is_measured_for_each_set_of_queries(tmp_path: Path) -> None:
    texts = np.eye(3, 512, dtype=np.float32)
    np.savez(tmp_path / "more.npz", text_vectors=texts)
    data = Data.load(None, tmp_path / "more.npz")
    data.write_library(tmp_path / "library", 300, kind="bursts")
    report = recall.measure(tmp_path / "library", data, 300, "bursts")
    assert report.keys() == {"names", "other names", "mixes", "pictures"}
    for found in report.values():
        assert found["adaptive"]["worst"] == found["fixed"]["worst"] == 1  # exact: it is small
    wrong = recall.measure(tmp_path / "library", data, 300, "plain")  # of other photos
    assert wrong["pictures"]["adaptive"]["mean"] < 0.9


def test_rows_in_the_bucket_are_measured(tmp_path: Path) -> None:
    data = Data.load(None)
    data.write_library(tmp_path, 300)
    report = bucket_rows.measure(tmp_path, data, 300, "plain")
    assert report["names"]["recall"] == report["pictures"]["recall"] == 1  # too few for packs
    assert report["cold"] > report["loaded"] > report["reading_s"] >= bucket_rows.DELAY_S
    lines = bucket_rows.table({"300": {"plain": report}}).split("\n")
    assert len(lines) == 5
    assert "names        recall 1.0000" in lines[1]


def test_searches_with_filters_and_terms_find_what_numpy_finds(tmp_path: Path) -> None:
    data = Data.load(None)
    data.write_library(tmp_path, 1500)
    report = filters.measure(tmp_path, data, 1500)
    assert report["folder, 50 %"]["kept"] == 990  # 10 of them in another folder
    assert report["date, 5 %"]["kept"] == 75
    assert report["folder, 10 photos"]["kept"] == report["date, 10 photos"]["kept"] == 10
    assert min(found["recall"] for found in report.values()) > 0.99


def test_vectors_of_a_real_model_may_be_given(tmp_path: Path) -> None:
    vectors = np.eye(8, dtype=np.float32)
    np.savez(tmp_path / "file.npz", image_vectors=vectors, text_vectors=vectors)
    data = Data.load(tmp_path / "file.npz")
    assert data.text_queries(10).shape == (14, 8)
    assert np.linalg.norm(data.image_queries(10), axis=1) == pytest.approx(1)


def test_the_table_names_every_part() -> None:
    speed = {"ms": 0.5, "of_one_thread": 20.0, "of_default": 40.0, "recall": 0.99, "page_ms": 2.0}
    side = {"worst": 0.85, "first_percentile": 0.95, "mean": 0.99, "p50_ms": 0.5}
    sides = {"adaptive": side, "fixed": side, "ratio_of_p50": 1.5}
    report = {
        "uploads": {"1000": {"requests": 7, "bytes": 1}},
        "search": {"118287": {"text": speed, "image": speed}},
        "recall": {"118287": {"bursts": {"names": sides}}},
        "filters": {
            "118287": {
                "folder, 5 %": {"kept": 5_914.0, "first_ms": 20.4, "ms": 1.25, "recall": 0.995},
                "2 terms": {"kept": 118_287.0, "ms": 3.5, "recall": 1.0},
            }
        },
        "cold": {"118287": {"seconds": 1.0, "ratio": 2.0, "peak_mb": 3}},
        "crowd": {"lost": 0, "p50_s": 0.5, "p95_s": 1.0},
    }
    lines = table(report).split("\n")
    assert len(lines) == 10
    assert "1/20, 1/40; recall 0.9900; a page 2.0 ms" in lines[2]
    assert "worst 0.85, 1 % 0.95, mean 0.9900 in 1.50 x" in lines[4]
    assert "first 20 ms, then 1.2 ms; recall 0.9950" in lines[5]
    assert "3.5 ms; recall 1.0000" in lines[6]
