"""Matrices in 8 bits: as close as 8 bits can be, and the same on every processor."""

from __future__ import annotations

import numpy as np
import pytest

from model_export.towers.linear import quantize_columns


def matrices():
    rng = np.random.default_rng(0)
    for shape in ((768, 100), (33, 7), (1, 1), (130, 3)):
        yield rng.normal(size=shape).astype(np.float32) * rng.uniform(0.01, 10, shape[1])
        yield rng.standard_t(2, shape).astype(np.float32)  # outliers
    yield np.ones((64, 4), np.float32)
    yield np.zeros((64, 4), np.float32)


@pytest.mark.parametrize("weight", list(matrices()), ids=lambda weight: str(weight.shape))
def test_neighbours_cannot_overflow_16_bits(weight):
    """What processors without VNNI do: 255 * a + 255 * b must fit into an int16."""
    values, scale = quantize_columns(weight.astype(np.float32))
    even = np.pad(values.astype(int), ((0, len(values) % 2), (0, 0)))
    assert (255 * (even[::2] + even[1::2])).max() <= 32767
    assert (255 * (even[::2] + even[1::2])).min() >= -32768
    assert np.abs(values * scale - weight).max() <= scale.max() * 0.501
