"""The re-creation of the original app that `make bench` measures, with a tiny model."""

from __future__ import annotations

import pickle
import time

import faiss
import httpx
import numpy as np
import pytest

from benchmarks.encoder_sides import theirs
from benchmarks.random_clip import tiny_clip
from benchmarks.system import servers
from benchmarks.system.asking import BEST
from benchmarks.system.client import Job, run
from benchmarks.system.ingest import their_rate
from benchmarks.system.servers import Meter
from benchmarks.system.world import World
from cli.common.processes import end_functions
from model_export.samples import photo
from tests.export.checkpoints import save_new

PHOTOS = 24


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    """An index of pictures that the tiny model has encoded, as the original's script leaves it."""
    root = tmp_path_factory.mktemp("original")
    world = World(
        PHOTOS, save_new(root / "hf", tiny_clip()), root / "index", root / "app", root / "photos"
    )
    world.folder.mkdir()
    for number in range(PHOTOS):
        data = photo(np.random.default_rng(number), 40, 30)
        (world.folder / f"{number:02}.jpg").write_bytes(data)
    vectors = theirs(str(world.model))[1]([path.read_bytes() for path in world.pictures])
    index = faiss.IndexFlatIP(vectors.shape[1])
    index.add(vectors)
    world.original.mkdir()
    (world.original / "index.pkl").write_bytes(pickle.dumps(index))
    (world.original / "filenames.txt").write_text("".join(f"{p.name}\n" for p in world.pictures))
    return world


@pytest.fixture(scope="module")
def app(world, tmp_path_factory):
    log = tmp_path_factory.mktemp("log") / "log"
    begin = time.monotonic()
    app = servers.start("theirs", world, log)
    try:
        seconds = servers.first_answer(app, "theirs", begin)
        assert 0 < seconds <= time.monotonic() - begin
        yield app
    finally:
        end_functions([app])


def test_a_picture_finds_itself_and_a_text_finds_twenty(world, app):
    picture = world.pictures[7].read_bytes()
    answer = httpx.post(f"{app.url}picture", files={"image": picture}, trust_env=False)
    best = answer.json()["results"][0]
    assert (best["name"], round(best["score"], 3)) == ("07.jpg", 100)
    answer = httpx.get(f"{app.url}text", params={"query": "a cat"}, trust_env=False)
    scores = [found["score"] for found in answer.json()["results"]]
    assert len(scores) == BEST
    assert scores == sorted(scores, reverse=True)


@pytest.mark.parametrize("kind", ["text", "picture"])
def test_the_clients_get_their_answers_and_it_is_seen_what_that_took(world, app, kind):
    meter = Meter(app)
    pictures = [str(path) for path in world.pictures]
    outcome = run(Job("theirs", kind, app.port, 3, 60.0, 30, 1, [], pictures))
    cpu_seconds, others = meter.read()
    assert (len(outcome.latencies), outcome.turned_away) == (30, 0)
    assert cpu_seconds > 0
    assert others >= 0
    assert servers.peak_memory(app) > 50e6  # PyTorch alone


def test_its_loop_indexes_photos_over_http(world):
    assert their_rate(world, 5) > 0
