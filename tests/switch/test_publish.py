"""What is said of a bundle that was put into a bucket."""

from clipsearch.model.pointer import start_filling
from model_export.publish import publish


def test_the_current_model_is_current_while_another_one_is_filled(buckets):
    start_filling(buckets.index, buckets.new)
    said = []
    publish(buckets.root / "old", buckets.index, switch_now=False, say=said.append)
    assert said[-1] == f"{buckets.index.url}: space {buckets.old} is current"
    assert buckets.pointer() == (buckets.old, buckets.new, None)


def test_the_next_steps_are_for_the_space_that_was_put_in(buckets):
    said = []
    publish(buckets.root / "new", buckets.index, switch_now=False, say=said.append)
    assert f"space {buckets.new} is there; {buckets.old} answers until you switch" in said[-5]
    assert f"clipsearch switch {buckets.new} --index" in said[-2]
