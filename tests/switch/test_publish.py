"""What is said of a bundle that was put into a bucket, and what is refused."""

import pytest

from clipsearch.errors import ModelNotAllowed, NoModel
from clipsearch.model.bundle import digest_in
from clipsearch.model.pointer import current_pointer, start_filling
from clipsearch.storage import open_bucket
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
    assert said[-6] == f"the SHA-256 of its model.json: {digest_in(buckets.root / 'new')}"
    assert f"space {buckets.new} is there; {buckets.old} answers until you switch" in said[-5]
    assert f"clipsearch switch {buckets.new} --index" in said[-2]


def test_a_model_that_is_not_allowed_is_put_in_and_does_not_become_current(buckets):
    allowed = [digest_in(buckets.root / "old")]
    said = []
    publish(buckets.root / "new", buckets.index, False, said.append, allowed)
    assert any("CLIPSEARCH_MODEL_SHA256 must allow it" in line for line in said)
    assert buckets.pointer() == (buckets.old, buckets.new, None)
    with pytest.raises(ModelNotAllowed, match="CLIPSEARCH_MODEL_SHA256 allows only") as refused:
        publish(buckets.root / "new", buckets.index, True, said.append, allowed)
    assert digest_in(buckets.root / "new") in str(refused.value)
    assert buckets.pointer() == (buckets.old, buckets.new, None)


def test_the_first_model_of_a_bucket_must_be_allowed_too(buckets, tmp_path):
    index = open_bucket((tmp_path / "another").as_uri())
    with pytest.raises(ModelNotAllowed):
        publish(buckets.root / "new", index, False, print, ["0" * 64])
    with pytest.raises(NoModel):
        current_pointer(index)
    publish(buckets.root / "new", index, False, print, [digest_in(buckets.root / "new")])
    assert current_pointer(index).space == buckets.new
