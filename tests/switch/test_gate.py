"""The quality gate: captions may refuse a model, agreement only says how much changes."""

import numpy as np
import pytest

from cli.evaluate.library import open_library
from cli.switch.agreement import PHOTOS, agreement, sampled
from cli.switch.captions import Comparison, compare_captions
from cli.switch.texts import TEXTS
from clipsearch.model.bundle import publish_bundle
from clipsearch.model.pointer import make_current
from tests.support.tiny_bundle import COLOURS, make_tiny_bundle

WORDS = {f"{n}.jpg": w for n, w in enumerate(["red", "green", "blue", "yellow", "cyan", "magenta"])}


def many(texts, times=6):
    """So many photos and captions that a loss is no chance."""
    return {f"{n}-{name}": text for n in range(times) for name, text in texts.items()}


@pytest.fixture
def worse(buckets, monkeypatch):
    """A new model whose texts mean something else: its tokenizer is another model's."""
    names = [*COLOURS]
    turned = dict(zip(names, [*COLOURS.values()][::-1], strict=True))
    monkeypatch.setattr("tests.support.tiny_bundle.COLOURS", turned)
    space = publish_bundle(
        make_tiny_bundle(buckets.root / "worse", 2), buckets.index, make_current=False
    )
    return space


@pytest.fixture
def few_hits(monkeypatch):
    """R@1 in place of R@5: eight photos cannot be missed by five hits very often."""
    monkeypatch.setattr("cli.switch.captions.K", 1)


@pytest.mark.usefixtures("few_hits")
def test_captions_refuse_a_model_that_finds_clearly_less(buckets, worse, capsys):
    assert buckets.reconcile("--space", worse) == 0
    captions = buckets.captions(WORDS)
    assert buckets.switch("--captions", captions, "--plan") == 0
    assert "a switch would be refused" in capsys.readouterr().out
    assert buckets.switch("--captions", captions) == 1
    printed = capsys.readouterr()
    assert "6 captions of 6 photos" in printed.out
    assert f"tiny-0 ({buckets.old})     1.000" in printed.out
    assert f"model {worse} finds clearly less" in printed.err
    assert "--anyway" in printed.err
    assert buckets.pointer()[0] == buckets.old
    assert buckets.switch("--captions", captions, "--anyway") == 0
    assert buckets.pointer()[0] == worse


def test_captions_let_an_equal_model_pass(filled, capsys):
    assert filled.switch("--captions", filled.captions(WORDS)) == 0
    printed = capsys.readouterr().out
    assert "R@1" in printed
    assert "are the same" not in printed
    assert filled.pointer()[0] == filled.new


def test_without_captions_agreement_is_said_and_refuses_nothing(buckets, worse, capsys):
    assert buckets.reconcile("--space", worse) == 0
    assert buckets.switch() == 0
    printed = capsys.readouterr().out
    assert "photos like 8 of the photos: 100% are the same" in printed
    assert f"photos for {len(TEXTS)} texts: " in printed
    assert "not which model is better" in printed
    assert buckets.pointer()[0] == worse


def test_captions_of_other_photos_are_said_in_one_line(filled, capsys):
    captions = filled.captions({"elsewhere.jpg": "red"})
    assert filled.switch("--captions", captions) == 1
    [line] = capsys.readouterr().err.splitlines()
    assert "none of the 1 captioned photos is in the index" in line
    assert filled.pointer()[0] == filled.old


def test_an_empty_index_cannot_be_compared_and_does_not_stop_a_sure_person(
    buckets, capsys, monkeypatch
):
    monkeypatch.setattr("cli.switch.switch.CAUGHT_UP", 0)
    assert buckets.switch(buckets.new, "--anyway") == 0
    assert "the models cannot be compared" in capsys.readouterr().out
    assert buckets.pointer() == (buckets.new, None, buckets.old)


def comparison(old, new, per_photo=1):
    """Of hits (True) and misses (False), `per_photo` captions for each photo."""
    ranks = [np.where(np.repeat(hits, per_photo), 0, 99) for hits in (old, new)]
    return Comparison(ranks[0], ranks[1], np.repeat(np.arange(len(old)), per_photo))


def test_a_loss_is_clear_when_it_is_large_and_no_chance():
    hits = np.ones(1000, bool)
    lost = hits.copy()
    lost[:15] = False
    assert not comparison(hits, lost).is_clearly_worse  # 1.5 points are little
    lost[:40] = False
    assert comparison(hits, lost).is_clearly_worse
    assert not comparison(lost, hits).is_clearly_worse
    assert not comparison(hits, hits).is_clearly_worse
    few = np.array([True] * 9 + [False])
    assert not comparison(few | True, few).is_clearly_worse  # 10 points of ten captions


def test_captions_of_one_photo_are_one_observation():
    rng = np.random.default_rng(1)
    old, new = rng.random(100) < 0.75, rng.random(100) < 0.68
    alone, repeated = comparison(old, new), comparison(old, new, per_photo=25)
    assert repeated.loss == pytest.approx(alone.loss)
    assert repeated.error == pytest.approx(alone.error)
    spread = (old.astype(float) - new).std() / 10
    assert alone.error == pytest.approx(spread)


def test_agreement_of_a_model_with_itself_is_whole_and_with_another_is_less(buckets):
    for number in range(40):
        buckets.put(f"{number:02}.jpg", [*COLOURS][number % 8])
    assert buckets.reconcile() == 0
    assert buckets.reconcile("--space", buckets.new) == 0
    old, new = (open_library(buckets.index, s, False) for s in (buckets.old, buckets.new))
    same = agreement(old, old)
    assert (same.photos, same.by_photos, same.by_texts) == (48, 1.0, 1.0)
    other = agreement(old, new)
    assert other.by_photos is not None
    assert other.by_texts is not None
    assert 0 < other.by_photos < 1
    assert 0 < other.by_texts < 1


def test_the_sample_is_the_same_whatever_the_order():
    names = [f"{number}.jpg" for number in range(1000)]
    chosen = sampled(names)
    assert len(chosen) == PHOTOS
    assert chosen == sampled(reversed(names))
    assert chosen != sorted(chosen)


def test_a_photo_that_only_one_index_has_counts_as_not_found_in_the_other(filled):
    from cli.evaluate.captions import read_captions

    (filled.photos / "0.jpg").unlink()
    make_current(filled.index, filled.new)
    assert filled.reconcile() == 0
    old, new = (open_library(filled.index, s, False) for s in (filled.old, filled.new))
    found = compare_captions(old, new, read_captions(filled.captions(WORDS), ""))
    assert (found.old[0], found.new[0] > 20) == (0, True)
