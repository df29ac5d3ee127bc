"""When `ingest` compacts the index: on a message, and now and then after an upload."""

import json
from functools import partial

import numpy as np

from clipsearch.index.compaction import build_packs
from clipsearch.index.compaction.build_packs import pack
from clipsearch.index.format.commits import MAX_NUMBER, commit_path, newest_commit
from clipsearch.index.format.quantizer import read_quantizer
from tests.support.pictures import jpeg
from tests.support.pubsub_double import PubSubDouble

TOPIC = "projects/p/topics/maintenance"


def test_a_message_compacts_the_index(cloud, caplog):
    for number in range(20):
        cloud.send(*cloud.put(f"{number}.jpg", jpeg()))
    before = cloud.known()
    assert cloud.tell({"action": "compact"}) == 200
    commit = newest_commit(cloud.index, cloud.space)
    assert len(commit.segments) < 20
    assert cloud.known() == before
    assert cloud.status()["commit"] == commit.number > 0
    assert "compact: " in caplog.text


def test_packs_tell_photos_apart_for_texts_of_the_model_or_wait_for_it(cloud, monkeypatch, caplog):
    monkeypatch.setattr(build_packs, "pack", partial(pack, exact_limit=10, worth_packing=10))
    for number in range(20):
        cloud.send(*cloud.put(f"{number}.jpg", jpeg()))
    file = cloud.index.root / "models" / cloud.space / "model.json"
    model = json.loads(file.read_text())
    file.write_text(json.dumps({**model, "text_direction": None}))
    assert cloud.tell({"action": "compact"}) == 200
    assert "lacks text_direction: delete it and export the model again" in caplog.text
    assert not newest_commit(cloud.index, cloud.space).packs
    file.write_text(json.dumps(model))
    assert cloud.tell({"action": "compact"}) == 200
    commit = newest_commit(cloud.index, cloud.space)
    assert len(commit.packs) == 1
    assert commit.quantizer
    quantizer = read_quantizer(cloud.index, cloud.space, commit.quantizer)
    direction = np.array(model["text_direction"])
    assert np.allclose(quantizer.common, direction / np.linalg.norm(direction))
    assert cloud.services.model.encoder().loaded == {"image"}


def test_a_commit_that_none_can_follow_keeps_no_photo_out(cloud, caplog):
    cloud.compact_one_in = 1
    cloud.index.create(commit_path(cloud.space, MAX_NUMBER), b"planted")
    assert cloud.send(*cloud.put("a.jpg", jpeg())) == 200
    assert cloud.known() == cloud.in_bucket()
    assert "small segments could not be merged" in caplog.text


def test_small_segments_do_not_pile_up(cloud):
    cloud.compact_one_in = 1
    for number in range(40):
        cloud.send(*cloud.put(f"{number}.jpg", jpeg()))
    commit = newest_commit(cloud.index, cloud.space)
    names = {segment.name.rsplit("/", 1)[1] for segment in cloud.segments()}
    read = set(commit.segments) | (names - set(commit.replaced))
    assert len(read) < 20
    assert cloud.known() == cloud.in_bucket()


def test_with_a_topic_it_is_left_to_a_message(cloud, monkeypatch):
    pubsub = PubSubDouble(TOPIC)
    monkeypatch.setenv("PUBSUB_EMULATOR_HOST", pubsub.host)
    monkeypatch.setenv("CLIPSEARCH_TOPIC", TOPIC)
    cloud.compact_one_in = 1
    cloud.send(*cloud.put("a.jpg", jpeg()))
    assert [json.loads(message) for message in pubsub.take()] == [{"action": "compact"}]
    assert newest_commit(cloud.index, cloud.space).number == 0
    cloud.services.topic.close()
    pubsub.close()


def test_trouble_with_it_is_not_the_events(cloud, monkeypatch, caplog):
    monkeypatch.setenv("PUBSUB_EMULATOR_HOST", "127.0.0.1:1")
    monkeypatch.setenv("CLIPSEARCH_TOPIC", TOPIC)
    cloud.compact_one_in = 1
    [event] = cloud.put("a.jpg", jpeg())
    assert cloud.send(event) == 200
    assert "small segments could not be merged" in caplog.text
    assert cloud.photos_found() == {"a.jpg": event.generation}
    cloud.services.topic.close()
