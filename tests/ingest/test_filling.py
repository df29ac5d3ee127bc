"""While another space fills: what `ingest` writes into it, and what follows a switch."""

import json
from contextlib import contextmanager
from datetime import timedelta

import pytest

from clipsearch.errors import StorageError
from clipsearch.index.format.entries import Kind
from clipsearch.index.reconcile_log import new_run
from clipsearch.model import pointer
from clipsearch.model.bundle import publish_bundle
from clipsearch.model.pointer import current_pointer, start_filling, switch_to
from tests.support.pictures import jpeg
from tests.support.pubsub_double import PubSubDouble
from tests.support.tiny_bundle import make_tiny_bundle

TOPIC = "projects/p/topics/maintenance"


@pytest.fixture
def other(cloud, tmp_path):
    """The space of another model, which is in the bucket and not current."""
    folder = make_tiny_bundle(tmp_path / "other-model", seed=1)
    return publish_bundle(folder, cloud.index, make_current=False)


@pytest.fixture
def no_waiting(cloud, monkeypatch):
    """Every event looks for the current model, and everybody has seen a switch at once."""
    assert cloud.client
    import ingest.services

    monkeypatch.setattr(ingest.services, "LOOK_FOR_MODEL_EVERY", 0.0)
    monkeypatch.setattr(pointer, "SEEN_AFTER", timedelta(0))


@contextmanager
def seen_in(cloud, space):
    """What a reader of that space would find."""
    present, cloud.space = cloud.space, space
    yield cloud.state()
    cloud.space = present


def state_of(cloud, space):
    with seen_in(cloud, space) as state:
        return {name: kind for name, (kind, _) in state.items()}


def send(cloud, *events):
    assert [cloud.send(event) for event in events] == [200] * len(events)


@pytest.mark.usefixtures("no_waiting")
def test_a_deletion_is_in_both_spaces_and_an_upload_in_one(cloud, other):
    send(cloud, *cloud.put("a.jpg", jpeg()))
    send(cloud, *cloud.delete("a.jpg"))
    assert state_of(cloud, other) == {}
    start_filling(cloud.index, other)
    send(cloud, *cloud.put("b.jpg", jpeg()))
    send(cloud, *cloud.put("b.jpg", jpeg("red")))
    send(cloud, *cloud.put("c.jpg", jpeg()))
    send(cloud, *cloud.delete("c.jpg"))
    both = {"b.jpg": Kind.TOMBSTONE, "c.jpg": Kind.TOMBSTONE}
    assert state_of(cloud, other) == both  # of b.jpg, the generation before
    with seen_in(cloud, other) as state:
        assert state["b.jpg"][1] < cloud.in_bucket()["b.jpg"]
    assert state_of(cloud, cloud.space)["b.jpg"] == Kind.VECTOR


@pytest.mark.usefixtures("no_waiting")
def test_after_a_switch_deletions_go_into_the_space_before_too(cloud, other):
    send(cloud, *cloud.put("a.jpg", jpeg()))
    switch_to(cloud.index, other)
    send(cloud, *cloud.delete("a.jpg"))
    assert state_of(cloud, other) == state_of(cloud, cloud.space) == {"a.jpg": Kind.TOMBSTONE}


@pytest.mark.usefixtures("no_waiting")
def test_the_new_encoder_is_not_loaded_and_its_files_are_not_needed(cloud, other):
    start_filling(cloud.index, other)
    for path in (cloud.root / "index" / "models" / other).glob("image.*"):
        path.unlink()
    send(cloud, *cloud.put("a.jpg", jpeg()), *cloud.put("broken.jpg", b"no photo"))
    send(cloud, *cloud.delete("a.jpg"))
    assert state_of(cloud, other) == {"a.jpg": Kind.TOMBSTONE}


@pytest.mark.usefixtures("no_waiting")
def test_a_deletion_that_is_not_in_both_spaces_comes_again(cloud, other, monkeypatch):
    cloud.put("a.jpg", jpeg())
    start_filling(cloud.index, other)
    [event] = cloud.delete("a.jpg")
    index = cloud.services.index
    create = index.create

    def refuse(name, *args, **more):
        if name.startswith(other):
            raise StorageError("not now")
        return create(name, *args, **more)

    monkeypatch.setattr(index, "create", refuse)
    assert cloud.send(event) == 500
    monkeypatch.undo()
    send(cloud, event)
    assert state_of(cloud, other) == {"a.jpg": Kind.TOMBSTONE}


def test_knowing_of_another_space_costs_no_request(cloud, other, monkeypatch):
    """An event finds both spaces with the look that it takes for the current model anyway."""
    send(cloud, *cloud.put("a.jpg", jpeg()))
    index = cloud.services.index
    requests = []
    for method in ("list", "read"):
        bound = getattr(index, method)
        monkeypatch.setattr(
            index,
            method,
            lambda name="", *a, m=method, f=bound, **k: (
                requests.append((m, name)) or f(name, *a, **k)
            ),
        )
    start_filling(cloud.index, other)
    cloud.services.model._looked = float("-inf")
    send(cloud, *cloud.put("b.jpg", jpeg()), *cloud.delete("b.jpg"))
    assert [method for method, _ in requests if method != "list"] == ["read"]
    assert [name for method, name in requests if method == "list"] == ["models/current/"]
    assert state_of(cloud, other) == {"b.jpg": Kind.TOMBSTONE}


