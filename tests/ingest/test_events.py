"""Events as the cloud sends them, and those that nothing can be done about."""

import logging
from dataclasses import replace
from unittest.mock import Mock

import pytest

from ingest.events import DELETED, PhotoEvent, Refused, parse_event
from tests.support.pictures import jpeg


@pytest.mark.parametrize("number", [str, int])
def test_numbers_may_be_strings_or_numbers(cloud, number):
    [event] = cloud.put("a.jpg", jpeg())
    changes = {"generation": number(event.generation), "size": number(event.size)}
    assert cloud.send(event, **changes) == 200
    assert cloud.photos_found() == {"a.jpg": event.generation}
    [deleted] = cloud.delete("a.jpg")
    cloud.send(deleted, generation=number(deleted.generation))
    assert cloud.photos_found() == {}


@pytest.mark.parametrize("name", ["größe 100%.jpg", "a+b&c=d#e?.jpg", "日本/写真.jpg", "'\"\\.jpg"])
def test_odd_names_survive(cloud, name):
    [event] = cloud.put(name, jpeg())
    assert cloud.send(event) == 200
    assert list(cloud.photos_found()) == [name]


MALFORMED: dict[str, tuple[dict, str]] = {
    "no name": ({"name": None}, "name None"),
    "empty name": ({"name": ""}, "name ''"),
    "half of a pair as name": ({"name": "a\ud83d.jpg"}, "name 'a\\ud83d.jpg'"),
    "a list as name": ({"name": ["a.jpg"]}, "name ['a.jpg']"),
    "no generation": ({"generation": None}, "generation None"),
    "a word as generation": ({"generation": "new"}, "generation 'new'"),
    "a truth as generation": ({"generation": True}, "generation True"),
    "a negative generation": ({"generation": "-1"}, "generation '-1'"),
    "spaces around the generation": ({"generation": " 12 "}, "generation ' 12 '"),
    "a generation as Python writes it": ({"generation": "1_000"}, "generation '1_000'"),
    "a generation in other digits": ({"generation": "١٢"}, "generation '١٢'"),
    "a generation of more than 64 bits": ({"generation": str(2**63)}, "generation '92"),
    "a word as size": ({"size": "large"}, "size 'large'"),
}


@pytest.mark.parametrize("case", MALFORMED)
def test_a_malformed_event_is_logged_and_acknowledged(cloud, caplog, case):
    changes, what = MALFORMED[case]
    [event] = cloud.put("a.jpg", jpeg())
    assert cloud.send(event, **changes) == 200
    [record] = [r for r in caplog.records if r.name == "clipsearch"]
    assert record.levelno == logging.ERROR
    assert what in record.getMessage()
    assert cloud.segments() == []


def test_a_payload_that_is_no_object_is_logged_and_acknowledged(cloud, caplog):
    [event] = cloud.put("a.jpg", jpeg())
    assert cloud.post(["a.jpg"], dict(event.request("http://ingest/").header_items())) == 200
    assert "the payload must be a JSON object, not list" in caplog.text


def test_another_type_is_logged_and_acknowledged(cloud, caplog):
    [event] = cloud.put("a.jpg", jpeg())
    request = event.request("http://ingest/")
    headers = dict(request.header_items())
    headers["Ce-type"] = "google.cloud.storage.object.v1.metadataUpdated"
    assert cloud.post(request.data, headers) == 200
    assert "metadataUpdated' is unknown" in caplog.text
    assert cloud.segments() == []


DEPTH = 100_000
EVENT = (
    b'{"specversion": "1.0", "id": "1", "source": "s", "data": {}, "type": "google.cloud.storage'
)
EVENT += b'.object.v1.finalized"}'
STUMBLED_OVER = {
    "nested arrays": (b"[" * DEPTH + b"]" * DEPTH, None, "nested too deeply"),
    "nested objects": (b'{"name":' * DEPTH + b"1" + b"}" * DEPTH, None, "nested too deeply"),
    "nested in an event": (
        EVENT.replace(b"{}", b"[" * DEPTH + b"]" * DEPTH),
        "application/cloudevents+json",
        "nested too deeply",
    ),
    "a batch": (b"[" + EVENT + b"]", "application/cloudevents-batch+json", "in batch mode"),
}


