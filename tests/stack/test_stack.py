"""The whole product on one machine: what `make run` starts, used as a person uses it."""

import json
import os
import re
import signal
import subprocess
import sys

import pytest
from playwright.sync_api import expect

from cli.demo_photos import file_name
from tests.support.browser import chromium
from tests.support.ports import free_port
from tests.support.running_stack import ROOT, get, is_running
from tests.support.waiting import PATIENCE, wait_for

COUNT = 12  # demo pictures
WATCHING_ONLY = """
import sys, cli.main, cli.run.stack
cli.run.stack.LOOK_AT_LEAST_EVERY = 3600
sys.exit(cli.main.main(["run", *sys.argv[1:]]))
"""


@pytest.fixture(scope="module")
def start_demo(start_stack, model):
    """Starts the stack with `count` demo pictures and the folder `state`, and waits for it.

    It looks at the photos only when the system tells of a change, and not every 30 s besides.
    """

    def start(state, count):
        stack = start_stack(
            *("--count", count, "--state", state, "--model", model.folder, "--port", free_port()),
            program=WATCHING_ONLY,
        )
        stack.wait_until_ready()
        return stack

    return start


@pytest.fixture(scope="module")
def shared_state(tmp_path_factory):
    return tmp_path_factory.mktemp("build") / "run"


@pytest.fixture(scope="module")
def photos(shared_state):
    """Where the demo pictures of `stack` are drawn."""
    return shared_state.with_name("demo-photos")


@pytest.fixture(scope="module")
def stack(start_demo, shared_state):
    """Runs for all tests here; each leaves the photos as they were."""
    return start_demo(shared_state, COUNT)


def test_the_demo_pictures_can_be_found_when_it_is_ready(stack):
    assert stack.counts() == (COUNT, 0)
    assert set(stack.names(q="a picture", limit=100)) == {file_name(n) for n in range(COUNT)}


def test_the_command_searches_by_words_and_by_a_picture(stack, photos):
    def search(query):
        command = [sys.executable, "-m", "cli", "search", str(query), "--url", stack.search]
        done = subprocess.run([*command, "-n", "2", "--json"], cwd=ROOT, capture_output=True)
        assert done.returncode == 0, done.stderr
        return [result["name"] for result in json.loads(done.stdout)["results"]]

    assert search("two blue mushrooms") == stack.names(q="two blue mushrooms", limit=2)
    name = stack.names(q="a boat", limit=1)[0]
    assert search(photos / name)[0] == name


def test_index_and_folder_are_compared_before_it_is_ready(stack):
    status = stack.status()
    assert status["photos"] == {
        "objects": COUNT,
        "indexed": COUNT,
        "failed": 0,
        "skipped": 0,
        "pending": 0,
    }
    assert status["reconciled"]["at"]


def test_an_album_that_is_moved_away_and_back_is_found_again(stack, photos, model, tmp_path):
    album, away = photos / "album", photos.with_name("away")
    album.mkdir()
    (album / "a.jpg").write_bytes(model.picture)
    wait_for(lambda: stack.counts() == (COUNT + 1, 0), "the photo is indexed")
    album.rename(away)
    wait_for(lambda: stack.counts() == (COUNT, 0), "the photo has vanished")
    away.rename(album)
    wait_for(lambda: stack.counts() == (COUNT + 1, 0), "the photo is back")
    (album / "a.jpg").unlink()
    wait_for(lambda: stack.counts() == (COUNT, 0), "the photo has vanished again")


def test_photos_thumbnails_and_page_are_served_at_the_addresses_in_the_answers(stack):
    [result, *_] = stack.results(q="red")
    for url in (result["url"], result["thumbnail_url"]):
        assert url.startswith(stack.page)
        response = get(url)
        assert response.status_code == 200
        assert response.headers["content-type"].startswith("image/")
    assert "<title>clipsearch</title>" in get(stack.page).text
    assert 'SEARCH_URL = "search";' in get(f"{stack.page}/config.js").text


def test_a_file_that_comes_is_found_by_words_and_by_picture_until_it_goes(stack, photos, model):
    name = "größe 100% #1?.jpg"
    (photos / name).write_bytes(model.picture)
    wait_for(lambda: name in stack.names(q=model.words), "the upload is found")
    assert stack.names(q=model.words)[0] == name
    best = stack.results_like(model.picture)[0]
    assert (best["name"], round(best["score"], 2)) == (name, 1.0)
    assert get(best["url"]).content == model.picture
    assert stack.names(like=file_name(0))[0] != name
    assert stack.counts() == (COUNT + 1, 0)
    assert stack.wait_for_line(f"indexed {name}")

    (photos / name).unlink()
    wait_for(lambda: name not in stack.names(q=model.words), "the photo has vanished")
    assert get(best["thumbnail_url"]).status_code == 404
    assert stack.counts() == (COUNT, 0)


