"""Weights from the hub: whole, once, after a break, and never others than expected."""

import hashlib
import json
import shutil
from types import SimpleNamespace

import pytest

from model_export import download, progress
from model_export.errors import HubError
from tests.hub.conftest import MODEL, SIZE
from tests.support.hub_double import COMMIT

WEIGHTS = "model.safetensors"


def test_what_the_export_reads_is_downloaded_once_and_nothing_else(hub, publish, get):
    published = publish(WEIGHTS, "pytorch_model.bin", "tf_model.h5", "open_clip_model.safetensors")
    fetched = get()
    assert fetched.revision == COMMIT
    assert {file.name for file in fetched.folder.iterdir()} == {
        *("config.json", "preprocessor_config.json", "tokenizer.json", WEIGHTS),
    }
    assert (fetched.folder / WEIGHTS).read_bytes() == (published / WEIGHTS).read_bytes()
    assert hub.sent == [(WEIGHTS, 0, SIZE)]
    assert get() == fetched
    assert hub.sent == [(WEIGHTS, 0, SIZE)]


def test_a_break_is_gone_on_from_within_the_same_run(hub, publish, get):
    published = publish(WEIGHTS)
    hub.cuts = [200_000, 0, 100_000]
    fetched = get()
    assert (fetched.folder / WEIGHTS).read_bytes() == (published / WEIGHTS).read_bytes()
    assert [(start, count) for _, start, count in hub.sent] == [
        *[(0, 200_000), (200_000, 0), (200_000, 100_000), (300_000, 300_000)]
    ]


def test_the_next_run_asks_only_for_the_rest(hub, publish, get, left):
    published = publish(WEIGHTS)
    hub.cuts = [200_000] + [0] * download.TRIES
    with pytest.raises(HubError) as error:
        get()
    assert str(error.value).startswith(
        f"the download of {WEIGHTS} of {MODEL} broke off at 0 of 1 MB, "
    )
    assert "the same command goes on from there" in str(error.value)
    [part] = left()
    assert part.endswith(".incomplete")

    hub.sent.clear()
    fetched = get()
    assert hub.sent == [(WEIGHTS, 200_000, SIZE - 200_000)]
    assert (fetched.folder / WEIGHTS).read_bytes() == (published / WEIGHTS).read_bytes()
    assert not [name for name in left() if name.endswith(".incomplete")]


def test_a_hub_without_ranges_begins_anew(hub, publish, get):
    published = publish(WEIGHTS)
    hub.has_ranges = False
    hub.cuts = [200_000]
    fetched = get()
    assert (fetched.folder / WEIGHTS).read_bytes() == (published / WEIGHTS).read_bytes()
    assert hub.sent == [(WEIGHTS, 0, 200_000), (WEIGHTS, 0, SIZE)]


def test_other_bytes_than_the_hubs_digest_are_refused_and_nothing_is_kept(hub, publish, get, left):
    published = publish(WEIGHTS)
    hub.lies = {WEIGHTS}
    with pytest.raises(HubError) as error:
        get()
    digests = [hashlib.sha256(data).hexdigest() for data in (bytes(SIZE), _bytes(published))]
    assert str(error.value) == (
        f"{WEIGHTS} of {MODEL} has the SHA-256 {digests[0]}, and {digests[1]} is expected: nothing "
        f"of it was kept; try again, or look at what {hub.url} serves"
    )
    assert left() == []
    hub.lies = set()
    assert _bytes(get().folder) == _bytes(published)


def _bytes(folder):
    return (folder / WEIGHTS).read_bytes()


@pytest.mark.parametrize("etag", ["", "../../elsewhere", ".."])
def test_an_etag_that_is_no_name_of_a_file_is_refused(hub, publish, get, tmp_path, etag):
    publish(WEIGHTS)
    hub.etag = etag
    with pytest.raises(HubError, match="which is no ETag"):
        get()
    assert hub.sent == []
    assert not list(tmp_path.rglob("elsewhere*"))


def test_a_pinned_digest_counts_more_than_the_hubs(hub, publish, get, pin, left):
    publish(WEIGHTS)
    pin(COMMIT, model="ab" * 32)
    with pytest.raises(HubError, match=f"and {'ab' * 32} is expected"):
        get()
    assert left() == []


