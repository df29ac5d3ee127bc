"""The figures are those of the demo model's own script, and of a brute-force search."""

import json

import numpy as np
import pytest

from clipsearch.model.encoder import Encoder
from clipsearch.storage.gcs import GcsBucket
from model_export.demo import BUNDLE
from model_export.demo import evaluate as own_script
from tests.evaluate.conftest import SCENES, Captions, figures_in

# Scores closer than this may come in either order: search rounds them to six digits, and numpy's
# last bits depend on the processor.
NEAR = 2e-6


@pytest.fixture(scope="session")
def encoded(demo):
    """(texts, pictures): the vectors of the captions, and of the photos in the index."""
    indexed = Captions(demo / "evaluate" / f"demo-{SCENES}-0")
    encoder = Encoder.from_folder(BUNDLE)
    texts = [encoder.encode_text([note["caption"]]).vectors for note in indexed.annotations]
    vectors = {
        entries.name(row): entries.vectors[row]
        for entries in indexed.segments().values()
        for row in range(len(entries))
    }
    return np.concatenate(texts), np.stack([vectors[name] for name in sorted(vectors)])


def assert_recall(found, k, scores, right):
    """`found` is R@k of `scores` (queries, gallery), where `right` (queries,) are those of the
    right answers, whichever way near ties come."""
    right = right[:, None]
    before = (scores > right + NEAR).sum(1)
    beside = (np.abs(scores - right) <= NEAR).sum(1) - 1  # but for itself
    assert (before + beside < k).mean() <= found <= (before < k).mean()


def test_the_vectors_are_those_of_the_demo_models_own_script(encoded):
    encoder = Encoder.from_folder(BUNDLE)
    rng = np.random.default_rng(own_script.SEED)
    scenes = own_script.held_out_scenes(SCENES, rng)
    pictures = own_script.embed(encoder, scenes, rng, "held-out scenes")
    texts = encoder.encode_text([scene.describe() for scene in scenes]).vectors
    for ours, its in zip(encoded, (texts, pictures), strict=True):
        assert np.abs(ours - its).max() < 0.003  # 8 bits


def test_the_figures_are_those_of_all_products(demo, encoded):
    scores = encoded[0] @ encoded[1].T
    found = figures_in(demo)["recall"]
    for k in (1, 5, 10):
        assert_recall(found["text_to_image"][str(k)], k, scores, scores.diagonal())
        assert_recall(found["image_to_text"][str(k)], k, scores.T, scores.diagonal())
    assert found["text_to_image"] == found["text_to_image_exact"]
    assert 0.9 < found["text_to_image"]["1"] < 1  # or the above says little


def test_it_prints_them_and_says_what_was_asked_and_how(demo):
    lines = (demo / "stdout").read_text().splitlines()
    found = figures_in(demo)["recall"]["text_to_image"]
    [row] = [line for line in lines if line.startswith("text to image, through search")]
    assert row.split()[-3:] == [f"{found[k]:.3f}" for k in ("1", "5", "10")]
    said = "\n".join(lines)
    assert f"{SCENES} captions of {SCENES} photos, each looked for among {SCENES} photos." in said
    assert f"Search is exact: all {SCENES} photos are compared." in said
    assert "1.0000 of the best 10, 1.0000 of the best 20" in said
    assert "Over HTTP, GET /?q=: 20 of 20 answers are the same." in said
    assert any(line.split()[-3:] == ["0.304", "0.559", "0.669"] for line in lines)


def test_of_several_captions_each_looks_for_its_photo_and_any_is_right_for_the_photo(
    library, encoded
):
    """Each photo gets the description of the next one, too, which is wrong."""
    texts, pictures = encoded
    for i in range(SCENES):
        text = library.annotations[(i + 1) % SCENES]["caption"]
        library.annotations.append({"image_id": i, "caption": text})
    figures = library.evaluate()
    assert figures["captions"]["asked"] == figures["captions"]["repeated"] == 2 * SCENES
    scores = texts @ pictures.T
    owner = np.concatenate([np.arange(SCENES), np.arange(SCENES)])
    both = np.concatenate([np.arange(SCENES), (np.arange(SCENES) + 1) % SCENES])
    own = np.maximum(np.diag(scores), scores[(np.arange(SCENES) + 1) % SCENES].diagonal())
    found = figures["recall"]
    assert found["text_to_image"] == found["text_to_image_exact"]
    for k in (1, 5, 10):
        assert_recall(found["text_to_image"][str(k)], k, scores[both], scores[both, owner])
        before = (scores[both] > own + NEAR).sum(0)
        beside = (np.abs(scores[both] - own) <= NEAR).sum(0) - 2  # every text is there twice
        low, high = (before + beside < k).mean(), (before < k).mean()
        assert low <= found["image_to_text"][str(k)] <= high


def test_photos_that_are_not_indexed_count_as_not_found_unless_left_out(library, capsys):
    before = library.evaluate()["recall"]
    for i in range(50):
        library.images.append({"id": f"new {i}", "file_name": f"absent-{i}.jpg"})
        library.annotations.append({"image_id": f"new {i}", "caption": "a red car"})
    figures = library.evaluate()
    assert figures["photos"]["missing"] == 50
    assert "50 captioned photos are not in the index and count as not found" in (
        capsys.readouterr().out
    )
    for way, found in figures["recall"].items():
        if way != "image_to_text":  # whose gallery has "a red car" 50 times more
            assert found["1"] == pytest.approx(before[way]["1"] * SCENES / (SCENES + 50))
    figures = library.evaluate("--only-indexed")
    assert (figures["photos"]["missing"], figures["recall"]) == (0, before)


