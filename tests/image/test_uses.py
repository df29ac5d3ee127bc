"""The three uses of the image: search, ingest, and run over mounted folders."""

import json
import subprocess
import urllib.request
from urllib.parse import urljoin

import httpx
import numpy as np
import pytest

from cli.run.feeder import Event
from cli.run.model import DEMO_MODEL
from clipsearch.model.bundle import publish_bundle
from clipsearch.storage import open_bucket
from model_export.demo.scenes import Group, Scene, draw
from tests.image.conftest import USER
from tests.support.pictures import encoded
from tests.support.waiting import PATIENCE, wait_for

WORDS = "two blue mushrooms"
SETTINGS = (
    "CLIPSEARCH_PHOTOS=file:///photos",
    "CLIPSEARCH_INDEX=file:///data/index",
    "CLIPSEARCH_THUMBNAILS=file:///data/thumbnails",
    "CLIPSEARCH_PHOTOS_URL=https://photos.example",
    "CLIPSEARCH_THUMBNAILS_URL=https://thumbnails.example",
)


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    """photos: a picture of WORDS and others; data: an index with the demo model, still empty."""
    folder = tmp_path_factory.mktemp("mounted")
    folder.parent.chmod(0o755)
    folder.chmod(0o755)
    photos, data = folder / "photos", folder / "data"
    photos.mkdir()
    data.mkdir()
    generator = np.random.default_rng(1)
    for name, group in (
        ("mushrooms.jpg", Group("mushroom", "blue", 2)),
        ("car.jpg", Group("car", "red", 1)),
    ):
        picture = draw(Scene((group,), "day"), 480, generator)
        (photos / name).write_bytes(encoded(picture, "JPEG", quality=90))
    publish_bundle(DEMO_MODEL, open_bucket((data / "index").as_uri()))
    subprocess.run(["chown", "-R", f"{USER}:{USER}", data], check=True)
    return folder


@pytest.fixture(scope="module")
def volumes(folders):
    return f"{folders / 'photos'}:/photos:ro", f"{folders / 'data'}:/data:rw"


def answers(url):
    try:
        return httpx.get(url, timeout=PATIENCE).status_code
    except httpx.TransportError:
        return None


def healthy(how, started, *environ):
    command = how(
        "/opt/venv/bin/python",
        "/app/image/health.py",
        environ=(f"PORT={started.port}", *environ),
    )
    return subprocess.run(command, capture_output=True).returncode == 0


def names(url, **request):
    response = httpx.request(**({"method": "GET"} | request), url=url, timeout=PATIENCE)
    assert response.status_code == 200, response.text
    return [result["name"] for result in response.json()["results"]]


def test_ingest_indexes_a_photo_and_search_finds_it_by_words_and_by_a_picture(
    start, inside, read_only, volumes, folders, capsys
):
    target = "FUNCTION_TARGET=ingest"
    ingest = start(inside, environ=(*SETTINGS, target), volumes=volumes)
    ingest.wait_for(lambda: answers(ingest.url), "ingest answers")
    assert healthy(inside, ingest, target)
    bucket = open_bucket((folders / "photos").as_uri())
    for photo in bucket.list():
        event = Event("finalized", photo.name, photo.generation, photo.size, photo.content_type)
        with urllib.request.urlopen(event.request(ingest.url), timeout=PATIENCE) as answer:
            assert answer.status == 200

    target = "FUNCTION_TARGET=search"
    picture = (folders / "photos" / "mushrooms.jpg").read_bytes()
    for how in (inside, read_only):
        search = start(how, environ=(*SETTINGS, target), volumes=volumes)
        health = f"{search.url}health"
        seconds = search.wait_for(lambda url=health: answers(url), "search answers")
        assert healthy(inside, search, target)
        assert names(f"{search.url}?q={WORDS}")[0] == "mushrooms.jpg"
        form = {"image": picture}
        assert names(search.url, method="POST", files=form)[0] == "mushrooms.jpg"
        with capsys.disabled():
            print(f"\nsearch: /health after {seconds:.1f} s")


@pytest.mark.parametrize("name", ["inside", "read_only"])
def test_run_serves_page_photos_and_search_on_one_port(start, request, folders, name):
    how = request.getfixturevalue(name)
    data = folders / f"data-{name}"
    data.mkdir()
    data.chmod(0o1777)
    run = start(
        how,
        *("--demo-model", "--suggestions", WORDS),
        volumes=(f"{folders / 'photos'}:/photos:ro", f"{data}:/data:rw"),
    )
    run.wait_for(lambda: "; watching that folder" in run.output(), "run is ready")
    assert "ready: " in run.output()
    assert healthy(request.getfixturevalue("inside"), run)
    other = {"Host": f"photos.example:{run.port}"}
    page = httpx.get(run.url, headers=other)
    assert "<title>clipsearch</title>" in page.text
    search = f"{run.url}search/"
    response = httpx.get(search, params={"q": WORDS}, headers=other, timeout=PATIENCE)
    first = response.json()["results"][0]
    assert first["name"] == "mushrooms.jpg"
    photo = httpx.get(urljoin(search, first["url"]), headers=other)
    assert photo.content == (folders / "photos" / "mushrooms.jpg").read_bytes()
    assert answers(urljoin(search, first["thumbnail_url"])) == 200
    run.process.terminate()
    wait_for(lambda: run.process.poll() is not None, "the end of run")


def test_a_folder_of_another_user_is_named_with_what_to_do(inside, config, tmp_path):
    photos, data = tmp_path / "photos", tmp_path / "data"
    for folder, mode in ((photos, 0o700), (data, 0o755)):
        folder.mkdir()
        folder.chmod(mode)
        subprocess.run(["chown", "1000:1000", folder], check=True)

    def refusal(*mounted):
        command = inside(*config["Entrypoint"], volumes=mounted)
        done = subprocess.run(command, capture_output=True, text=True)
        assert done.returncode != 0
        return done.stderr

    assert refusal(f"{data}:/data:rw").startswith(
        f"clipsearch: user {USER} may not write /data (it belongs to user 1000, mode 755); start "
        "the container with --user 1000:1000"
    )
    assert f"user {USER} may not read /photos" in refusal(f"{photos}:/photos:ro")


def test_a_command_of_clipsearch_runs_in_it(inside, config):
    command = inside(*config["Entrypoint"], "models", "--json")
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)
