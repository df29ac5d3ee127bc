"""GET /status: counts, failures, times."""

import re
import time

from clipsearch.version import __version__

RFC3339 = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z")


def test_a_space_without_photos_has_a_status_of_zeros(empty_gallery, client_of):
    empty_gallery.publish()
    response = client_of(empty_gallery).get("/status")
    assert response.status_code == 200
    assert response.json() == {
        "version": __version__,
        "model": "tiny-0",
        "space": empty_gallery.space,
        "commit": 0,
        "updated": None,
        "photos": {"objects": None, "indexed": 0, "failed": 0, "skipped": 0, "pending": None},
        "reconciled": None,
        "failures": [],
        "damaged": [],
    }


def test_status_counts_photos_and_failures_and_forgets_what_is_gone(gallery, client_of):
    gallery.fail(broken="damaged or cut off JPEG", words="not a picture")
    gallery.remove("red.jpg")
    gallery.add(blue="navy")  # replaced, not added
    status = client_of(gallery).get("/status").json()
    assert status["photos"] == {
        "objects": None,
        "indexed": 3,
        "failed": 2,
        "skipped": 0,
        "pending": None,
    }
    reasons = {failure["name"]: failure["reason"] for failure in status["failures"]}
    assert reasons == {"broken.jpg": "damaged or cut off JPEG", "words.jpg": "not a picture"}
    assert all(RFC3339.fullmatch(f["at"]) for f in status["failures"])
    assert all(f["generation"] > 1_600_000_000_000_000 for f in status["failures"])
    assert RFC3339.fullmatch(status["updated"])
    assert status["updated"] >= max(f["at"] for f in status["failures"])


def test_a_failure_that_is_replaced_by_a_photo_is_none(gallery, client_of):
    gallery.fail(broken="damaged or cut off JPEG")
    gallery.add(broken="red")
    status = client_of(gallery).get("/status").json()
    assert status["failures"] == []
    assert status["photos"]["indexed"] == 5


def test_failures_are_the_most_recent_hundred(gallery, client_of):
    for part in range(3):
        gallery.fail(
            **{f"broken{number:03}": "cut off" for number in range(part * 40, part * 40 + 40)}
        )
        time.sleep(0.002)  # the entries have times in µs
    status = client_of(gallery).get("/status").json()
    assert status["photos"]["failed"] == 120
    assert len(status["failures"]) == 100
    times = [failure["at"] for failure in status["failures"]]
    assert times == sorted(times, reverse=True)
    shown = {failure["name"] for failure in status["failures"]}
    assert {f"broken{number:03}.jpg" for number in range(40, 120)} <= shown
