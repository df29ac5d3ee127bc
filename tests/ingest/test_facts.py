"""What `ingest` notes about a photo besides its vector."""

import struct

import pytest

from clipsearch.images.thumbnails import THUMBNAIL
from tests.ingest.conftest import CUT
from tests.support.dated import OFFSET_MINUTES, PLACE, TAKEN_S, dated_jpeg
from tests.support.old_index import facts_in_index
from tests.support.pictures import jpeg, png


def facts(cloud):
    return facts_in_index(cloud.index, cloud.space)


def test_an_upload_has_the_facts_of_its_file_and_of_its_thumbnail(cloud):
    data = dated_jpeg("red")
    cloud.send(*cloud.put("a.jpg", data))
    cloud.send(*cloud.put("plain.png", png("blue", (400, 300))))
    found = facts(cloud)
    dated, plain = found["a.jpg"], found["plain.png"]
    assert (dated.format, dated.size) == ("JPEG", len(data))
    assert (dated.taken, dated.offset) == (TAKEN_S, OFFSET_MINUTES)
    assert dated.thumbnail == plain.thumbnail == THUMBNAIL
    assert (plain.format, plain.taken, plain.offset) == ("PNG", None, None)
    red, green, blue = plain.colour
    assert blue > 240 > 20 > max(red, green)
    assert dated.hash is not None


def test_a_place_is_kept_only_if_the_setting_says_so(cloud, monkeypatch):
    cloud.send(*cloud.put("without.jpg", dated_jpeg()))
    cloud.restart()
    monkeypatch.setenv("CLIPSEARCH_KEEP_PLACES", "1")
    cloud.send(*cloud.put("with.jpg", dated_jpeg()))
    cloud.send(*cloud.put("nowhere.jpg", jpeg()))
    found = facts(cloud)
    places = {name: (known.place, known.keeps_places) for name, known in found.items()}
    assert places == {
        "without.jpg": (None, False),
        "with.jpg": (PLACE, True),
        "nowhere.jpg": (None, True),
    }


def test_failures_and_tombstones_have_no_facts(cloud):
    cloud.send(*cloud.put("cut.jpg", CUT))
    cloud.send(*cloud.put("gone.jpg", dated_jpeg()))
    cloud.send(*cloud.delete("gone.jpg"))
    assert facts(cloud) == {"cut.jpg": None, "gone.jpg": None}


@pytest.mark.parametrize("error", [struct.error("3 bytes"), RecursionError(), IndexError("4")])
def test_a_fault_in_reading_metadata_costs_the_date_and_not_the_photo(cloud, monkeypatch, error):
    assert cloud.client
    import ingest.facts

    def broken(data, keeps_places):
        raise error

    monkeypatch.setattr(ingest.facts, "file_facts", broken)
    [event] = cloud.put("a.jpg", dated_jpeg())
    cloud.send(event)
    assert cloud.photos_found() == {"a.jpg": event.generation}
    known = facts(cloud)["a.jpg"]
    assert (known.format, known.taken) == ("JPEG", None)
