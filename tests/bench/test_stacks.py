"""Near-duplicates of the derived pictures, with the demo model: a small run of bench-stacks."""

from benchmarks.stacks.pairs import measure, see, table
from benchmarks.stacks.pictures import library
from clipsearch.model.encoder import Encoder
from model_export.demo import BUNDLE


def test_versions_of_a_scene_are_told_from_scenes_that_look_like_it():
    """The goals are 0.99 and 0.9; the measured figures lie above (docs/benchmarks.md)."""
    seen = see(Encoder.from_folder(BUNDLE), library(12, seed=5))
    report = measure(seen)
    assert report["precision"] >= 0.99
    assert report["recall"] >= 0.9
    assert report["recall_by_kind"]["under another name"] == 1
    assert "| recall of pairs | " in table(report)