def test_photos_that_are_not_asked_for_are_searched_unless_left_out(library, encoded, capsys):
    texts, pictures = (vectors[::-1] for vectors in encoded)
    library.images.reverse()
    figures = library.evaluate("--count", "30")
    assert figures["photos"] == {
        "asked": 30,
        "missing": 0,
        "uncaptioned": 0,
        "others": SCENES - 30,
        "others_count": True,
        "searched": SCENES,
    }
    assert f"{SCENES - 30} other photos of the index are searched, too" in (capsys.readouterr().out)
    scores = texts[:30] @ pictures.T
    for k, found in enumerate(figures["curves"]["text_to_image"], 1):
        assert_recall(found, k, scores, scores.diagonal())

    figures = library.evaluate("--count", "30", "--only-captioned")
    assert figures["photos"]["searched"] == 30
    assert figures["recall"]["text_to_image"] == figures["recall"]["text_to_image_exact"]
    scores = texts[:30] @ pictures[:30].T
    for k in (1, 5, 10):
        assert_recall(figures["recall"]["text_to_image"][str(k)], k, scores, scores.diagonal())
    assert figures["overlap"] == {"10": 1.0, "20": 1.0}


def test_of_two_equal_photos_only_one_is_first_by_search_and_exactly(library, encoded):
    """The order is that of search: by name."""
    library.add({"held-out/twin.png": encoded[1][7]})
    library.images = [library.images[7], {"id": "twin", "file_name": "twin.png"}]
    text = library.annotations[7]["caption"]
    library.annotations = [
        {"image_id": 7, "caption": text},
        {"image_id": "twin", "caption": text},
    ]
    figures = library.evaluate()
    for way in ("text_to_image", "text_to_image_exact"):
        assert figures["recall"][way] == {"1": 0.5, "5": 1.0, "10": 1.0}
    assert figures["recall"]["image_to_text"]["1"] == 1.0  # the same words are right
    assert figures["captions"]["repeated"] == 2


def test_of_a_photo_that_was_replaced_or_deleted_the_newest_counts(library, encoded):
    """The older entries are still in the bucket."""
    changed = encoded[1].copy()
    changed[:50] = changed[50:100]
    names = [f"held-out/{image['file_name']}" for image in library.images]
    stale = dict(zip(names[:50] + names[180:], encoded[1][100:170], strict=True))
    library.add(stale, generation=2**62 - 1)
    library.add(dict(zip(names[:50], changed, strict=False)), generation=2**62)
    library.add(dict.fromkeys(names[180:]), generation=2**62)
    figures = library.evaluate()
    assert figures["photos"]["missing"] == 20
    assert figures["overlap"] == {"10": 1.0, "20": 1.0}
    found, scores = figures["recall"], encoded[0] @ changed[:180].T
    assert found["text_to_image"] == found["text_to_image_exact"]
    right = np.diag(scores)
    for k in (5, 10):
        before = (scores[:180] > right[:, None] + NEAR).sum(1)
        # Equal vectors come in the order of their names: the first 50 are before the next 50.
        before[50:100] += 1
        beside = (np.abs(scores[:180] - right[:, None]) <= NEAR).sum(1) - 1
        beside[:100] -= 1  # the equal one
        low, high = (before + beside < k).sum() / SCENES, (before < k).sum() / SCENES
        assert low <= found["text_to_image"][str(k)] <= high


def test_what_is_damaged_is_said(library, capsys):
    [name] = library.segments()
    library.add({"held-out/other.png": library.segments()[name].vectors[0]})
    library.damage(name)
    library.images.append({"id": "x", "file_name": "other.png"})
    library.annotations.append({"image_id": "x", "caption": "a red car"})
    figures = library.evaluate()
    assert figures["photos"]["missing"] == SCENES
    assert f"Damaged and left out: {library.space}/segments/{name}: " in capsys.readouterr().out


def test_what_cannot_be_asked_as_it_is_gets_counted(library, capsys):
    library.annotations[0]["caption"] = " ".join(["a red car"] * 100)
    library.annotations[1]["caption"] = "  "
    library.images.append({"id": "x", "file_name": "nobody-describes-this.jpg"})
    figures = library.evaluate()
    assert figures["captions"] == {"asked": SCENES - 1, "cut": 1, "empty": 1, "repeated": 0}
    assert figures["photos"]["uncaptioned"] == 2
    said = capsys.readouterr().out
    assert "1 captions are longer than the model's context and were cut." in said
    assert "Left out: 1 empty captions, 2 photos without a caption." in said


def test_an_index_in_cloud_storage_gives_the_same(library, gcs_double):
    before = library.evaluate(over_http=True)
    cloud = GcsBucket("gs://photos/an index")
    for stat in library.bucket.list():
        cloud.create(stat.name, library.bucket.read(stat.name))
    cloud.close()
    library.index = cloud.url
    after = library.evaluate(over_http=True)
    assert after["index"] == cloud.url
    for figure in ("recall", "overlap", "over_http"):
        assert after[figure] == before[figure]


def test_json_prints_the_figures_that_are_written(library, capsys):
    figures = library.evaluate("--json")
    out, err = capsys.readouterr()
    assert json.loads(out) == figures
    assert err.startswith("written to ")


def test_quiet_prints_the_report_only(library, capsys):
    library.evaluate("--quiet")
    out, err = capsys.readouterr()
    assert "text to image, through search" in out
    assert ("written to" in out, err) == (False, "")
