"""A cloud in a folder: three buckets, the model, and `ingest` behind the real framework."""

import asyncio
import importlib
import json
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path

import httpx
import pytest
from functions_framework import create_app

from cli.run.feeder import Event
from clipsearch.images.thumbnails import THUMBNAIL, thumbnail_name
from clipsearch.index.format.entries import Kind
from clipsearch.index.format.segments import segments_prefix
from clipsearch.index.reader.snapshot_reader import SnapshotReader
from clipsearch.model.bundle import publish_bundle
from clipsearch.storage import open_bucket
from tests.support.gcs_double import cloud_storage
from tests.support.pictures import jpeg
from tests.support.pubsub_double import event_of
from tests.support.tiny_bundle import make_tiny_bundle

MAIN = str(Path(__file__).parents[2] / "functions" / "main.py")
CUT = jpeg("red", (200, 150))[:700]


@pytest.fixture(scope="session")
def model_folder(tmp_path_factory):
    return make_tiny_bundle(tmp_path_factory.mktemp("model"))


@pytest.fixture
def cloud(tmp_path, model_folder, monkeypatch):
    cloud = Cloud(tmp_path)
    for name in ("photos", "index", "thumbnails"):
        monkeypatch.setenv(f"CLIPSEARCH_{name.upper()}", (tmp_path / name).as_uri())
    monkeypatch.setenv("CLIPSEARCH_PHOTOS_URL", "http://photos.example")
    monkeypatch.setenv("CLIPSEARCH_THUMBNAILS_URL", "http://thumbnails.example")
    cloud.space = publish_bundle(model_folder, cloud.index)
    return cloud


ON_GCS = {
    "photos": "gs://my-photos/mine",
    "index": "gs://my-index",
    "thumbnails": "gs://my-site/thumbnails",
}


@pytest.fixture
def storage(monkeypatch):
    with cloud_storage(monkeypatch, "my-photos", "my-index", "my-site") as double:
        yield double


@pytest.fixture
def cloud_on_gcs(storage, tmp_path, model_folder, monkeypatch):
    cloud = Cloud(tmp_path)
    for name, url in ON_GCS.items():
        monkeypatch.setenv(f"CLIPSEARCH_{name.upper()}", url)
        setattr(cloud, name, open_bucket(url))
    cloud.space = publish_bundle(model_folder, cloud.index)
    yield cloud
    for name in ON_GCS:
        getattr(cloud, name).close()
        getattr(cloud.services, name).close()


def upload(storage, name, data=None):
    stored = storage.put("my-photos", f"mine/{name}", data or jpeg("red", (400, 300)))
    return Event("finalized", name, stored.generation, len(stored.data))


@dataclass
class Cloud:
    """`send` is one delivery; `state` is what a reader of the whole index would find."""

    root: Path
    space: str = ""
    compact_one_in: int = 10**9  # uploads; not by chance in the middle of a test
    newest: dict = field(default_factory=dict)
    _client: object = None

    def __post_init__(self):
        self.photos = open_bucket((self.root / "photos").as_uri())
        self.index = open_bucket((self.root / "index").as_uri())
        self.thumbnails = open_bucket((self.root / "thumbnails").as_uri())
        (self.root / "photos").mkdir()

    @property
    def client(self):
        """A fresh instance of the function: nothing is left of an earlier one."""
        if self._client is None:
            for name in list(sys.modules):
                if name.split(".")[0] in ("main", "ingest", "search"):
                    del sys.modules[name]
            self._client = create_app("ingest", MAIN).test_client()
            vars(importlib.import_module("ingest.maintenance"))["ONE_IN"] = self.compact_one_in
        return self._client

    def restart(self):
        """The instance has ended; the next event gets another one."""
        self._client = None

    @property
    def services(self):
        """What the instance of `client` keeps between events."""
        return sys.modules["ingest.main"]._make_services()

    def put(self, name, data):
        """Upload, or overwrite; returns the finalized event and the others that follow."""
        path = self.root / "photos" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        replaced = self.photos.stat(name).generation if path.exists() else None
        path.write_bytes(data)
        # The clock of the file system ticks every few ms; the cloud's generations always grow.
        while (stat := self.photos.stat(name)).generation <= self.newest.get(name, 0):
            time.sleep(0.001)
            path.write_bytes(data)
        self.newest[name] = stat.generation
        events = [Event("finalized", name, stat.generation, stat.size)]
        return [*events, Event("deleted", name, replaced)] if replaced else events

    def delete(self, name):
        event = Event("deleted", name, self.photos.stat(name).generation)
        (self.root / "photos" / name).unlink()
        return [event]

    def send(self, event, **changes):
        """Deliver `event`, some fields of its payload changed; returns the HTTP status."""
        request = event.request("http://ingest/")
        payload = {**json.loads(request.data), **changes}
        return self.post(payload, dict(request.header_items()))

    def post(self, payload, headers):
        body = payload if isinstance(payload, bytes) else json.dumps(payload)
        return self.client.post("/", data=body, headers=headers).status_code

    def tell(self, message):
        """Deliver a message about maintenance; returns the HTTP status."""
        data = message if isinstance(message, bytes) else json.dumps(message).encode()
        headers, body = event_of(data)
        return self.post(body, headers)

    def reconcile(self):
        return self.tell({"action": "reconcile"})

    def status(self):
        """GET /status of a fresh instance of `search`."""
        for name in [name for name in sys.modules if name.split(".")[0] == "search"]:
            del sys.modules[name]
        transport = httpx.ASGITransport(create_app("search", MAIN))

        async def get():
            async with httpx.AsyncClient(transport=transport, base_url="http://search") as client:
                return await client.get("/status")

        return asyncio.run(get()).json()

    def counts(self):
        """(objects, indexed, failed, pending) as /status has them."""
        photos = self.status()["photos"]
        return tuple(photos[name] for name in ("objects", "indexed", "failed", "pending"))

    def in_bucket(self):
        """{name: generation} of the photos."""
        return {stat.name: stat.generation for stat in self.photos.list()}

    def known(self):
        """{name: generation} of what the index has as a photo or a failure."""
        state = self.state().items()
        return {name: generation for name, (kind, generation) in state if kind != Kind.TOMBSTONE}

    def segments(self):
        return list(self.index.list(segments_prefix(self.space)))

    def state(self):
        """{name: (kind, generation)} as a new reader finds it."""
        entries = SnapshotReader(self.index, self.space).refresh().entries
        return {
            entries.name(row): (Kind(int(entries.kinds[row])), int(entries.generations[row]))
            for row in range(len(entries))
        }

    def photos_found(self):
        """{name: generation} of what a search could find."""
        state = self.state().items()
        return {name: generation for name, (kind, generation) in state if kind == Kind.VECTOR}

    def reasons(self):
        """{name: reason} of the failures."""
        entries = SnapshotReader(self.index, self.space).refresh().entries
        rows = range(len(entries))
        return {entries.name(row): entries.reason(row) for row in rows if entries.reason(row)}

    def has_thumbnail(self, event):
        name = thumbnail_name(event.name, event.generation, THUMBNAIL)
        return name in self.thumbnail_names()

    def thumbnail_names(self):
        return {stat.name for stat in self.thumbnails.list()}
