"""A bucket that is filled by `make upload`, and made searchable by `make reconcile`."""

import threading

import pytest

from cli.common.processes import end_functions, start_function, wait_until_up
from cli.demo_photos import draw_demo_photos
from cli.run.model import DEMO_MODEL
from clipsearch.model.bundle import publish_bundle
from clipsearch.storage import open_bucket
from tests.support.ports import free_port
from tests.upload.conftest import last_line, run

COUNT = 200


@pytest.fixture
def settings(to, tmp_path, monkeypatch):
    """As of a deployment, with the photos in `to`."""
    index = (tmp_path / "index").as_uri()
    publish_bundle(DEMO_MODEL, open_bucket(index))
    settings = {
        "CLIPSEARCH_PHOTOS": to.url,
        "CLIPSEARCH_INDEX": index,
        "CLIPSEARCH_THUMBNAILS": (tmp_path / "thumbnails").as_uri(),
        "CLIPSEARCH_PHOTOS_URL": "http://photos.example",
        "CLIPSEARCH_THUMBNAILS_URL": "http://thumbnails.example",
    }
    for name, value in settings.items():
        monkeypatch.setenv(name, value)
    return settings


@pytest.fixture
def search(settings, tmp_path):
    function = start_function("search", free_port(), settings, tmp_path / "search.log")
    try:
        wait_until_up(function, "health", threading.Event())
        yield function.url
    finally:
        end_functions([function])


def test_photos_go_up_and_are_all_found(search, to, tmp_path):
    draw_demo_photos(tmp_path / "drawn", COUNT)
    uploaded = run("upload", tmp_path / "drawn", to.url)
    assert last_line(uploaded) == f"{COUNT} asked, 0 present, {COUNT} uploaded now, 0 failed"

    plan = run("reconcile", "--plan")
    assert (
        f"{COUNT} objects are there, 0 of them indexed, 0 failed, 0 skipped; to index: {COUNT}"
        in plan.stdout
    )
    assert not list((tmp_path / "thumbnails").glob("*"))

    done = run("reconcile")
    assert done.returncode == 0, done.stderr
    assert last_line(done) == f"{COUNT} objects, {COUNT} indexed, 0 failed, 0 skipped, 0 pending"

    status = dict(line.split(maxsplit=1) for line in run("status", search).stdout.splitlines())
    assert (status["indexed"], status["failed"], status["pending"]) == (str(COUNT), "0", "0")
    assert (
        f"{COUNT} objects are there, {COUNT} of them indexed, 0 failed, 0 skipped; to index: 0 (0"
        in (run("reconcile", "--plan").stdout)
    )
