"""An upgrade as docs/operations.md has it, and back: both versions deployed, uploads in between."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from cli.common.localhost import open_local
from cli.main import main
from cli.run.feeder import Event
from clipsearch.model.bundle import publish_bundle
from clipsearch.storage import open_bucket
from tests.support.function_server import PATIENCE, running_function
from tests.support.pictures import jpeg
from tests.support.tiny_bundle import COLOURS, make_tiny_bundle
from tests.support.waiting import wait_for, wait_for_a_tick
from tests.upgrade.conftest import ROOT

LIMIT = 100


class Deployment:
    """search and ingest of both versions over the same buckets: {"old search": URL, …}"""

    def __init__(self, root: Path, urls: dict[str, str]) -> None:
        self.photos, self.urls = root / "photos", urls
        self.expected: set[str] = set()

    def upload(self, ingest: str, name: str) -> None:
        wait_for_a_tick(self.photos)
        colour = COLOURS[[*COLOURS][len(self.expected) % len(COLOURS)]]
        size = (40 + 4 * len(self.expected), 30)
        (self.photos / name).write_bytes(jpeg(colour, size))
        stat = open_bucket(self.photos.as_uri()).stat(name)
        self._deliver(ingest, Event("finalized", name, stat.generation, stat.size))
        self.expected.add(name)

    def delete(self, ingest: str, name: str) -> None:
        generation = open_bucket(self.photos.as_uri()).stat(name).generation
        (self.photos / name).unlink()
        self._deliver(ingest, Event("deleted", name, generation))
        self.expected.remove(name)

    def names(self, search: str) -> set[str]:
        answer = httpx.get(
            self.urls[search],
            params={"q": "red", "limit": LIMIT},
            timeout=PATIENCE,
            trust_env=False,
        )
        assert answer.status_code == 200, answer.text
        results = answer.json()["results"]
        # newer versions show near-duplicates as one result
        return {photo["name"] for r in results for photo in (r, *r.get("also", ()))}

    def wait_until_both_find_all(self) -> None:
        for search in ("old search", "new search"):
            wait_for(lambda: self.names(search) == self.expected, f"{search} finds all")  # noqa: B023
            status = httpx.get(
                f"{self.urls[search]}/status", timeout=PATIENCE, trust_env=False
            ).json()
            assert not status.get("damaged"), status

    def _deliver(self, ingest: str, event: Event) -> None:
        with open_local(event.request(self.urls[ingest] + "/"), PATIENCE) as answer:
            assert answer.status in (200, 204)


@pytest.fixture
def deployment(release: Path, tmp_path: Path) -> Iterator[Deployment]:
    (tmp_path / "photos").mkdir()
    folders = {name: tmp_path / name.lower() for name in ("PHOTOS", "INDEX", "THUMBNAILS")}
    publish_bundle(make_tiny_bundle(tmp_path / "bundle"), open_bucket(folders["INDEX"].as_uri()))
    settings = {f"CLIPSEARCH_{name}": folder.as_uri() for name, folder in folders.items()}
    settings |= {
        f"CLIPSEARCH_{name}_URL": "http://127.0.0.1/x" for name in ("PHOTOS", "THUMBNAILS")
    }
    sources = {"old": release / "functions", "new": ROOT / "functions"}
    with (
        running_function("search", settings, tmp_path / "1", source=sources["old"]) as old_search,
        running_function("search", settings, tmp_path / "2", source=sources["new"]) as new_search,
        running_function("ingest", settings, tmp_path / "3", source=sources["old"]) as old_ingest,
        running_function("ingest", settings, tmp_path / "4", source=sources["new"]) as new_ingest,
    ):
        urls = {
            "old search": old_search,
            "new search": new_search,
            "old ingest": old_ingest,
            "new ingest": new_ingest,
        }
        yield Deployment(tmp_path, urls)


class Visitors:
    """Ask both searches until they leave; keep every answer that is not 200."""

    def __init__(self, deployment: Deployment) -> None:
        self._urls = [deployment.urls["old search"], deployment.urls["new search"]]
        self._stop = threading.Event()
        self.asked, self.wrong = 0, []
        self._thread = threading.Thread(target=self._ask)
        self._thread.start()

    def leave(self) -> None:
        self._stop.set()
        self._thread.join()

    def _ask(self) -> None:
        while not self._stop.is_set():
            for url in self._urls:
                found = httpx.get(url, params={"q": "blue"}, timeout=PATIENCE, trust_env=False)
                self.asked += 1
                if found.status_code != 200:
                    self.wrong.append(found.text)


@pytest.mark.slow
def test_nothing_is_lost_in_an_upgrade_and_back(deployment: Deployment) -> None:
    deployment.upload("old ingest", "before.jpg")
    deployment.wait_until_both_find_all()
    visitors = Visitors(deployment)
    try:
        for number, ingest in enumerate(
            ["old ingest", "new ingest", "old ingest", "new ingest", "new ingest", "old ingest"]
        ):
            deployment.upload(ingest, f"{number}.jpg")
        deployment.wait_until_both_find_all()
        # each deletes and replaces what the other one wrote
        deployment.delete("new ingest", "before.jpg")
        deployment.delete("old ingest", "1.jpg")
        deployment.upload("old ingest", "4.jpg")
        deployment.upload("new ingest", "5.jpg")
        deployment.wait_until_both_find_all()
        # back to the older version
        deployment.upload("old ingest", "after.jpg")
        deployment.wait_until_both_find_all()
    finally:
        visitors.leave()
    assert visitors.wrong == []
    assert visitors.asked > 4
    assert deployment.expected == {"0.jpg", "2.jpg", "3.jpg", "4.jpg", "5.jpg", "after.jpg"}


@pytest.mark.slow
def test_a_reconcile_only_adds_facts_to_what_the_older_version_indexed(
    deployment: Deployment, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for number, ingest in enumerate(["old ingest", "new ingest", "old ingest", "new ingest"]):
        deployment.upload(ingest, f"{number}.jpg")
    folders = ("photos", "index", "thumbnails")
    where = [part for name in folders for part in (f"--{name}", str(tmp_path / name))]
    assert main(["reconcile", *where]) == 0
    said = capsys.readouterr().out
    assert "4 of them indexed, 0 failed, 0 skipped; to index: 0 " in said
    assert "to remove: 0" in said
    deployment.wait_until_both_find_all()
