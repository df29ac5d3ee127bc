"""`clipsearch run` over an index of the version before: larger thumbnails, and previews."""

import io
import json

import httpx
import pillow_heif
from PIL import Image

from cli.run.options import options_of
from clipsearch.storage import open_bucket
from tests.support.dated import dated_jpeg
from tests.support.old_index import shrink_thumbnails
from tests.support.pictures import encoded
from tests.support.ports import free_port
from tests.support.waiting import wait_for

pillow_heif.register_heif_opener()  # for writing


def test_an_index_of_the_version_before_gets_larger_thumbnails_and_previews(
    start_stack, model, tmp_path, monkeypatch
):
    photos, state = tmp_path / "photos", tmp_path / "run"
    photos.mkdir()
    (photos / "a.jpg").write_bytes(dated_jpeg(size=(1200, 900)))
    (photos / "b.heic").write_bytes(encoded(Image.new("RGB", (2000, 1000), "teal"), "HEIF"))
    arguments = (photos, "--state", state, "--model", model.folder, "--no-browser")
    own = options_of(str(photos), state=state).state
    index, thumbnails = (open_bucket((own / n).as_uri()) for n in ("index", "thumbnails"))
    space = json.loads((model.folder / "model.json").read_text())["space"]

    def results(stack):
        answer = httpx.get(stack.search, params={"sort": "oldest"}, timeout=60)
        return {it["name"]: it for it in answer.json().get("results", [])}

    def size(address):
        return Image.open(
            io.BytesIO(httpx.get(address, timeout=60).raise_for_status().content)
        ).size

    monkeypatch.setenv("CLIPSEARCH_PREVIEWS", "0")
    stack = start_stack(*arguments, "--port", free_port())
    stack.wait_until_ready()
    wait_for(lambda: len(results(stack)) == 2, "both photos are indexed")
    assert {it["preview_url"] for it in results(stack).values()} == {None}
    assert stack.end() == 0
    shrink_thumbnails(index, thumbnails, space)

    monkeypatch.delenv("CLIPSEARCH_PREVIEWS")
    stack = start_stack(*arguments, "--port", free_port())
    stack.wait_until_ready()
    wait_for(
        lambda: (it := results(stack).get("b.heic")) and it["preview_url"],
        "the preview is there",
    )
    wait_for(
        lambda: size(results(stack)["a.jpg"]["thumbnail_url"]) == (480, 360),
        "the thumbnail is larger",
    )
    found = results(stack)
    assert size(found["b.heic"]["preview_url"]) == (1600, 800)
    assert found["a.jpg"]["preview_url"] is None
    kept = [stat.name for stat in thumbnails.list()]
    assert len(kept) == 5  # two of each version until nobody can name them, and a preview
    assert stack.end() == 0