def test_the_pinned_revision_is_asked_for_and_needs_no_network_again(hub, publish, get, pin, lines):
    published = publish(WEIGHTS)
    pin(COMMIT, model=hashlib.sha256(_bytes(published)).hexdigest())
    fetched = get()
    assert ("GET", f"/api/models/{MODEL}/revision/{COMMIT}") in hub.requests
    hub.requests.clear()
    lines.clear()
    assert get() == fetched
    assert hub.requests == []
    assert lines == [f"{MODEL} is in the cache (revision {COMMIT[:12]})"]


def test_a_mirror_without_the_pinned_revision_is_named(hub, publish, get, pin):
    publish(WEIGHTS)
    pin("f" * 40)
    with pytest.raises(HubError, match=f"{hub.url} has no revision {'f' * 40} of {MODEL}"):
        get()


@pytest.mark.parametrize("is_pinned", [False, True])
def test_damage_in_the_cache_is_found(hub, publish, get, pin, is_pinned):
    published = publish(WEIGHTS)
    if is_pinned:
        pin(COMMIT, model=hashlib.sha256(_bytes(published)).hexdigest())
    blob = (get().folder / WEIGHTS).resolve()
    blob.write_bytes(bytes(SIZE))
    with pytest.raises(HubError) as error:
        get()
    assert "in the cache" in str(error.value)
    assert str(error.value).endswith(f"delete {blob} and try again")
    blob.unlink()
    assert _bytes(get().folder) == _bytes(published)


def test_what_another_revision_had_is_used_again_and_checked(hub, publish, get):
    publish(WEIGHTS)
    weights = get().folder / WEIGHTS
    weights.unlink()
    assert (get().folder / WEIGHTS).stat().st_size == SIZE
    assert hub.sent == [(WEIGHTS, 0, SIZE)]
    weights.resolve().write_bytes(bytes(SIZE))
    weights.unlink()
    with pytest.raises(HubError, match="in the cache"):
        get()


def test_a_mirror_that_gives_no_digest_is_said(hub, publish, get, lines):
    published = publish(WEIGHTS)
    hub.has_digests = False
    assert _bytes(get().folder) == _bytes(published)
    assert lines[-1] == (
        f"{hub.url} gives no SHA-256 of {WEIGHTS} of {MODEL}: only its size was checked"
    )


def test_weights_in_several_files_are_all_downloaded(hub, publish, get):
    shards = ["model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors"]
    index = {"weight_map": dict(zip("abc", [*shards, shards[0]], strict=True))}
    publish(*shards, **{"model.safetensors.index.json": json.dumps(index)})
    hub.cuts = [100_000]
    folder = get().folder
    assert all((folder / name).stat().st_size == SIZE for name in shards)
    assert hub.sent == [
        (shards[0], 0, 100_000),
        (shards[0], 100_000, SIZE - 100_000),
        (shards[1], 0, SIZE),
    ]


def test_an_index_that_leads_out_of_its_folder_is_refused(publish, get):
    index = {"weight_map": {"a": "../../secret.safetensors"}}
    publish(**{"model.safetensors.index.json": json.dumps(index)})
    with pytest.raises(HubError, match="names files outside of its folder"):
        get()


def test_a_full_disk_is_said_before_the_download(hub, publish, get, monkeypatch):
    publish(WEIGHTS)
    monkeypatch.setattr(shutil, "disk_usage", lambda path: SimpleNamespace(free=100))
    with pytest.raises(HubError, match=r"needs 1 MB, and .* has 0 MB left; .* HF_HOME"):
        get()
    assert hub.sent == []


def test_lines_say_how_far_it_is_where_there_is_no_terminal(hub, publish, get, lines, monkeypatch):
    monkeypatch.setattr(progress, "LINE_EVERY", 0.0)
    publish(WEIGHTS)
    hub.pause = 0.001
    get()
    assert lines[0] == f"downloading {MODEL} ({WEIGHTS}, revision {COMMIT[:12]})"
    assert len(lines) > 2
    assert lines[-1].startswith("1 of 1 MB, ")
    assert " MB/s, 00:00 left" in lines[-1]
