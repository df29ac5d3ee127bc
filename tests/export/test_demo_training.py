"""The demo model's training: the labels are right, a few steps learn, and a stop costs nothing."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch

from model_export.demo import train as training
from model_export.demo.batches import IGNORED, attributes, make_batch, seen, truth_matrix
from model_export.demo.captions import facts_of, part_of
from model_export.demo.drawing import COLOURS, THINGS
from model_export.demo.scenes import held_out, near_miss, random_scene
from model_export.demo.tokenizer import CONTEXT_LENGTH, END_ID, START_ID, train_tokenizer


def test_the_truth_of_all_pairs_is_the_truth_of_each() -> None:
    rng = np.random.default_rng(1)
    scenes = [random_scene(rng) for _ in range(40)]
    facts = [facts_of(near_miss(s, rng)) for s in scenes] + [part_of(s, rng) for s in scenes]
    counts, colours, place = attributes(scenes)
    expected = [[f.true_of(s) for f in facts] for s in scenes]
    assert truth_matrix(counts, colours, place, facts).tolist() == expected


def test_patch_labels_lie_where_the_things_are() -> None:
    batch = make_batch(8, train_tokenizer(1), 64, 8, np.random.default_rng(2))
    for i in range(8):
        present = set(batch.patch_things[i].tolist()) - {len(THINGS)}
        assert present == set(torch.nonzero(batch.counts[i]).flatten().tolist())
        labelled = batch.patch_things[i] != len(THINGS)
        assert torch.equal(labelled, batch.patch_colours[i] != IGNORED)
        for thing, colour in zip(
            batch.patch_things[i][labelled], batch.patch_colours[i][labelled], strict=True
        ):
            assert batch.colours[i, thing] == colour < len(COLOURS)


def test_training_never_sees_a_held_out_scene() -> None:
    rng = np.random.default_rng(3)
    scenes = [seen(random_scene, rng) for _ in range(500)]
    assert not any(held_out(s) for s in scenes)
    assert not any(held_out(seen(near_miss, s, rng)) for s in scenes)


def test_captions_fit_the_context_and_keep_their_ends() -> None:
    batch = make_batch(64, train_tokenizer(1), 64, 8, np.random.default_rng(4))
    assert batch.input_ids.shape[1] <= CONTEXT_LENGTH
    assert (batch.input_ids[:, 0] == START_ID).all()
    assert (batch.input_ids == END_ID).any(1).all()


def test_a_few_steps_lower_the_loss_and_a_stopped_run_goes_on(tmp_path: Path) -> None:
    drawn = training.DrawnBatches(seed=1, batches=12, batch_size=16)
    batches = [drawn[i] for i in range(len(drawn))]
    trainer = training.Trainer(seed=1)
    losses = [sum(p.item() for p in trainer.step(b, 0.1).values()) for b in batches]
    assert np.mean(losses[-3:]) < np.mean(losses[:3]) - 1

    again = training.Trainer(seed=1)
    for batch in batches[:6]:
        again.step(batch, 0.1)
    again.save(tmp_path / "checkpoint.pt", 6)
    resumed = training.Trainer(seed=99)
    assert resumed.load(tmp_path / "checkpoint.pt") == 6
    rest = [sum(p.item() for p in resumed.step(b, 0.1).values()) for b in batches[6:]]
    np.testing.assert_allclose(rest, losses[6:], rtol=0.02)
