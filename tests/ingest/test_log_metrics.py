# ruff: noqa: F811 (fixtures of test_attempts.py are arguments here)
"""The metrics that terraform/ makes of log lines count what they say they count."""

import json
import re
from datetime import UTC, datetime

import pytest

from cli.run.feeder import Event
from clipsearch.telemetry import CloudFormatter
from tests.ingest.test_attempts import deliveries, failing  # noqa: F401 (a fixture)
from tests.support.pictures import jpeg
from tests.terraform.conftest import TERRAFORM, parse


@pytest.fixture(scope="module")
def metrics():
    """{name: (what the line's fields must be, the field whose value is taken or None)}"""
    found = parse(TERRAFORM).locals
    counts = {name: (text, None) for name, text in found["log_counts"].items()}
    values = {name: (v["filter"], v["field"]) for name, v in found["log_values"].items()}
    return {
        name: (
            dict(re.findall(r'jsonPayload\.(\w+)=\\?"([^"\\]+)', text)),
            field and field.removeprefix("jsonPayload."),
        )
        for name, (text, field) in (counts | values).items()
    }


def taken(metrics, name, records):
    """The values that a metric takes of these lines; 1 each if it counts."""
    wanted, field = metrics[name]
    assert wanted, name
    lines = [json.loads(CloudFormatter().format(record)) for record in records]
    lines = [line for line in lines if wanted.items() <= line.items()]
    return [line[field] if field else 1 for line in lines]


def test_freshness_failures_and_coverage_are_taken_from_the_lines(cloud, metrics, caplog):
    for name in ("a.jpg", "b.jpg"):
        cloud.send(*cloud.put(name, jpeg()))
    cloud.send(*cloud.put("notes.jpg", b"Dear photo,"))
    cloud.put("c.jpg", jpeg())
    cloud.send(Event("deleted", "gone.jpg", 1))
    cloud.reconcile()
    assert all(0 <= age < 60 for age in taken(metrics, "freshness", caplog.records))
    assert len(taken(metrics, "freshness", caplog.records)) == 2
    assert taken(metrics, "failures", caplog.records) == [1]
    assert taken(metrics, "objects", caplog.records) == [4]
    assert taken(metrics, "pending", caplog.records) == [1]
    assert taken(metrics, "dead-letters", caplog.records) == []


def test_what_was_given_up_is_counted_once(cloud, metrics, caplog, failing):
    [event] = cloud.put("odd.jpg", jpeg("red", (13, 13)))
    deliveries(cloud, event)
    assert taken(metrics, "dead-letters", caplog.records) == [1]
    assert taken(metrics, "failures", caplog.records) == []


def test_freshness_is_the_time_since_the_upload(cloud, metrics, caplog):
    [event] = cloud.put("a.jpg", jpeg())
    request = event.request("http://ingest/")
    an_hour_ago = datetime.fromtimestamp(datetime.now(UTC).timestamp() - 3600, UTC).isoformat()
    cloud.post(request.data, {**dict(request.header_items()), "Ce-time": an_hour_ago})
    [age] = taken(metrics, "freshness", caplog.records)
    assert 3600 <= age < 3700
