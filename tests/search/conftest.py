"""A gallery of folders with an index, and the search function as the framework serves it."""

import asyncio
import itertools
import os
import shutil
import sys
import time
from pathlib import Path

import functions_framework
import httpx
import pytest
from PIL import Image

from tests.support.function_server import running_function
from tests.support.pictures import jpeg
from tests.support.tiny_bundle import make_tiny_bundle

ROOT = Path(__file__).parents[2]
LIBRARY = 120
MAIN = str(ROOT / "functions/main.py")


@pytest.fixture(scope="session")
def tiny_bundle(tmp_path_factory):
    return make_tiny_bundle(tmp_path_factory.mktemp("bundle"))


def form(*parts):
    """Arguments of a POST with these (name, filename or None, data), as a browser sends them."""
    body = b""
    for name, filename, data in parts:
        file = "" if filename is None else f'; filename="{filename}"'
        head = f'--edge\r\nContent-Disposition: form-data; name="{name}"{file}\r\n\r\n'
        body += head.encode() + data + b"\r\n"
    headers = {"Content-Type": "multipart/form-data; boundary=edge"}
    return {"content": body + b"--edge--\r\n", "headers": headers}


class Gallery:
    """Three buckets and the environment that names them; writes entries as ingest does."""

    def __init__(self, folder, bundle, index=None):
        from clipsearch.model.encoder import Encoder
        from clipsearch.storage import open_bucket

        self.folder = folder
        self.environment = {
            "CLIPSEARCH_PHOTOS": (folder / "photos").as_uri(),
            "CLIPSEARCH_INDEX": index or (folder / "index").as_uri(),
            "CLIPSEARCH_THUMBNAILS": (folder / "thumbnails").as_uri(),
            "CLIPSEARCH_PHOTOS_URL": "http://127.0.0.1:8080/photos",
            "CLIPSEARCH_THUMBNAILS_URL": "http://127.0.0.1:8080/thumbnails",
        }
        self.index = open_bucket(self.environment["CLIPSEARCH_INDEX"])
        self.bundle = bundle
        self.encoder = Encoder.from_folder(bundle)
        self._generations = itertools.count(time.time_ns() // 1000)

    @property
    def space(self):
        return self.encoder.space

    def publish(self):
        from clipsearch.model.bundle import publish_bundle

        publish_bundle(self.bundle, self.index)

    def add(self, **photos):
        """Index pictures of one colour each; a keyword is a name without ".jpg"."""
        self.add_all({f"{name}.jpg": jpeg(colour) for name, colour in photos.items()})

    def add_all(self, photos):
        from clipsearch.index.format.entries import Kind

        decoded = {name: self.encoder.decode(data) for name, data in photos.items()}
        vectors = self.encoder.encode_image([d.square for d in decoded.values()])
        self._write(
            [
                self._entry(name, Kind.VECTOR, width=d.width, height=d.height, vector=vector)
                for (name, d), vector in zip(decoded.items(), vectors, strict=True)
            ]
        )

    def add_with_facts(self, facts, generation):
        """Index red photos of 12 megapixels with these facts, by name."""
        from clipsearch.index.format.entries import Entry, Kind

        [vector] = self.encoder.encode_image([Image.new("RGB", (40, 30), "red")])
        known = {"width": 4000, "height": 3000, "time_us": 1, "vector": vector}
        self._write(
            [Entry(name, generation, Kind.VECTOR, facts=it, **known) for name, it in facts.items()]
        )

    def fail(self, **reasons):
        from clipsearch.index.format.entries import Kind

        self._write([self._entry(f"{n}.jpg", Kind.FAILURE, reason=r) for n, r in reasons.items()])

    def remove(self, name):
        from clipsearch.index.format.entries import Kind

        self._write([self._entry(name, Kind.TOMBSTONE)])

    def _entry(self, name, kind, **facts):
        from clipsearch.index.format.entries import Entry

        return Entry(name, next(self._generations), kind, time_us=time.time_ns() // 1000, **facts)

    def _write(self, entries):
        from clipsearch.index.format.segments import write_segment

        write_segment(self.index, self.space, entries)


class Client:
    """Requests to the app of the framework, without a socket."""

    def __init__(self, app):
        self.app = app
        self._transport = httpx.ASGITransport(app)

    def session(self):
        """For several requests at once, in an event loop of the caller's."""
        return httpx.AsyncClient(transport=self._transport, base_url="http://search.test")

    def request(self, method, url, **options):
        async def send():
            async with self.session() as client:
                return await client.request(method, url, **options)

        return asyncio.run(send())

    def get(self, url, **options):
        return self.request("GET", url, **options)

    def post(self, url="/", **options):
        return self.request("POST", url, **options)

    def post_image(self, data, **fields):
        return self.post(files={"image": ("picture", data)}, data=fields)


def classify(client, images, *labels):
    """What POST /classify answers to one picture, or to a list of them."""
    images = images if isinstance(images, list) else [images]
    files = [("image", ("picture", image)) for image in images]
    return client.post("/classify", files=files, data={"label": list(labels)})


@pytest.fixture
def empty_gallery(tmp_path, tiny_bundle):
    """Folders that do not exist yet: no model, no index."""
    return Gallery(tmp_path, tiny_bundle)


@pytest.fixture(scope="session")
def filled_folder(tmp_path_factory, tiny_bundle):
    gallery = Gallery(tmp_path_factory.mktemp("gallery"), tiny_bundle)
    gallery.publish()
    gallery.add(red="red", green="lime", blue="blue", white="white")
    return gallery.folder


@pytest.fixture
def gallery(tmp_path, tiny_bundle, filled_folder):
    """A model and four photos; a copy, for writing through to the disk takes its time."""
    shutil.copytree(filled_folder, tmp_path, dirs_exist_ok=True)
    return Gallery(tmp_path, tiny_bundle)


@pytest.fixture
def client_of(monkeypatch):
    """Makes a client of a gallery; every call is a new instance of the function. Each request sees
    what has changed in the bucket; with `at_once=False` after a second, as in the cloud."""

    def make(gallery, at_once=True, **settings):
        for name in [name for name in os.environ if name.startswith("CLIPSEARCH_")]:
            monkeypatch.delenv(name)
        for name, value in (gallery.environment | settings).items():
            monkeypatch.setenv(name, value)
        for name in [n for n in sys.modules if n == "search" or n.startswith("search.")]:
            monkeypatch.delitem(sys.modules, name)
        app = functions_framework.create_app("search", MAIN)
        if at_once:
            monkeypatch.setattr("search.engine.state.REFRESH_EVERY", 0)
            monkeypatch.setattr("search.engine.cache.RETRY_EVERY", 0)
        return Client(app)

    return make


@pytest.fixture
def client(gallery, client_of):
    return client_of(gallery)


@pytest.fixture
def photos(empty_gallery):
    """LIBRARY photos with facts."""
    from tests.search.library import random_photos

    empty_gallery.publish()
    photos = random_photos(LIBRARY, empty_gallery.encoder.encode_text(["blue"]).vectors[0])
    empty_gallery._write([photo.entry() for photo in photos])
    return photos


@pytest.fixture
def library(empty_gallery, photos, client_of):
    """A client of `photos`."""
    return client_of(empty_gallery)


@pytest.fixture
def stalled():
    """Arguments of a POST whose body begins and never goes on."""

    async def body():
        yield b"--edge\r\n"
        await asyncio.Event().wait()

    return {"content": body(), "headers": form()["headers"]}


@pytest.fixture(scope="session")
def server(tmp_path_factory, tiny_bundle, filled_folder):
    """The address of the function, started as the cloud does, over a model and four photos."""
    log = tmp_path_factory.mktemp("server") / "log"
    settings = Gallery(filled_folder, tiny_bundle).environment
    with running_function("search", settings, log) as address:
        yield address
