"""What the terminal says became of the photos."""

import pytest

from cli.run.feeder import Event, Feeder
from cli.run.report import Report
from clipsearch.index.format.segments import write_segment
from clipsearch.index.reader.snapshot_reader import SnapshotReader
from clipsearch.storage import open_bucket
from tests.index.making import failure, photo, tombstone
from tests.stack.test_feeder import Ingest
from tests.support.waiting import wait_for


@pytest.fixture
def said(tmp_path, capsys):
    """The lines said after these events were delivered and the index had these entries."""
    server = Ingest()
    feeder = Feeder(server.url)
    index = open_bucket(tmp_path.as_uri())

    def lines(events, *entries):
        write_segment(index, "space", entries)
        report = Report(SnapshotReader(index, "space"), feeder, tmp_path / "ingest.log")
        feeder.put(events)
        wait_for(lambda: not feeder.waiting(), "all events are delivered")
        report.show()
        return sorted(capsys.readouterr().out.splitlines())

    yield lines
    feeder.close()
    server.shutdown()
    server.server_close()


def test_each_photo_is_said_to_be_what_the_index_says(said):
    events = [
        Event("finalized", "good.jpg", 1),
        Event("finalized", "bad.jpg", 1),
        Event("deleted", "gone.jpg", 1),
        Event("deleted", "good.jpg", 0, is_replaced=True),
    ]
    entries = (photo("good.jpg"), failure("bad.jpg", reason="cut off"), tombstone("gone.jpg"))
    assert said(events, *entries) == [
        "cannot be indexed: bad.jpg: cut off",
        "indexed good.jpg",
        "removed gone.jpg",
    ]


def test_a_name_never_steers_the_terminal(said):
    events = [Event("finalized", f"{name}\x1b[2J\n\u202e.jpg", 1) for name in ("good", "bad")]
    events.append(Event("deleted", "gone\x9b2J.jpg", 1))
    good, bad, gone = (event.name for event in events)
    entries = photo(good), failure(bad, reason="cut\r\x07"), tombstone(gone)
    assert said(events, *entries) == [
        r"cannot be indexed: bad\u001b[2J\n\u202e.jpg: cut\r\u0007",
        r"indexed good\u001b[2J\n\u202e.jpg",
        r"removed gone\u009b2J.jpg",
    ]


def test_what_was_not_indexed_is_not_said_to_be(said):
    # removed before it was read, replaced while it was, or no photo for the index
    events = [Event("finalized", f"{name}.jpg", 1) for name in ("gone", "replaced", "unknown")]
    assert said(events, tombstone("gone.jpg", 1), photo("replaced.jpg", 2)) == []
