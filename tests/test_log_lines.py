"""The log lines of the real server in its own process, as Cloud Logging reads them."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from clipsearch import telemetry
from tests.support.function_server import PATIENCE, lines_of, running_function

TRACE, SPAN = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
SEVERITIES = {"DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL"}


def parsed(line: str) -> dict[str, Any]:
    """The entry that Cloud Logging makes of a line on standard error: JSON becomes the payload,
    without the fields of the entry (https://cloud.google.com/logging/docs/structured-logging)."""
    payload = json.loads(line)
    assert isinstance(payload, dict)
    entry = {"severity": payload.pop("severity"), "message": payload["message"]}
    assert entry["severity"] in SEVERITIES
    for key in list(payload):
        if key.startswith("logging.googleapis.com/"):
            entry[key.removeprefix("logging.googleapis.com/")] = payload.pop(key)
    return entry | {"payload": payload}


def get(url: str, **options: Any) -> httpx.Response:
    return httpx.get(url, timeout=PATIENCE, **options)


def post(url: str, **options: Any) -> httpx.Response:
    return httpx.post(url, timeout=PATIENCE, **options)


@contextmanager
def running(target: str, log: Path, **environ: str) -> Iterator[str]:
    """The URL of the function behind gunicorn, as on Cloud Run."""
    settings = {
        "CLIPSEARCH_PHOTOS": (log.parent / "photos").as_uri(),
        "CLIPSEARCH_INDEX": (log.parent / "index").as_uri(),
        "CLIPSEARCH_THUMBNAILS": (log.parent / "thumbnails").as_uri(),
        "CLIPSEARCH_PHOTOS_URL": "http://photos.example",
        "CLIPSEARCH_THUMBNAILS_URL": "http://thumbnails.example",
    }
    with running_function(target, settings | environ, log) as address:
        yield address


CLOUD = {
    "K_SERVICE": "clipsearch",
    "LOG_EXECUTION_ID": "true",
    "GOOGLE_CLOUD_PROJECT": "my-project",
}
EVENT = {
    "ce-specversion": "1.0",
    "ce-id": "7",
    "ce-type": "google.cloud.storage.object.v1.deleted",
    "ce-source": "//storage.googleapis.com/projects/_/buckets/photos",
    "ce-subject": "objects/a.jpg",
    "ce-time": "2026-11-23T12:00:00Z",
    "Content-Type": "application/json",
}


def test_an_event_is_one_line_that_cloud_logging_reads(tmp_path: Path) -> None:
    log = tmp_path / "log"
    headers = {**EVENT, "traceparent": f"00-{TRACE}-{SPAN}-01"}
    with running("ingest", log, **CLOUD) as address:
        body = {"name": "holidays/", "bucket": "photos", "generation": "1"}
        assert post(address, headers=headers, json=body).status_code == 200
    [entry] = [parsed(line) for line in lines_of(log)]
    assert entry["severity"] == "INFO"
    assert entry["trace"] == f"projects/my-project/traces/{TRACE}"
    assert entry["spanId"] == SPAN
    assert entry["trace_sampled"] is True
    assert entry["labels"]["execution_id"]  # of the framework
    payload = entry["payload"]
    assert payload["kind"] == "event"
    assert payload["type"] == EVENT["ce-type"]
    assert payload["subject"] == "objects/a.jpg"
    assert payload["outcome"] == "refused"
    assert payload["detail"] == "placeholder of a folder"
    assert payload["ms"]["total"] > 0
    assert payload["age_s"] > 0


def test_an_error_is_a_line_with_its_severity(tmp_path: Path) -> None:
    log = tmp_path / "log"
    with running("ingest", log, **CLOUD) as address:
        body = {"name": "a.jpg", "bucket": "photos", "generation": "1"}
        assert post(address, headers=EVENT, json=body).status_code == 500  # no model
    entries = [parsed(line) for line in lines_of(log) if line.startswith("{")]
    [entry] = [entry for entry in entries if entry["payload"].get("kind") == "event"]
    assert entry["severity"] == "ERROR"
    assert entry["payload"]["outcome"] == "error"
    assert "NoModel" in entry["payload"]["detail"]


def test_a_request_is_one_line_that_cloud_logging_reads(tmp_path: Path) -> None:
    log = tmp_path / "log"
    with running("search", log, **CLOUD) as address:
        trace = {"x-cloud-trace-context": f"{TRACE}/1;o=1"}
        assert get(f"{address}/health", headers=trace).status_code == 200
        assert get(address, params={"q": "a secret", "limit": "0"}).status_code == 400
        assert get(address, params={"q": "a secret"}).status_code == 503  # no model
    entries = [parsed(line) for line in lines_of(log) if line.startswith("{")]
    requests = [entry for entry in entries if entry["payload"].get("kind") == "request"]
    health, refused, not_ready = requests
    assert health["trace"] == f"projects/my-project/traces/{TRACE}"
    assert health["labels"]["execution_id"]
    assert (health["payload"]["method"], health["payload"]["path"]) == ("GET", "/health")
    assert set(health["payload"]["ms"]) == {"load", "encode", "search", "total"}
    found = [(r["severity"], r["payload"]["status"], r["payload"]["outcome"]) for r in requests]
    assert found == [
        ("INFO", 200, "answered"),
        ("INFO", 400, "refused"),
        ("WARNING", 503, "not ready"),
    ]
    assert "limit" in refused["payload"]["detail"]
    assert not_ready["payload"]["cold"] is True
    assert not_ready["payload"]["ms"]["load"] > 0
    assert "secret" not in log.read_text()


def test_elsewhere_the_same_line_is_text(tmp_path: Path) -> None:
    log = tmp_path / "log"
    with running("ingest", log) as address:
        body = {"name": "holidays/", "bucket": "photos", "generation": "1"}
        assert post(address, headers=EVENT, json=body).status_code == 200
    [line] = lines_of(log)
    assert line.startswith(f"event {EVENT['ce-type']} 'objects/a.jpg': refused, placeholder")
    assert "ms: total " in line
    assert "age_s " in line


def test_a_trace_is_read_of_both_headers_and_of_nothing_else() -> None:
    of = telemetry.trace_of
    assert of({}) == {}
    assert of({"traceparent": f"00-{TRACE}-{SPAN}-00"}) == {
        "logging.googleapis.com/trace": TRACE,
        "logging.googleapis.com/trace_sampled": False,
        "logging.googleapis.com/spanId": SPAN,
    }
    # Google's header has the span in decimal digits
    assert of({"x-cloud-trace-context": f"{TRACE}/{int(SPAN, 16)};o=1"}) == {
        "logging.googleapis.com/trace": TRACE,
        "logging.googleapis.com/trace_sampled": True,
        "logging.googleapis.com/spanId": SPAN,
    }
    assert "logging.googleapis.com/spanId" not in of({"x-cloud-trace-context": TRACE})
    for wrong in ("", "00-x-y-01", f"00-{TRACE}-{SPAN}", f"{TRACE}\n"):
        assert of({"traceparent": wrong, "x-cloud-trace-context": wrong}) == {}


def test_lines_of_other_modules_and_tracebacks_have_the_same_form() -> None:
    try:
        raise ValueError("an ä, and\na line")
    except ValueError as error:
        record = logging.makeLogRecord(
            {"msg": "%s failed", "args": ("it",), "levelname": "ERROR"}
            | {"exc_info": (type(error), error, error.__traceback__)}
        )
    [line] = telemetry.CloudFormatter().format(record).splitlines()
    entry = parsed(line)
    assert entry["message"].startswith("it failed\nTraceback (most recent call last):")
    assert "an ä, and\na line" in entry["message"]


HOSTILE = "a\x1b[2J\n\x9b\u202e\ud800\u2028.jpg"
ESCAPED = r"a\u001b[2J\n\u009b\u202e\ud800\u2028.jpg"


def test_a_name_never_steers_the_terminal_that_shows_a_log() -> None:
    try:
        raise ValueError(HOSTILE)
    except ValueError as error:
        facts: dict[str, object] = {"msg": "%s failed", "args": (HOSTILE,), "levelname": "ERROR"}
        facts |= {"exc_info": (type(error), error, error.__traceback__)}
    text = telemetry.TextFormatter().format(logging.makeLogRecord(facts))
    first, *traceback = text.splitlines()
    assert first == f"{ESCAPED} failed"
    assert traceback[0] == "Traceback (most recent call last):"
    line = telemetry.CloudFormatter().format(
        logging.makeLogRecord(facts | {"fields": {"x": HOSTILE}})
    )
    for shown in (text, line):
        assert all(character.isprintable() or character == "\n" for character in shown)
        shown.encode()  # no lone surrogate
    entry = json.loads(line)  # where it is kept
    assert entry["x"] == HOSTILE
    assert entry["message"].startswith(f"{HOSTILE} failed")


@pytest.mark.parametrize("value", [float("nan"), object(), {1: 2}])
def test_whatever_a_field_holds_it_is_a_line(value: object) -> None:
    record = logging.makeLogRecord({"msg": "x", "levelname": "INFO", "fields": {"value": value}})
    assert telemetry.CloudFormatter().format(record).count("\n") == 0
