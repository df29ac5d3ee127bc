"""Publishing to Pub/Sub, also when it is in trouble."""

import pytest

from clipsearch.errors import TopicError
from ingest import pubsub as pubsub_module
from ingest.pubsub import Topic
from tests.support.pubsub_double import LOST, PubSubDouble

NAME = "projects/my-project/topics/maintenance"


@pytest.fixture
def pubsub(monkeypatch):
    double = PubSubDouble(NAME)
    monkeypatch.setenv("PUBSUB_EMULATOR_HOST", double.host)
    yield double
    double.close()


@pytest.fixture
def topic(pubsub, monkeypatch):
    monkeypatch.setattr(pubsub_module, "FIRST_WAIT_S", 0.01)
    topic = Topic(NAME)
    yield topic
    topic.close()


def test_messages_arrive_as_they_were(topic, pubsub):
    messages = [b'{"action":"compact"}', "größe 日本".encode(), bytes(range(256))]
    topic.publish(messages)
    assert pubsub.take() == messages
    assert pubsub.requests == 1


@pytest.mark.parametrize("fault", [408, 429, 500, 503, LOST])
def test_trouble_in_passing_loses_nothing(topic, pubsub, fault):
    pubsub.faults += [fault] * 3
    topic.publish([b"x"])
    assert set(pubsub.take()) == {b"x"}
    assert pubsub.requests == 4


@pytest.mark.parametrize("fault", [400, 403, 404])
def test_what_will_not_pass_is_not_tried_again(topic, pubsub, fault):
    pubsub.faults.append(fault)
    with pytest.raises(TopicError, match=f"publish to {NAME}: {fault}"):
        topic.publish([b"x"])
    assert pubsub.requests == 1
    topic.publish([b"y"])
    assert pubsub.take() == [b"y"]


def test_trying_again_ends(topic, pubsub, monkeypatch):
    monkeypatch.setattr(pubsub_module, "RETRY_S", 0.2)
    pubsub.faults += [503] * 1000
    with pytest.raises(TopicError, match="503"):
        topic.publish([b"x"])
    assert pubsub.faults  # it did not wait for the end of the trouble


def test_a_server_that_is_not_there_is_an_error_of_ours(monkeypatch):
    monkeypatch.setenv("PUBSUB_EMULATOR_HOST", "127.0.0.1:1")
    monkeypatch.setattr(pubsub_module, "RETRY_S", 0.2)
    topic = Topic(NAME)
    with pytest.raises(TopicError, match=NAME):
        topic.publish([b"x"])
    topic.close()


def test_without_credentials_the_error_is_ours(monkeypatch, tmp_path):
    monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", str(tmp_path / "none.json"))
    with pytest.raises(TopicError, match=NAME):
        Topic(NAME).publish([b"x"])
