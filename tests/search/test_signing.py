"""Private thumbnails: addresses that are signed without a key file, and not for each answer."""

import importlib
import re
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from google.auth.credentials import AnonymousCredentials

from clipsearch.images.previews import preview_name
from clipsearch.images.thumbnails import thumbnail_name
from clipsearch.index.format.facts import Facts
from clipsearch.index.reader.snapshot_reader import SnapshotReader
from tests.support.iam_double import IamDouble

ACCOUNT = "clipsearch-search@my-project.iam.gserviceaccount.com"
SIGNED = {
    "CLIPSEARCH_THUMBNAILS": "gs://my-thumbnails/some",
    "CLIPSEARCH_SIGN_AS": ACCOUNT,
}


@pytest.fixture
def iam(monkeypatch):
    double = IamDouble(ACCOUNT)
    monkeypatch.setattr("google.auth.iam._IAM_SIGN_ENDPOINT", double.endpoint)
    monkeypatch.setattr("google.auth.default", lambda scopes: (AnonymousCredentials(), None))
    yield double
    double.close()


def addresses(client, query="red"):
    answer = client.get("/", params={"q": query})
    assert answer.status_code == 200, answer.text
    return {result["name"]: result["thumbnail_url"] for result in answer.json()["results"]}


def test_cloud_storage_opens_the_addresses_for_a_while(gallery, client_of, iam):
    found = addresses(client_of(gallery, **SIGNED))
    assert len(found) == 4
    entries = SnapshotReader(gallery.index, gallery.space).refresh().entries
    generations = {entries.name(row): int(entries.generations[row]) for row in range(len(entries))}
    for name, address in found.items():
        assert address.startswith("https://storage.googleapis.com/my-thumbnails/some/")
        thumbnail = thumbnail_name(name, generations[name], 1)
        assert iam.opens(address) == f"my-thumbnails/some/{thumbnail}"
        assert iam.opens(address, datetime.now(UTC) + timedelta(minutes=59))
        assert iam.opens(address, datetime.now(UTC) + timedelta(minutes=61)) is None
        assert iam.opens(address.replace(thumbnail, thumbnail[::-1])) is None


def test_previews_are_signed_too(gallery, client_of, iam):
    gallery.add_with_facts({"a.heic": Facts("HEIC", thumbnail=2, preview=True)}, generation=7)
    answer = client_of(gallery, **SIGNED).get("/", params={"q": "red"}).json()
    [found] = [result for result in answer["results"] if result["name"] == "a.heic"]
    preview, thumbnail = preview_name("a.heic", 7), thumbnail_name("a.heic", 7, 2)
    assert iam.opens(found["preview_url"]) == f"my-thumbnails/some/{preview}"
    assert iam.opens(found["thumbnail_url"]) == f"my-thumbnails/some/{thumbnail}"
    assert iam.requests == 6


def test_an_address_is_signed_once_in_half_its_life(gallery, client_of, iam, monkeypatch):
    client = client_of(gallery, **SIGNED)
    first = addresses(client)
    assert iam.requests == 4
    assert addresses(client, "blue") == first
    assert iam.requests == 4
    signing = importlib.import_module("search.engine.signing")
    now = signing.time.monotonic()
    monkeypatch.setattr(signing.time, "monotonic", lambda: now + signing.LIFE_S / 2 + 1)
    assert addresses(client).keys() == first.keys()
    assert iam.requests == 8


def test_no_more_addresses_are_remembered_than_there_is_room_for(
    gallery, client_of, iam, monkeypatch
):
    client = client_of(gallery, **SIGNED)
    monkeypatch.setattr("search.engine.signing.REMEMBERED", 2)
    addresses(client)
    addresses(client)
    assert iam.requests in (6, 8)  # 4 and what was forgotten


def test_what_passes_is_tried_again(gallery, client_of, iam):
    iam.faults.extend([503, 429])
    assert len(addresses(client_of(gallery, **SIGNED))) == 4
    assert iam.requests == 6


def test_trouble_with_signing_is_a_503_that_keeps_its_cause_to_the_log(
    gallery, client_of, iam, caplog
):
    iam.faults.extend([403] * 4)
    answer = client_of(gallery, **SIGNED).get("/", params={"q": "red"})
    assert answer.status_code == 503
    assert ACCOUNT not in answer.text
    assert re.search(f"cannot sign URLs as {ACCOUNT}: .*403", caplog.text)


def test_what_does_not_pass_is_a_503_after_a_few_attempts(gallery, client_of, iam, caplog):
    signing = importlib.import_module("search.engine.signing")
    iam.faults.extend([503] * 1000)
    answer = client_of(gallery, **SIGNED).get("/", params={"q": "red"})
    assert answer.status_code == 503
    assert re.search(f"cannot sign URLs as {ACCOUNT}: .*503", caplog.text)
    assert iam.requests <= 4 * (1 + signing.TRIED_AGAIN)


def test_an_answer_without_a_signature_is_a_503(gallery, client_of, iam, caplog):
    iam.faults.extend([200] * 4)
    assert client_of(gallery, **SIGNED).get("/", params={"q": "red"}).status_code == 503
    assert f"cannot sign URLs as {ACCOUNT}: the answer of IAM has no signature" in caplog.text


def test_a_service_that_is_not_there_is_a_503(gallery, client_of, iam, monkeypatch, caplog):
    monkeypatch.setattr("google.auth.iam._IAM_SIGN_ENDPOINT", "http://127.0.0.1:1/{}")
    assert client_of(gallery, **SIGNED).get("/", params={"q": "red"}).status_code == 503
    assert f"cannot sign URLs as {ACCOUNT}: " in caplog.text


def test_public_thumbnails_are_not_signed(gallery, client_of, iam):
    found = addresses(client_of(gallery))
    assert all(a.startswith("http://127.0.0.1:8080/thumbnails/") for a in found.values())
    assert iam.requests == 0


def test_no_credentials_to_sign_with_are_a_503(gallery, client_of, tmp_path, monkeypatch, caplog):
    monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", str(tmp_path / "missing.json"))
    answer = client_of(gallery, **SIGNED).get("/", params={"q": "red"})
    assert answer.status_code == 503
    assert answer.headers["retry-after"]
    assert f"cannot sign URLs as {ACCOUNT}: " in caplog.text


def test_signing_gives_up_before_the_time_of_search_is_over():
    signing = importlib.import_module("search.engine.signing")
    terraform = (Path(__file__).parents[2] / "terraform" / "search.tf").read_text()
    [seconds] = re.findall(r"timeout_seconds += (\d+)", terraform)
    assert (1 + signing.TRIED_AGAIN) * sum(signing.TIMEOUT_S) < int(seconds)
