"""`clipsearch reconcile` fills in the facts of photos."""

import json
import os
import subprocess
import sys

import pytest

from clipsearch.model.bundle import publish_bundle
from clipsearch.storage import open_bucket
from tests.support.dated import PLACE, TAKEN_S, dated_jpeg
from tests.support.old_index import facts_in_index, forget_facts
from tests.support.running_stack import ROOT
from tests.support.tiny_bundle import make_tiny_bundle

TIMEOUT = 180


@pytest.fixture
def library(tmp_path):
    return Library(tmp_path)


class Library:
    """A folder of two photos, its index, and the command."""

    def __init__(self, folder):
        self.folder = folder
        (folder / "photos").mkdir()
        for name in ("a.jpg", "b.jpg"):
            (folder / "photos" / name).write_bytes(dated_jpeg())
        self.index = open_bucket((folder / "index").as_uri())
        self.space = publish_bundle(make_tiny_bundle(folder / "model"), self.index)

    def reconcile(self, *arguments, keep_places=None):
        command = [sys.executable, "-m", "cli", "reconcile", *arguments]
        for name in ("photos", "index", "thumbnails"):
            command += [f"--{name}", str(self.folder / name)]
        environ = {k: v for k, v in os.environ.items() if not k.startswith("CLIPSEARCH_")}
        if keep_places is not None:
            environ["CLIPSEARCH_KEEP_PLACES"] = keep_places
        done = subprocess.run(
            command,
            cwd=ROOT,
            env=environ,
            capture_output=True,
            text=True,
            timeout=TIMEOUT,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    def facts(self):
        return facts_in_index(self.index, self.space)

    def places(self):
        return {known.place for known in self.facts().values()}


def test_the_plan_counts_them_and_the_work_fills_them_in(library):
    library.reconcile()
    fresh = library.facts()
    assert {known.taken for known in fresh.values()} == {TAKEN_S}
    forget_facts(library.index, library.space)
    assert library.reconcile("--plan").strip().endswith("; facts of 2 photos to fill in")
    assert json.loads(library.reconcile("--plan", "--json"))["to_fill"] == 2
    assert set(library.facts().values()) == {None}
    done = library.reconcile().splitlines()
    assert done[0].endswith("; facts of 2 photos to fill in")
    assert done[-1].endswith("0 pending; facts of 2 photos filled in")
    assert library.facts() == fresh
    assert json.loads(library.reconcile("--json"))["filled"] == 0


def test_without_the_setting_places_stay_as_they_are(library):
    library.reconcile(keep_places="1")
    assert library.places() == {PLACE}
    assert json.loads(library.reconcile("--json"))["filled"] == 0
    assert library.places() == {PLACE}
    assert json.loads(library.reconcile("--json", keep_places="0"))["filled"] == 2
    assert library.places() == {None}
    assert json.loads(library.reconcile("--json"))["filled"] == 0
    assert json.loads(library.reconcile("--json", keep_places="1"))["filled"] == 2
    assert library.places() == {PLACE}


def test_a_photo_that_is_replaced_is_indexed_and_not_filled_in(library):
    library.reconcile()
    forget_facts(library.index, library.space)
    (library.folder / "photos" / "a.jpg").write_bytes(dated_jpeg("blue"))
    figures = json.loads(library.reconcile("--plan", "--json"))
    assert (figures["to_index"], figures["to_fill"]) == (1, 1)
    assert json.loads(library.reconcile("--json"))["filled"] == 1
    assert all(library.facts().values())
