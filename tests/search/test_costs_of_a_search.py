"""What docs/costs.md assumes of a search: bytes of its answer and its log line, and requests to
storage, counted where they leave the function."""

import json
import logging
from collections import Counter

import pytest

from cli.costs import assumptions
from clipsearch import telemetry
from tests.search.conftest import Gallery

PUBLIC = {
    "CLIPSEARCH_PHOTOS_URL": "https://storage.googleapis.com/my-project-clipsearch-photos",
    "CLIPSEARCH_THUMBNAILS_URL": "https://storage.googleapis.com/my-project-clipsearch-thumbnails",
}
BROWSER = {"Accept-Encoding": "gzip, deflate, br, zstd", "Origin": "https://storage.googleapis.com"}
# What Cloud Logging keeps besides the line: https://cloud.google.com/logging/docs/reference/v2/rest/v2/LogEntry
ENTRY = {
    "insertId": "6566a1b2000c0d0e0f101112",
    "resource": {
        "type": "cloud_run_revision",
        "labels": {
            "configuration_name": "clipsearch-search",
            "location": "us-central1",
            "project_id": "my-project",
            "revision_name": "clipsearch-search-00012-abc",
            "service_name": "clipsearch-search",
        },
    },
    "timestamp": "2026-11-27T12:00:00.123456Z",
    "receiveTimestamp": "2026-11-27T12:00:00.234567Z",
    "logName": "projects/my-project/logs/run.googleapis.com%2Fstderr",
    "labels": {"instanceId": "0" * 136},
}


def bytes_of(response):
    """Body and headers as they are sent."""
    sent = int(response.headers["content-length"])
    return sent + sum(len(name) + len(value) + 4 for name, value in response.headers.raw)


def test_an_answer_has_as_many_bytes(empty_gallery, photos, client_of):
    client = client_of(empty_gallery, **PUBLIC)
    usual = client.get("/?q=blue", headers=BROWSER)
    assert len(usual.json()["results"]) == assumptions.RESULTS
    assert usual.headers["content-encoding"] == "gzip"
    assert bytes_of(usual) == pytest.approx(assumptions.ANSWER_BYTES, rel=0.15)
    largest = client.get("/?q=blue&limit=100", headers={"Accept-Encoding": "identity"})
    assert bytes_of(largest) == pytest.approx(assumptions.LARGEST_ANSWER_BYTES, rel=0.15)


def test_a_log_line_has_as_many_bytes(client, caplog, monkeypatch):
    monkeypatch.setenv("GOOGLE_CLOUD_PROJECT", "my-project")
    caplog.set_level(logging.INFO)
    trace = {"traceparent": "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"}
    client.get("/?q=blue", headers=trace)
    [line] = [
        telemetry.CloudFormatter().format(record)
        for record in caplog.records
        if getattr(record, "fields", {}).get("kind") == "request"
    ]
    size = len(line.encode()) + len(json.dumps(ENTRY))
    assert size == pytest.approx(assumptions.LOG_LINE_BYTES, rel=0.25)


def requests_of(double):
    """How many listings and reads there were since the last call."""
    asked = [path for method, path in double.requests if method == "GET"]
    double.requests.clear()
    return Counter(
        "list" if "/o?" in path and not path.startswith("/download") else "read" for path in asked
    )


def test_a_cold_search_asks_for_as_much(tmp_path, tiny_bundle, gcs_double, client_of):
    gcs_double.page_size = 1000
    gallery = Gallery(tmp_path, tiny_bundle, index="gs://photos")
    gallery.publish()
    gallery.add(red="red", blue="blue")
    client = client_of(gallery, at_once=False)
    requests_of(gcs_double)
    assert client.get("/?q=blue").status_code == 200
    found = requests_of(gcs_double)
    assert found["list"] == assumptions.COLD_LISTINGS
    # a large index has packs, too
    assert 0 < found["read"] < assumptions.COLD_READS
    client.get("/?q=red")
    assert not requests_of(gcs_double)
