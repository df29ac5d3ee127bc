"""With packs, what search finds is beside what exact search finds."""

import time

import numpy as np
import pytest

from clipsearch.index.compaction.build_packs import pack
from clipsearch.index.format.commits import Commit, publish_commit
from clipsearch.model.bundle import read_bundle
from model_export.demo import BUNDLE

OTHERS = 7000  # fewer are searched exactly


@pytest.fixture
def large(library):
    """Other photos besides, mixes of those that are there."""
    rng = np.random.default_rng(5)
    base = np.concatenate([entries.vectors for entries in library.segments().values()])
    shares = rng.random((OTHERS, 1), dtype=np.float32)
    first, second = rng.integers(len(base), size=(2, OTHERS))
    mixed = base[first] * shares + base[second] * (1 - shares)
    mixed += np.float32(0.02) * rng.standard_normal(mixed.shape, dtype=np.float32)
    mixed /= np.linalg.norm(mixed, axis=1, keepdims=True)
    library.add({f"others/{i}.jpg": vector for i, vector in enumerate(mixed)})
    return library


def publish_packed(library):
    """As compaction leaves an index of more than 65,536 photos."""
    sizes = {name: len(entries) for name, entries in library.segments().items()}
    commit = Commit(library.space, 1, tuple(sizes), sizes=sizes)
    deadline = time.monotonic() + 60
    following = pack(
        library.bucket,
        commit,
        deadline,
        lambda: np.array(read_bundle(BUNDLE).bundle.text_direction),
        exact_limit=100,
        worth_packing=50,
    )
    assert following
    publish_commit(library.bucket, following)


def test_packs_are_searched_and_it_says_so(large, capsys):
    exact = large.evaluate()
    assert exact["quantised"] == 0
    assert exact["overlap"] == {"10": 1.0, "20": 1.0}
    publish_packed(large)
    figures = large.evaluate(over_http=True)
    assert figures["quantised"] > OTHERS
    for way in ("text_to_image_exact", "image_to_text"):
        assert figures["recall"][way] == exact["recall"][way]
    assert 0.98 < figures["overlap"]["20"] <= 1
    assert figures["over_http"] == {"asked": 20, "same": 20}
    assert "4-bit codes choose candidates among 7,200 of 7,200 photos" in capsys.readouterr().out


def test_what_a_worse_search_misses_is_measured_and_not_what_the_function_answers(
    large, monkeypatch, capsys
):
    """With too few candidates, here and not in the function's own process."""
    publish_packed(large)
    good = large.evaluate()
    for name, value in (("FIRST", 1), ("PER_HIT", 1), ("LATE", 1.0)):
        monkeypatch.setattr(f"clipsearch.index.search.candidates.{name}", value)
    figures = large.evaluate(exit_code=1, over_http=True)
    assert figures["overlap"]["20"] < 0.95 < good["overlap"]["20"]
    found = figures["recall"]
    assert found["text_to_image_exact"] == good["recall"]["text_to_image_exact"]
    assert found["text_to_image"] != found["text_to_image_exact"]
    assert figures["over_http"]["same"] < 20
    assert "answers over HTTP differ from those measured" in capsys.readouterr().err


def test_a_copy_is_packed_on_request_and_the_index_left_alone(large, capsys):
    before = [(stat.name, stat.generation) for stat in large.bucket.list()]
    exact = large.evaluate()
    figures = large.evaluate("--packed")
    assert [(stat.name, stat.generation) for stat in large.bucket.list()] == before
    assert (figures["packed"], figures["quantised"]) == (True, 7200)
    assert figures["recall"]["text_to_image_exact"] == exact["recall"]["text_to_image_exact"]
    assert 0.98 < figures["overlap"]["20"] <= 1
    assert "over_http" not in figures
    assert "quantised, in a copy made for this measurement" in capsys.readouterr().out


def test_of_a_few_photos_in_packs_it_says_that_all_are_compared(library, capsys):
    assert library.evaluate("--packed")["quantised"] == 0
    assert "exact, also in a packed copy: all 200 photos are compared" in capsys.readouterr().out


def test_photos_that_do_not_count_are_passed_over_in_packs_too(large):
    figures = large.evaluate("--packed", "--only-captioned")
    assert (figures["photos"]["others"], figures["photos"]["searched"]) == (OTHERS, 200)
    assert figures["overlap"]["10"] > 0.98
    assert figures["recall"]["text_to_image_exact"]["10"] > 0.98


def test_without_the_float32_vectors_there_is_no_exact_search(large, capsys):
    """Search does without the segments that have packs."""
    publish_packed(large)
    for name, entries in large.segments().items():
        if len(entries) == OTHERS:
            large.damage(name)
    with pytest.raises(FileNotFoundError):
        large.evaluate(exit_code=1)  # no figures are left
    out, err = capsys.readouterr()
    assert (out, err.count("\n")) == ("", 1)
    assert "the vectors of 7,000 of 7,200 photos in file://" in err
    assert "run clipsearch reconcile to repair the index" in err
