"""Delivery of events: at least once, and again until they are taken."""

import http.server
import json
import threading
import time

import pytest
from cloudevents.http import from_http

from cli.common import retry
from cli.common.retry import wait_before
from cli.run import schedule as schedule_module
from cli.run.feeder import Event, Feeder
from cli.run.schedule import Maintenance, Schedule
from ingest.messages import PUBLISHED, Reconcile, parse_message
from tests.support.waiting import wait_for


class Ingest(http.server.ThreadingHTTPServer):
    """Records what arrives and answers as `answer` says."""

    def __init__(self, listens=True):
        """Else its port is taken, but refuses connections until `listen` is called."""
        super().__init__(("127.0.0.1", 0), _Handler, bind_and_activate=False)
        self.server_bind()
        self.received = []
        self.answer = lambda event, attempt: 200
        if listens:
            self.listen()

    def listen(self):
        self.server_activate()
        threading.Thread(target=self.serve_forever, args=(0.01,), daemon=True).start()

    @property
    def url(self):
        return f"http://127.0.0.1:{self.server_port}/"

    def names(self):
        return [event.data.get("name") for event in self.received]


class _Handler(http.server.BaseHTTPRequestHandler):
    server: Ingest

    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        event = from_http(dict(self.headers.items()), body)
        attempt = self.server.names().count(event.data.get("name")) + 1
        self.server.received.append(event)
        self.send_response(self.server.answer(event, attempt))
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *args):
        pass


@pytest.fixture
def ingest(monkeypatch):
    monkeypatch.setattr(retry, "FIRST_WAIT_S", 0.01)
    server = Ingest()
    yield server
    server.shutdown()
    server.server_close()


@pytest.fixture
def feeder(ingest):
    feeder = Feeder(ingest.url)
    yield feeder
    feeder.close()


def test_an_event_looks_as_the_clouds(ingest, feeder):
    feeder.put([Event("finalized", "größe 100%.jpg", 2**53 + 1, 12, "image/jpeg")])
    wait_for(lambda: ingest.received, "events are delivered")
    [event] = ingest.received
    assert event["type"] == "google.cloud.storage.object.v1.finalized"
    assert event["subject"] == "objects/gr%C3%B6%C3%9Fe%20100%25.jpg"
    assert event["source"].endswith(f"/buckets/{event['bucket']}")
    assert event.data["generation"] == str(2**53 + 1)
    assert event.data["size"] == "12"
    assert event.data["contentType"] == "image/jpeg"
    assert json.dumps(event.data)  # plain JSON


def test_what_is_not_taken_comes_again_with_the_same_id(ingest, feeder):
    ingest.answer = lambda event, attempt: 500 if attempt < 4 else 200
    feeder.put([Event("finalized", "a.jpg", 1)])
    wait_for(lambda: not feeder.waiting(), "events are delivered")
    assert ingest.names() == ["a.jpg"] * 4
    assert len({event["id"] for event in ingest.received}) == 1
    assert [event.name for event in feeder.take_delivered()] == ["a.jpg"]
    assert feeder.take_delivered() == []


def test_one_event_that_is_never_taken_holds_up_no_other(ingest, feeder):
    ingest.answer = lambda event, attempt: 500 if event.data["name"] == "poison" else 200
    feeder.put(
        [Event("finalized", "poison", 1)] + [Event("finalized", str(n), 1) for n in range(9)]
    )
    wait_for(lambda: feeder.waiting() == 1 and feeder.troubled(3), "events are delivered")
    [(event, trouble)] = feeder.troubled(3)
    assert event.name == "poison"
    assert "500" in trouble


def test_of_what_waits_new_photos_are_counted(ingest, feeder):
    ingest.answer = lambda event, attempt: 500
    events = [Event("finalized", "a.jpg", 2), Event("finalized", "b.jpg", 1)]
    feeder.put([*events, Event("deleted", "a.jpg", 1), Maintenance("reconcile")])
    assert (feeder.waiting(), feeder.photos_waiting()) == (4, 2)
    ingest.answer = lambda event, attempt: 200
    wait_for(lambda: not feeder.waiting(), "events are delivered")
    assert feeder.photos_waiting() == 0


def test_an_ingest_that_is_not_there_yet_is_waited_for(monkeypatch):
    monkeypatch.setattr(retry, "FIRST_WAIT_S", 0.01)
    later = Ingest(listens=False)
    feeder = Feeder(later.url)
    feeder.put([Event("finalized", "a.jpg", 1)])
    wait_for(lambda: feeder.troubled(2), "the feeder fails twice")
    later.listen()
    wait_for(lambda: not feeder.waiting(), "the event is delivered")
    feeder.close()
    later.shutdown()
    later.server_close()
    assert later.names() == ["a.jpg"]


def test_after_closing_nothing_is_sent(ingest, feeder):
    feeder.close()
    feeder.put([Event("finalized", "a.jpg", 1)])
    time.sleep(0.1)
    assert ingest.received == []


def test_a_proxy_in_the_environment_is_not_asked(ingest, monkeypatch):
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:1")
    feeder = Feeder(ingest.url)
    feeder.put([Event("finalized", "a.jpg", 1)])
    wait_for(lambda: not feeder.waiting(), "events are delivered")
    feeder.close()


def test_waits_double_up_to_a_limit(monkeypatch):
    monkeypatch.setattr("cli.common.retry.random.uniform", lambda low, high: high)
    assert [wait_before(n) for n in range(1, 5)] == [0.25, 0.5, 1.0, 2.0]
    assert wait_before(50) == retry.LONGEST_WAIT_S


def test_maintenance_looks_as_a_message_of_pubsub(ingest, feeder):
    feeder.put([Maintenance("reconcile")])
    wait_for(lambda: ingest.received and not feeder.waiting(), "events are delivered")
    [event] = ingest.received
    assert event["type"] == PUBLISHED
    assert parse_message(event.data) == Reconcile()
    assert feeder.take_delivered() == []  # it is no photo


def test_maintenance_comes_at_the_start_and_when_it_is_asked_for(monkeypatch):
    schedule = Schedule()
    assert [message.action for message in schedule.due()] == ["reconcile", "compact"]
    assert schedule.due() == []
    schedule.ask()
    assert [message.action for message in schedule.due()] == ["reconcile"]
    assert schedule.due() == []
    monkeypatch.setattr(schedule_module, "EVERY", 0.0)
    schedule = Schedule()
    assert len(schedule.due()) == len(schedule.due()) == 2