@pytest.mark.usefixtures("no_waiting")
def test_an_event_goes_to_the_spaces_that_it_found(cloud, other, monkeypatch):
    """The switch comes between the look and the write: no deletion is lost."""
    start_filling(cloud.index, other)
    cloud.put("a.jpg", jpeg())
    [event] = cloud.delete("a.jpg")
    from ingest import maintenance

    perform = maintenance.perform

    def switch_first(*args):
        switch_to(cloud.index, other)
        return perform(*args)

    monkeypatch.setattr(maintenance, "perform", switch_first)
    send(cloud, event)
    assert state_of(cloud, other) == state_of(cloud, cloud.space) == {"a.jpg": Kind.TOMBSTONE}


@pytest.fixture
def pubsub(cloud, monkeypatch):
    double = PubSubDouble(TOPIC)
    monkeypatch.setenv("PUBSUB_EMULATOR_HOST", double.host)
    monkeypatch.setenv("CLIPSEARCH_TOPIC", TOPIC)
    yield double
    cloud.services.topic.close()
    double.close()


def asked_for(pubsub):
    return [json.loads(message) for message in pubsub.take()]


def deliver_all(cloud, pubsub):
    while messages := pubsub.take():
        for message in messages:
            assert cloud.tell(message) == 200


def test_the_first_event_that_everybody_has_seen_asks_for_one_reconcile(
    cloud, pubsub, no_waiting, other, monkeypatch
):
    switch_to(cloud.index, other)
    monkeypatch.setattr(pointer, "SEEN_AFTER", timedelta(minutes=1))
    send(cloud, *cloud.put("a.jpg", jpeg()))
    assert asked_for(pubsub) == []  # some instance may not have seen it
    monkeypatch.setattr(pointer, "SEEN_AFTER", timedelta(0))
    send(cloud, *cloud.put("b.jpg", jpeg()), *cloud.put("c.jpg", jpeg()))
    assert asked_for(pubsub) == [{"action": "reconcile"}]
    cloud.restart()  # another instance
    import ingest.services

    monkeypatch.setattr(ingest.services, "LOOK_FOR_MODEL_EVERY", 0.0)
    send(cloud, *cloud.put("d.jpg", jpeg()))
    assert asked_for(pubsub) == []


def test_without_events_the_scheduled_compaction_asks(cloud, pubsub, no_waiting, other):
    switch_to(cloud.index, other)
    assert cloud.tell({"action": "compact"}) == 200
    assert asked_for(pubsub) == [{"action": "reconcile"}]


def test_without_a_switch_nobody_asks(cloud, pubsub, no_waiting, other):
    start_filling(cloud.index, other)
    send(cloud, *cloud.put("a.jpg", jpeg()))
    assert cloud.tell({"action": "compact"}) == 200
    assert asked_for(pubsub) == []


def test_the_switch_ends_when_nothing_is_pending(cloud, pubsub, no_waiting, other):
    send(cloud, *cloud.put("a.jpg", jpeg()))
    switch_to(cloud.index, other)
    assert cloud.reconcile() == 200
    assert current_pointer(cloud.index).previous == cloud.space  # a.jpg is on its way
    deliver_all(cloud, pubsub)
    assert state_of(cloud, other) == {"a.jpg": Kind.VECTOR}
    assert cloud.reconcile() == 200
    assert current_pointer(cloud.index).previous is None
    assert state_of(cloud, cloud.space) == {"a.jpg": Kind.VECTOR}  # still there


def test_a_reconcile_from_before_the_switch_does_not_end_it(cloud, no_waiting, other, monkeypatch):
    monkeypatch.setattr(pointer, "SEEN_AFTER", timedelta(minutes=1))
    switch_to(cloud.index, other)
    assert cloud.reconcile() == 200
    assert current_pointer(cloud.index).previous == cloud.space


def test_a_reconcile_means_the_model_of_now(cloud, other):
    """Not the one that this instance saw some seconds ago."""
    send(cloud, *cloud.put("a.jpg", jpeg()))
    switch_to(cloud.index, other)
    assert cloud.reconcile() == 200
    assert state_of(cloud, other) == {"a.jpg": Kind.VECTOR}


def test_parts_of_a_run_of_the_model_before_are_refused(cloud, no_waiting, other):
    switch_to(cloud.index, other)
    part = {"space": cloud.space, "run": new_run(), "part": 1, "after": "a"}
    assert cloud.tell({"action": "reconcile", **part}) == 200
    assert [*cloud.index.list(f"{cloud.space}/reconciles/")] == []