def test_a_file_that_cannot_be_read_is_one_line_and_is_mended_by_overwriting(stack, photos, model):
    broken = photos / "broken.jpg"
    broken.write_bytes(model.picture[: len(model.picture) // 2])
    wait_for(lambda: stack.counts() == (COUNT, 1), "a failure is counted")
    line = stack.wait_for_line("broken.jpg")
    assert line.startswith("cannot be indexed: broken.jpg: damaged or cut off JPEG")
    [failure] = stack.status()["failures"]
    assert failure["name"] == "broken.jpg"

    broken.write_bytes(model.picture)
    wait_for(lambda: stack.counts() == (COUNT + 1, 0), "the photo is indexed")
    broken.unlink()
    wait_for(lambda: stack.counts() == (COUNT, 0), "the photo has vanished")


@pytest.fixture
def wanted(stack, photos, model):
    """One more photo, for the time of a test."""
    (photos / "wanted.jpg").write_bytes(model.picture)
    wait_for(lambda: stack.counts() == (COUNT + 1, 0), "the photo is indexed")
    yield "wanted.jpg"
    (photos / "wanted.jpg").unlink()
    wait_for(lambda: stack.counts() == (COUNT, 0), "the photo has vanished")


def test_a_person_sees_the_photos_in_the_browser(stack, wanted, model, tmp_path):
    picture = tmp_path / "query.jpg"
    picture.write_bytes(model.picture)
    with chromium() as browser, browser.new_page() as page:
        complaints = []
        page.on("console", lambda m: complaints.append(m.text) if m.type == "error" else None)
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.goto(stack.page)
        page.fill("#words", model.words)
        page.press("#words", "Enter")
        first = page.locator("#results .name").first
        expect(first).to_have_text(wanted)
        assert page.locator("#results li").count() == COUNT + 1
        image = page.locator("#results li img").first
        expect(image).not_to_have_js_property("naturalWidth", 0)

        page.reload()
        page.set_input_files("#picture", picture)
        expect(page.locator("#asked img")).to_have_count(1)
        expect(first).to_have_text(wanted)
        assert complaints == []


def test_after_ctrl_c_nothing_is_left_and_the_next_start_feeds_only_what_differs(
    start_demo, tmp_path, model
):
    state, photos = tmp_path / "run", tmp_path / "demo-photos"
    stack = start_demo(state, 4)
    family = stack.family()
    assert len(family) >= 5  # itself, and for each function a master and a worker
    assert stack.end(signal.SIGINT) == 0
    assert [pid for pid in family if is_running(pid)] == []
    assert "Traceback" not in stack.output()

    (photos / "new.jpg").write_bytes(model.picture)
    (photos / file_name(1)).write_bytes(model.picture)
    (photos / file_name(2)).rename(photos / "renamed.jpg")
    again = start_demo(state, 2)
    assert again.counts() == (4 + 1, 0)
    log = (state / "demo" / "ingest.log").read_text()
    fed = sorted(re.findall(r"object\.v1\.\w+ 'objects/[^']+'", log))
    assert fed == sorted(
        f"object.v1.{kind} 'objects/{name}'"
        for kind, name in [
            ("finalized", "new.jpg"),
            ("finalized", file_name(1)),
            ("deleted", file_name(1)),
            ("finalized", "renamed.jpg"),
            ("deleted", file_name(2)),
        ]
    )
    assert again.end(signal.SIGTERM) == 0


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_folder_that_may_not_be_read_does_not_stop_the_others(start_stack, model, tmp_path):
    photos = tmp_path / "photos"
    (photos / "lost+found").mkdir(parents=True)
    (photos / "lost+found").chmod(0)
    arguments = (photos, "--state", tmp_path / "run", "--model", model.folder)
    stack = start_stack(*arguments, "--port", free_port())
    stack.wait_until_ready()
    (photos / "a.jpg").write_bytes(model.picture)
    wait_for(lambda: stack.counts() == (1, 0), "the upload is found")
    (photos / "lost+found").chmod(0o700)
    assert stack.end() == 0


def test_kill_9_ends_all_that_was_started(start_demo, tmp_path):
    stack = start_demo(tmp_path / "run", 2)
    family = stack.family()
    assert len(family) >= 5
    stack.end(signal.SIGKILL)
    wait_for(lambda: not any(map(is_running, family)), "the end of all processes")


def test_a_second_run_of_the_same_photos_says_so(start_demo, model, tmp_path):
    stack = start_demo(tmp_path / "run", 2)
    again = [sys.executable, "-m", "cli", "run", "--state", str(tmp_path / "run")]
    again += ["--model", str(model.folder), "--count", "2", "--port", str(free_port())]
    done = subprocess.run(again, cwd=ROOT, capture_output=True, text=True, timeout=PATIENCE)
    assert done.returncode == 2
    assert done.stderr.startswith("clipsearch: clipsearch run is already running for ")
    assert stack.counts() == (2, 0)
    stack.end()


def test_a_function_that_dies_ends_everything(start_demo, tmp_path):
    stack = start_demo(tmp_path / "run", 2)
    family = stack.family()
    [search] = [pid for pid in family if "--target search" in command(pid)][:1]
    os.kill(search, signal.SIGKILL)
    assert stack.process.wait(PATIENCE) == 1
    assert [pid for pid in family if is_running(pid)] == []
    assert "clipsearch: search stopped with exit code" in stack.output()
    assert "search.log" in stack.output()
    assert "Traceback" not in stack.output()


def command(pid):
    ps = ["ps", "-ww", "-o", "args=", "-p", str(pid)]
    return subprocess.run(ps, capture_output=True, text=True).stdout
