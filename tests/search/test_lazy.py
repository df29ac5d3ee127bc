"""Nothing is loaded before it is needed, and nothing that is not needed."""

import json
import os
import subprocess
import sys
import threading

from tests.search.conftest import MAIN
from tests.support.buckets import HookedBucket
from tests.support.pictures import png
from tests.support.slow_numpy import SLOW_NUMPY

HEAVY = {
    "PIL",
    "faiss",
    "google.cloud.storage",
    "numpy",
    "onnxruntime",
    "pillow_heif",
    "tokenizers",
}

ASK = """
import asyncio, json, sys
import functions_framework, httpx

async def ask(paths):
    transport = httpx.ASGITransport(functions_framework.create_app("search", {main!r}))
    async with httpx.AsyncClient(transport=transport, base_url="http://search.test") as client:
        return [(await client.get(path)).status_code for path in paths]

statuses = asyncio.run(ask({paths!r}))
print(json.dumps([statuses, sorted(sys.modules)]))
"""


def asked_alone(gallery, *paths):
    """(the statuses, the modules then imported) of a process that answers these requests."""
    run = subprocess.run(
        [sys.executable, "-c", ASK.format(main=MAIN, paths=paths)],
        env=os.environ | gallery.environment,
        capture_output=True,
        text=True,
        check=True,
    )
    statuses, modules = json.loads(run.stdout)
    return statuses, set(modules)


def test_health_openapi_docs_and_refusals_load_nothing(gallery):
    statuses, modules = asked_alone(gallery, "/health", "/openapi.json", "/docs", "/?q=")
    assert statuses == [200, 200, 200, 400]
    assert not HEAVY & modules


def test_a_search_loads_what_health_does_not(gallery):
    """The list above is worth something only if it names what a search imports."""
    statuses, modules = asked_alone(gallery, "/?q=red")
    assert statuses == [200]
    assert {"faiss", "numpy", "onnxruntime", "tokenizers"} <= modules
    assert not {name for name in modules if name.startswith(("clipsearch.engine", "lance"))}
    assert "PIL" not in modules
    assert "clipsearch.images.decode" not in modules


COLLECTING = """
import asyncio, gc
import functions_framework, httpx

async def ask():
    transport = httpx.ASGITransport(functions_framework.create_app("search", {main!r}))
    async with httpx.AsyncClient(transport=transport, base_url="http://search.test") as client:
        for path, is_enabled in (("/health", False), ("/?q=red", True)):
            assert (await client.get(path)).status_code == 200
            assert gc.isenabled() == is_enabled, path
    assert gc.get_freeze_count()

asyncio.run(ask())
"""


def test_garbage_is_collected_from_the_first_answer_on(gallery):
    code, environment = COLLECTING.format(main=MAIN), os.environ | gallery.environment
    subprocess.run([sys.executable, "-c", code], env=environment, check=True)


AT_ONCE = """
import asyncio
import functions_framework, httpx

async def ask(client, path):
    if path == "picture":
        return await client.post("/", files={{"image": bytes.fromhex({image!r})}})
    return await client.get(path)

async def ask_all(paths):
    transport = httpx.ASGITransport(functions_framework.create_app("search", {main!r}))
    async with httpx.AsyncClient(transport=transport, base_url="http://search.test") as client:
        return await asyncio.gather(*(ask(client, path) for path in paths))

paths = ["/?q=red", "picture", "/?like=red.jpg", "/status"]
answers = asyncio.run(ask_all(paths))
assert [answer.status_code for answer in answers] == [200] * 4, [a.text for a in answers]
"""


def test_several_requests_may_be_the_first(gallery):
    """Threads that import numpy at once find it half done; on a slow disk, and not every time."""
    code = SLOW_NUMPY + AT_ONCE.format(main=MAIN, image=png("red").hex())
    environment = os.environ | gallery.environment
    processes = [subprocess.Popen([sys.executable, "-c", code], env=environment) for _ in range(4)]
    assert [process.wait() for process in processes] == [0] * 4


def lose(gallery, *names):
    for name in names:
        for file in gallery.folder.glob(f"index/models/*/{name}*"):
            file.unlink()


def test_words_need_no_image_encoder(gallery, client_of):
    lose(gallery, "image.onnx")
    client = client_of(gallery)
    assert client.get("/?q=red").status_code == 200
    assert client.post_image(png("red")).status_code == 503


def test_a_picture_needs_no_text_encoder(gallery, client_of):
    lose(gallery, "text.onnx", "tokenizer.json")
    client = client_of(gallery)
    assert client.post_image(png("red")).status_code == 200
    assert client.get("/?q=red").status_code == 503


def test_like_and_status_need_no_encoder(gallery, client_of):
    lose(gallery, "text.onnx", "tokenizer.json", "image.onnx")
    client = client_of(gallery)
    assert client.get("/?like=red.jpg").status_code == 200
    assert client.get("/status").status_code == 200


def test_the_first_search_loads_encoder_and_index_at_the_same_time(gallery, client_of, monkeypatch):
    """Who reads the text encoder and who reads the index wait for each other, once."""
    meeting, met = threading.Barrier(2, timeout=30), set()

    def meet(method, name):
        reads_index = method == "list" and "segments" in name
        reads_text = method == "download" and name.endswith("/text.onnx")
        if (reads_index or reads_text) and method not in met:
            met.add(method)
            meeting.wait()

    bucket = HookedBucket(gallery.index, before=meet)
    client = client_of(gallery)
    monkeypatch.setattr("search.engine.model.open_bucket", lambda _: bucket)
    answer = client.get("/?q=red").json()
    assert met == {"list", "download"}
    assert answer["results"][0]["name"] == "red.jpg"
    timing = answer["timing_ms"]
    assert timing["load"] + timing["encode"] + timing["search"] <= timing["total"] + 0.1


def test_of_two_errors_of_a_first_search_the_one_of_the_index_is_told(gallery, client_of):
    lose(gallery, "text.onnx")
    for segment in gallery.folder.rglob("*.npz"):
        segment.write_bytes(b"damaged")
    assert "segments/" in client_of(gallery).get("/?q=red").json()["detail"]


def test_loading_counts_as_load_and_not_as_encoding(client):
    first = client.get("/?q=red").json()["timing_ms"]
    again = client.get("/?q=blue").json()["timing_ms"]
    assert first["encode"] == 0.0
    assert again["encode"] > 0.0
    assert again["load"] < first["load"]


def test_an_index_read_once_is_not_read_again(gallery, client):
    """Segments may vanish once they are known; a reader holds what they said."""
    assert client.get("/?q=red").status_code == 200
    gallery.add(crimson=(250, 0, 0))
    assert client.get("/?q=red").json()["index"]["photos"] == 5
    for segment in gallery.folder.rglob("*.npz"):
        segment.write_bytes(b"no longer a segment")
    assert client.get("/?q=red").json()["index"]["photos"] == 5