@pytest.mark.parametrize("case", STUMBLED_OVER)
def test_what_the_framework_stumbles_over_is_refused(cloud, caplog, case):
    body, mode, what = STUMBLED_OVER[case]
    [event] = cloud.put("a.jpg", jpeg())
    headers = dict(event.request("http://ingest/").header_items())
    assert cloud.post(body, {"Content-Type": mode} if mode else headers) == 400
    assert what in caplog.text
    assert cloud.segments() == []


def test_an_error_of_ours_is_no_malformed_request(cloud, monkeypatch):
    [event] = cloud.put("a.jpg", jpeg())
    assert cloud.client
    for error in (TypeError, RecursionError):
        with monkeypatch.context() as broken:
            broken.setattr("ingest.main.parse_event", Mock(side_effect=error("ours")))
            assert cloud.send(event) == 500


def test_an_archived_photo_is_gone_and_its_successor_stays(cloud):
    [event] = cloud.put("a.jpg", jpeg())
    cloud.send(event)
    newer, replaced = cloud.put("a.jpg", jpeg("blue"))
    archived = replace(replaced, kind="archived")
    assert [cloud.send(e) for e in (archived, newer)] == [200, 200]
    assert cloud.photos_found() == {"a.jpg": newer.generation}
    [deleted] = cloud.delete("a.jpg")
    assert cloud.send(replace(deleted, kind="archived")) == 200
    assert cloud.photos_found() == {}
    assert cloud.thumbnail_names() == set()


def test_the_placeholder_of_a_folder_is_no_photo(cloud, caplog):
    [event] = cloud.put("a.jpg", b"")
    assert cloud.send(event, name="holidays/") == 200
    assert cloud.segments() == []
    assert not [r for r in caplog.records if r.levelno > logging.INFO]


def test_there_is_one_log_line_for_an_event(cloud, caplog):
    [event] = cloud.put("red car.jpg", jpeg("red", (60, 40)))
    cloud.send(event)
    [record] = [r for r in caplog.records if r.name == "clipsearch"]
    line = record.getMessage()
    assert "finalized 'objects/red%20car.jpg': indexed, 60 x 40 pixels" in line
    for part in ("load", "read", "decode", "thumbnail", "encode", "write", "total"):
        assert f"{part} " in line
    assert "age_s 0." in line


def test_events_of_another_bucket_are_refused(cloud, caplog, monkeypatch):
    monkeypatch.setenv("CLIPSEARCH_PHOTOS", "gs://the-photos")
    [event] = cloud.put("a.jpg", jpeg())
    assert cloud.send(event, bucket="the-thumbnails") == 200
    assert "bucket 'the-thumbnails' is not the photos bucket 'the-photos'" in caplog.text
    assert cloud.segments() == []


class CloudEvent(dict):
    def __init__(self, **data):
        super().__init__(type=DELETED, id="1")
        self.data = {"bucket": "the-photos", "generation": "7"} | data


def test_with_a_prefix_names_are_relative_to_it():
    event = CloudEvent(name="mine/2024/a.jpg")
    assert parse_event(event, "gs://the-photos/mine") == PhotoEvent(False, "2024/a.jpg", 7, None)
    assert parse_event(event, "gs://the-photos").name == "mine/2024/a.jpg"


@pytest.mark.parametrize("name", ["mines/a.jpg", "other/mine/a.jpg", "mine", "mine/"])
def test_what_lies_beside_the_prefix_is_no_photo(name):
    with pytest.raises(Refused) as refused:
        parse_event(CloudEvent(name=name), "gs://the-photos/mine")
    assert refused.value.level == logging.INFO
