"""A folder of photos under one model, and another model that is in the bucket and not current."""

import json
from datetime import timedelta
from pathlib import Path

import pytest

from cli.main import main
from clipsearch.index.reader.snapshot_reader import SnapshotReader
from clipsearch.model import pointer
from clipsearch.model.bundle import publish_bundle
from clipsearch.model.pointer import current_pointer
from clipsearch.storage import open_bucket
from tests.support.pictures import jpeg
from tests.support.tiny_bundle import make_tiny_bundle
from tests.support.waiting import wait_for_a_tick

COLOURS = ("red", "lime", "blue", "yellow", "cyan", "magenta", "black", "white")


class Buckets:
    """Three folders, and the command as a person calls it on them."""

    def __init__(self, root):
        self.root = root
        self.photos = root / "photos"
        self.photos.mkdir()
        self.index = open_bucket((root / "index").as_uri())
        for number, colour in enumerate(COLOURS):
            self.put(f"{number}.jpg", colour)
        self.old = publish_bundle(make_tiny_bundle(root / "old", 0), self.index)
        self.new = publish_bundle(make_tiny_bundle(root / "new", 1), self.index, make_current=False)

    def put(self, name, colour="red"):
        wait_for_a_tick(self.root)
        (self.photos / name).write_bytes(jpeg(colour))

    def call(self, command, *arguments):
        """The exit code."""
        names = ("photos", "index", "thumbnails")
        where = [part for name in names for part in (f"--{name}", str(self.root / name))]
        return main([command, *where, *map(str, arguments)])

    def reconcile(self, *arguments):
        return self.call("reconcile", *arguments)

    def switch(self, *arguments):
        return self.call("switch", *arguments)

    def go_back(self):
        return main(["switch", "--back", "--index", str(self.root / "index")])

    def pointer(self):
        found = current_pointer(self.index)
        return found.space, found.filling, found.previous

    def indexed(self, space):
        entries = SnapshotReader(self.index, space).refresh().entries
        return {entries.name(row): int(entries.generations[row]) for row in range(len(entries))}

    def in_folder(self):
        return {stat.name: stat.generation for stat in open_bucket(self.photos.as_uri()).list()}

    def captions(self, texts):
        """A captions file: one text a photo, by name."""
        path: Path = self.root / "captions.json"
        document = {
            "images": [{"id": name, "file_name": name} for name in texts],
            "annotations": [{"image_id": n, "caption": t} for n, t in texts.items()],
        }
        path.write_text(json.dumps(document))
        return path


@pytest.fixture
def buckets(tmp_path):
    """All photos are in the index of the current model."""
    buckets = Buckets(tmp_path)
    assert buckets.reconcile() == 0
    return buckets


@pytest.fixture
def filled(buckets, capsys):
    assert buckets.reconcile("--space", buckets.new) == 0
    capsys.readouterr()
    return buckets


@pytest.fixture
def seen_at_once(monkeypatch):
    monkeypatch.setattr(pointer, "SEEN_AFTER", timedelta(0))
