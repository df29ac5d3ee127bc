"""Numbered pointers: what is current, what is being filled, and the way back."""

import json
from datetime import timedelta

import pytest

from clipsearch.errors import DamagedObject, NoModel
from clipsearch.model.bundle import load_bundle, publish_bundle, publish_next
from clipsearch.model.pointer import (
    SEEN_AFTER,
    current_pointer,
    forget_previous,
    make_current,
    pointer_name,
    space_before,
    start_filling,
    switch_to,
)
from tests.support.buckets import HookedBucket
from tests.support.tiny_bundle import make_tiny_bundle

A, B, C = (digit * 12 for digit in "abc")


def said(bucket):
    pointer = current_pointer(bucket)
    return pointer.space, pointer.filling, pointer.previous


def as_an_old_instance(bucket):
    """How the releases before read the newest pointer, word for word where it matters."""
    newest = max(stat.name for stat in bucket.list("models/current/"))
    return str(json.loads(bucket.read(newest))["space"])


def test_fill_switch_and_settle(bucket):
    make_current(bucket, A)
    assert start_filling(bucket, B).beside == (B,)
    assert said(bucket) == (A, B, None)
    assert switch_to(bucket, B).beside == (A,)
    assert said(bucket) == (B, None, A)
    assert forget_previous(bucket, current_pointer(bucket))
    assert said(bucket) == (B, None, None)
    assert current_pointer(bucket).beside == ()
    assert space_before(bucket) == A


def test_old_instances_see_the_current_space_at_every_step(bucket):
    make_current(bucket, A)
    for step, current in ((start_filling, A), (switch_to, B)):
        step(bucket, B)
        assert as_an_old_instance(bucket) == current
    assert as_an_old_instance(bucket) == current_pointer(bucket).space


def test_pointers_of_old_writers_are_read(bucket):
    """As Terraform and the releases before write them."""
    document = {"space": A, "created": "2026-11-26T12:00:00Z"}
    bucket.create(pointer_name(1_796_000_000), json.dumps(document).encode())
    assert said(bucket) == (A, None, None)
    start_filling(bucket, B)
    assert current_pointer(bucket).number == 1_796_000_001


def test_every_step_may_be_repeated(bucket):
    make_current(bucket, A)
    for step in (start_filling, switch_to, make_current):
        step(bucket, B)
        number = current_pointer(bucket).number
        step(bucket, B)
        assert current_pointer(bucket).number == number


def test_going_back_and_forth(bucket):
    make_current(bucket, A)
    assert space_before(bucket) is None
    switch_to(bucket, B)
    for there, back in ((B, A), (A, B)):
        assert current_pointer(bucket).space == there
        assert space_before(bucket) == back
        switch_to(bucket, back)
        assert said(bucket) == (back, None, there)


def test_switching_to_the_current_model_ends_a_filling(bucket):
    make_current(bucket, A)
    start_filling(bucket, B)
    switch_to(bucket, A)
    assert said(bucket) == (A, None, None)


def test_a_third_model_can_be_filled_before_a_switch_has_ended(bucket):
    make_current(bucket, A)
    switch_to(bucket, B)
    start_filling(bucket, C)
    assert current_pointer(bucket).beside == (C, A)
    assert forget_previous(bucket, current_pointer(bucket))
    assert said(bucket) == (B, C, None)


def test_whoever_goes_back_is_faster_than_the_end_of_a_switch(bucket):
    make_current(bucket, A)
    pointer = switch_to(bucket, B)
    switch_to(bucket, A)
    assert not forget_previous(bucket, pointer)
    assert said(bucket) == (A, None, B)


def test_two_writers_lose_neither(bucket):
    make_current(bucket, A)
    others = [lambda: switch_to(bucket, C)]

    def be_faster(method, name):
        if method == "create" and others:
            others.pop()()

    start_filling(HookedBucket(bucket, before=be_faster), B)
    assert said(bucket) == (C, B, A)


@pytest.mark.parametrize(
    "marker", [b'"x"', b"7", b"[]", b'"../../../etc"'], ids=["short", "number", "list", "path"]
)
def test_a_marker_that_is_no_space_is_damage(bucket, marker):
    """Nobody knows then where tombstones must go."""
    for field in (b'"filling"', b'"previous"'):
        number = 1 + len(list(bucket.list("models/current/")))
        data = b'{"space": "%s", %s: %s}' % (A.encode(), field, marker)
        bucket.create(pointer_name(number), data)
        with pytest.raises(DamagedObject, match="not a pointer"):
            current_pointer(bucket)
        with pytest.raises(DamagedObject):
            start_filling(bucket, B)
    make_current(bucket, B)
    assert said(bucket) == (B, None, None)


def test_a_pointer_is_seen_when_every_instance_has_looked(bucket):
    make_current(bucket, A)
    pointer = current_pointer(bucket)
    assert not pointer.is_seen(pointer.at)
    assert not pointer.is_seen(pointer.at + SEEN_AFTER - timedelta(seconds=1))
    assert pointer.is_seen(pointer.at + SEEN_AFTER)


def test_publishing_and_becoming_current_are_two_steps(bucket, tmp_path):
    first, second = (make_tiny_bundle(tmp_path / str(seed), seed) for seed in (0, 1))
    with pytest.raises(NoModel):
        current_pointer(bucket)
    old = publish_next(first, bucket).space  # the only model there is
    pointer = publish_next(second, bucket)
    assert pointer.space == old
    assert load_bundle(bucket, str(pointer.filling)).bundle.space == pointer.filling
    assert publish_bundle(second, bucket, make_current=False) == pointer.filling
    assert publish_next(second, bucket) == pointer
