"""Photos come, change and go while another space fills, and right before and after the switch."""

import random
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from cli.reconcile import fill
from cli.reconcile.options import options_of
from cli.reconcile.plan import make_plan
from cli.reconcile.work import carry_out
from clipsearch.index.format.entries import Kind
from clipsearch.index.reader.snapshot_reader import SnapshotReader
from clipsearch.index.search.photo_index import PhotoIndex
from clipsearch.model.bundle import publish_bundle
from clipsearch.model.encoder import Encoder
from clipsearch.model.pointer import start_filling, switch_to
from tests.support.pictures import jpeg
from tests.support.tiny_bundle import make_tiny_bundle
from tests.support.waiting import wait_for

COLOURS = ("red", "lime", "blue", "yellow", "cyan", "magenta", "black", "white")
NEWS_EVERY = 0.4  # seconds; an instance sees a switch so late at most
AROUND = 1.0  # seconds before and after the switch


class People:
    """Three threads that upload, replace and delete, and deliver each event as it comes."""

    def __init__(self, cloud):
        self.done: dict[str, list[float]] = {"put": [], "replaced": [], "deleted": []}
        self._cloud = cloud
        self._stop = threading.Event()
        self._pool = ThreadPoolExecutor(3)
        self._working = [self._pool.submit(self._work, number) for number in range(3)]

    def end(self):
        self._stop.set()
        for working in self._working:
            working.result()
        self._pool.shutdown()

    def between(self, begin, end):
        """How many of each happened in that time."""
        return {what: sum(begin <= t < end for t in times) for what, times in self.done.items()}

    def go_on(self):
        """Until each happened a few times more."""
        begin = time.monotonic()
        wait_for(
            lambda: min(self.between(begin, time.monotonic()).values()) >= 3,
            "people upload, replace and delete",
        )

    def _work(self, number):
        chance, mine = random.Random(number), []
        while not self._stop.is_set():
            what = chance.choice(["put", "put", "replaced", "deleted"])
            if what == "put" or not mine:
                what, name = "put", f"{number}-{len(self.done['put'])}-{chance.random()}.jpg"
                mine.append(name)
            else:
                name = chance.choice(mine)
            if what == "deleted":
                mine.remove(name)
                events = self._cloud.delete(name)
            else:
                events = self._cloud.put(name, jpeg(chance.choice(COLOURS)))
            self.done[what].append(time.monotonic())
            for event in events:
                assert self._cloud.send(event) == 200


@pytest.fixture
def other(cloud, tmp_path):
    folder = make_tiny_bundle(tmp_path / "other-model", seed=1)
    publish_bundle(folder, cloud.index, make_current=False)
    return folder


@pytest.fixture
def slow_news(cloud, monkeypatch):
    assert cloud.client
    import ingest.services

    monkeypatch.setattr(ingest.services, "LOOK_FOR_MODEL_EVERY", NEWS_EVERY)


def reconcile_space(cloud, space):
    """As `clipsearch reconcile --space` does it; its process is not that of `ingest`."""
    places = {name: str(cloud.root / name) for name in ("photos", "index", "thumbnails")}
    options = options_of(**places, space=space, plan=False, empty=False)
    fill.begin(options)
    carry_out(options, make_plan(options))


def assert_equal_to_bucket(cloud, folder):
    """Each photo has the vector that its model gives the picture of now, and nothing else has."""
    encoder = Encoder.from_folder(folder)
    snapshot = SnapshotReader(cloud.index, encoder.space).refresh()
    index = PhotoIndex()
    index.update(snapshot)
    entries = snapshot.entries
    live = {
        entries.name(row): int(entries.generations[row])
        for row in range(len(entries))
        if entries.kinds[row] == Kind.VECTOR
    }
    assert live == cloud.in_bucket()
    for name in live:
        square = encoder.decode((cloud.root / "photos" / name).read_bytes()).square
        right = encoder.encode_image([square])[0]
        np.testing.assert_allclose(index.vector_of(name), right, atol=1e-6)


@pytest.mark.usefixtures("slow_news")
@pytest.mark.parametrize("goes_back", [False, True], ids=["switch", "switch and back"])
def test_the_new_index_equals_the_bucket_whatever_people_did(cloud, model_folder, other, goes_back):
    space = Encoder.from_folder(other).space
    for number in range(60):
        for event in cloud.put(f"{number:02}.jpg", jpeg(COLOURS[number % 8])):
            assert cloud.send(event) == 200
    start_filling(cloud.index, space)
    people = People(cloud)
    try:
        begin = time.monotonic()
        reconcile_space(cloud, space)
        filled = time.monotonic()
        people.go_on()  # what comes now goes to the old model only
        switch_to(cloud.index, space)
        switched = time.monotonic()
        people.go_on()
        if goes_back:
            switch_to(cloud.index, cloud.space)
            people.go_on()
    finally:
        people.end()
    for times in ((begin, filled), (switched - AROUND, switched), (switched, switched + AROUND)):
        assert sum(people.between(*times).values()) > 0, times
    assert all(people.between(switched - AROUND, switched + AROUND).values())

    assert cloud.reconcile() == 200  # which starts by itself: see test_filling.py
    assert_equal_to_bucket(cloud, model_folder if goes_back else other)


@pytest.mark.usefixtures("slow_news")
def test_no_deletion_needs_the_reconcile(cloud, other):
    """What was deleted during the fill and around the switch is in neither index."""
    space = Encoder.from_folder(other).space
    start_filling(cloud.index, space)
    wait_for(lambda: cloud.services.model.pointer().filling, "ingest knows of the fill")
    people = People(cloud)
    try:
        reconcile_space(cloud, space)
        people.go_on()
        switch_to(cloud.index, space)
        people.go_on()
    finally:
        people.end()
    assert people.done["deleted"]
    assert people.done["replaced"]
    there = cloud.in_bucket()
    assert cloud.photos_found().items() <= there.items()
    cloud.space = space
    assert cloud.photos_found().items() <= there.items()
