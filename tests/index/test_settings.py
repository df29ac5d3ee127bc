from __future__ import annotations

import pytest

from clipsearch.errors import SettingsError
from clipsearch.settings import SETTINGS, Settings

CLOUD = {
    "CLIPSEARCH_PHOTOS": "gs://my-photos",
    "CLIPSEARCH_INDEX": "gs://my-index/",
    "CLIPSEARCH_THUMBNAILS": "gs://my-site/some thumbnails",
}
LOCAL = {
    "CLIPSEARCH_PHOTOS": "file:///data/my%20photos/",
    "CLIPSEARCH_INDEX": "file:///data/index",
    "CLIPSEARCH_THUMBNAILS": "file:///data/thumbnails",
    "CLIPSEARCH_PHOTOS_URL": "http://127.0.0.1:8080/photos/",
    "CLIPSEARCH_THUMBNAILS_URL": "http://127.0.0.1:8080/thumbnails",
}


def test_in_the_cloud_addresses_follow_from_the_buckets() -> None:
    assert Settings.from_env({**CLOUD, "PATH": "/bin"}) == Settings(
        photos="gs://my-photos",
        index="gs://my-index",
        thumbnails="gs://my-site/some thumbnails",
        photos_url="https://storage.googleapis.com/my-photos",
        thumbnails_url="https://storage.googleapis.com/my-site/some%20thumbnails",
        model="current",
        allowed_origins=("*",),
    )


def test_addresses_may_be_relative_to_the_request() -> None:
    relative = {
        "CLIPSEARCH_PHOTOS_URL": "../photos/",
        "CLIPSEARCH_THUMBNAILS_URL": "../thumbnails",
        "CLIPSEARCH_SITE_URL": "..",
    }
    settings = Settings.from_env({**LOCAL, **relative})
    assert settings.photos_url == "../photos"
    assert settings.thumbnails_url == "../thumbnails"
    assert settings.site_url == ".."


def test_every_setting_can_be_set() -> None:
    more = {
        "CLIPSEARCH_MODEL": "0123456789ab",
        "CLIPSEARCH_MODEL_SHA256": f"{'0' * 64}, {'1' * 64}",
        "CLIPSEARCH_ALLOWED_ORIGINS": "https://example.org, http://localhost:8080",
        "CLIPSEARCH_SITE_URL": "https://storage.googleapis.com/my-site/",
        "CLIPSEARCH_SUGGESTIONS": '["a cat", "red, or blue"]',
        "CLIPSEARCH_FETCH_URLS": "1",
        "CLIPSEARCH_KEEP_PLACES": "1",
        "CLIPSEARCH_EMBED": "0",
        "CLIPSEARCH_CLASSIFY": "0",
        "CLIPSEARCH_LOG_SAMPLE": "0.25",
        "CLIPSEARCH_RATE_PER_MINUTE": "120",
        "CLIPSEARCH_PROXIES": "2",
        "CLIPSEARCH_PREVIEWS": "1",
        "CLIPSEARCH_ROWS": "auto",
        "CLIPSEARCH_ENGINE": "lance",
        "CLIPSEARCH_TOPIC": "projects/my-project/topics/maintenance",
        "CLIPSEARCH_DEAD_LETTERS": "projects/my-project/topics/dead-letters",
    }
    # Signing needs gs://, SITE replaces SITE_URL (next tests); telemetry.py reads the project.
    others = {"CLIPSEARCH_SIGN_AS", "CLIPSEARCH_SITE", "GOOGLE_CLOUD_PROJECT"}
    assert {*LOCAL, *more} | others == SETTINGS.keys()
    assert Settings.from_env({**LOCAL, **more}) == Settings(
        photos="file:///data/my%20photos",
        index="file:///data/index",
        thumbnails="file:///data/thumbnails",
        photos_url="http://127.0.0.1:8080/photos",
        thumbnails_url="http://127.0.0.1:8080/thumbnails",
        model="0123456789ab",
        model_sha256=("0" * 64, "1" * 64),
        allowed_origins=("https://example.org", "http://localhost:8080"),
        topic="projects/my-project/topics/maintenance",
        dead_letters="projects/my-project/topics/dead-letters",
        site_url="https://storage.googleapis.com/my-site",
        suggestions=("a cat", "red, or blue"),
        fetch_urls=True,
        keep_places=True,
        embed=False,
        classify=False,
        log_sample=0.25,
        rate_per_minute=120,
        proxies=2,
        previews=True,
        rows="auto",
        engine="lance",
    )


def test_an_empty_setting_is_its_default() -> None:
    names = (
        "EMBED",
        "CLASSIFY",
        "LOG_SAMPLE",
        "RATE_PER_MINUTE",
        "PROXIES",
        "FETCH_URLS",
        "ROWS",
        "ENGINE",
    )
    empty = {f"CLIPSEARCH_{name}": "" for name in names}
    assert Settings.from_env({**LOCAL, **empty}) == Settings.from_env(LOCAL)


def test_thumbnails_in_a_bucket_can_be_signed() -> None:
    signing = {
        **LOCAL,
        "CLIPSEARCH_THUMBNAILS": "gs://my-thumbnails",
        "CLIPSEARCH_SIGN_AS": "search@my-project.iam.gserviceaccount.com",
    }
    assert Settings.from_env(signing).sign_as == "search@my-project.iam.gserviceaccount.com"
    with pytest.raises(SettingsError, match="CLIPSEARCH_SIGN_AS"):
        Settings.from_env({**signing, "CLIPSEARCH_SIGN_AS": "search"})
    with pytest.raises(SettingsError, match="CLIPSEARCH_SIGN_AS"):
        Settings.from_env({**LOCAL, "CLIPSEARCH_SIGN_AS": signing["CLIPSEARCH_SIGN_AS"]})


def test_a_page_that_search_serves_is_at_a_relative_address() -> None:
    settings = Settings.from_env({**LOCAL, "CLIPSEARCH_SITE": "/app/site"})
    assert (settings.site, settings.site_url) == ("/app/site", "page")


@pytest.mark.parametrize("name", LOCAL)
def test_a_missing_setting_is_named(name: str) -> None:
    environ = {other: value for other, value in LOCAL.items() if other != name}
    with pytest.raises(SettingsError, match=f"^{name} is not set; it must be ") as caught:
        Settings.from_env(environ)
    assert (caught.value.name, caught.value.value) == (name, None)


@pytest.mark.parametrize(
    ("name", "value", "allowed"),
    [
        ("CLIPSEARCH_PHOTOS", "", "gs://BUCKET"),
        ("CLIPSEARCH_PHOTOS", "my-photos", "gs://BUCKET"),
        ("CLIPSEARCH_PHOTOS", "s3://my-photos", "gs://BUCKET"),
        ("CLIPSEARCH_PHOTOS", "gs://", "gs://BUCKET"),
        ("CLIPSEARCH_PHOTOS", "gs://My_Photos", "gs://BUCKET"),
        ("CLIPSEARCH_INDEX", "gs://my-index//x", "gs://BUCKET"),
        ("CLIPSEARCH_INDEX", "/data/index", "file:///ABSOLUTE"),
        ("CLIPSEARCH_INDEX", "file://data/index", "file:///ABSOLUTE"),
        ("CLIPSEARCH_INDEX", "file:index", "file:///ABSOLUTE"),
        ("CLIPSEARCH_INDEX", "file:///", "file:///ABSOLUTE"),
        ("CLIPSEARCH_INDEX", "file:///data/a#b", "file:///ABSOLUTE"),
        ("CLIPSEARCH_PHOTOS_URL", "ftp://host/photos", "http(s)://HOST"),
        ("CLIPSEARCH_PHOTOS_URL", "https://", "http(s)://HOST"),
        ("CLIPSEARCH_THUMBNAILS_URL", "https://host/?a=b", "http(s)://HOST"),
        ("CLIPSEARCH_THUMBNAILS_URL", "../?a=b", "..[/PATH]"),
        ("CLIPSEARCH_THUMBNAILS_URL", "/thumbnails", "..[/PATH]"),
        ("CLIPSEARCH_SITE_URL", "..site", "..[/PATH]"),
        ("CLIPSEARCH_MODEL", "", "'current' or a space"),
        ("CLIPSEARCH_SITE", "site", "absolute path"),
        ("CLIPSEARCH_SUGGESTIONS", "a cat", "a JSON list"),
        ("CLIPSEARCH_SUGGESTIONS", "[1]", "a JSON list"),
        ("CLIPSEARCH_MODEL_SHA256", "0" * 63, "64 hexadecimal digits"),
        ("CLIPSEARCH_MODEL_SHA256", "0" * 64 + ",", "64 hexadecimal digits"),
        ("CLIPSEARCH_MODEL", "newest", "'current' or a space"),
        ("CLIPSEARCH_MODEL", "0123456789AB", "'current' or a space"),
        ("CLIPSEARCH_ALLOWED_ORIGINS", "", "'*' or origins"),
        ("CLIPSEARCH_ALLOWED_ORIGINS", "example.org", "'*' or origins"),
        ("CLIPSEARCH_ALLOWED_ORIGINS", "https://example.org/", "'*' or origins"),
        ("CLIPSEARCH_ALLOWED_ORIGINS", "https://example.org,*", "'*' or origins"),
        ("CLIPSEARCH_FETCH_URLS", "yes", "1 (yes) or 0 (no)"),
        ("CLIPSEARCH_KEEP_PLACES", "true", "1 (yes) or 0 (no)"),
        ("CLIPSEARCH_EMBED", "off", "1 (yes) or 0 (no)"),
        ("CLIPSEARCH_CLASSIFY", "2", "1 (yes) or 0 (no)"),
        ("CLIPSEARCH_LOG_SAMPLE", "10%", "a number from 0 to 1"),
        ("CLIPSEARCH_LOG_SAMPLE", "1.5", "a number from 0 to 1"),
        ("CLIPSEARCH_LOG_SAMPLE", "-0.1", "a number from 0 to 1"),
        ("CLIPSEARCH_LOG_SAMPLE", "nan", "a number from 0 to 1"),
        ("CLIPSEARCH_RATE_PER_MINUTE", "1.5", "a whole number from 0 to 1,000,000"),
        ("CLIPSEARCH_RATE_PER_MINUTE", "1000001", "a whole number from 0 to 1,000,000"),
        ("CLIPSEARCH_PROXIES", "-1", "a whole number from 0 to 9"),
        ("CLIPSEARCH_PROXIES", "10", "a whole number from 0 to 9"),
        ("CLIPSEARCH_PREVIEWS", "yes", "1 (yes) or 0 (no)"),
        ("CLIPSEARCH_ROWS", "disk", "'memory' or 'bucket' or 'auto'"),
        ("CLIPSEARCH_TOPIC", "maintenance", "projects/PROJECT/topics/TOPIC"),
        ("CLIPSEARCH_DEAD_LETTERS", "letters", "projects/PROJECT/topics/TOPIC"),
        ("CLIPSEARCH_TOPIC", "projects/p/topics/t/x", "projects/PROJECT/topics/TOPIC"),
    ],
)
def test_an_invalid_setting_is_named_with_its_value_and_what_is_allowed(
    name: str, value: str, allowed: str
) -> None:
    with pytest.raises(SettingsError) as caught:
        Settings.from_env({**LOCAL, name: value})
    assert (caught.value.name, caught.value.value) == (name, value)
    assert allowed in caught.value.allowed
    assert str(caught.value).startswith(f"{name} is {value!r}; it must be ")


def test_an_unknown_setting_is_refused_and_the_known_ones_are_listed() -> None:
    with pytest.raises(SettingsError, match="CLIPSEARCH_PHOTO ") as caught:
        Settings.from_env({**LOCAL, "CLIPSEARCH_PHOTO": "gs://typing-mistake"})
    assert all(name in str(caught.value) for name in SETTINGS)


@pytest.mark.parametrize(
    ("photos", "other"),
    [
        ("gs://one-bucket", "gs://one-bucket"),
        ("gs://one-bucket/photos", "gs://one-bucket/index"),
        ("file:///data", "file:///data/index"),
        ("file:///data", "file:///data"),
        ("file:///data", "file:///elsewhere/../data/index"),
    ],
)
@pytest.mark.parametrize("name", ["CLIPSEARCH_INDEX", "CLIPSEARCH_THUMBNAILS"])
def test_nothing_may_be_written_where_the_photos_are_watched(
    photos: str, other: str, name: str
) -> None:
    apart = {**LOCAL, "CLIPSEARCH_INDEX": "file:///i", "CLIPSEARCH_THUMBNAILS": "file:///t"}
    with pytest.raises(SettingsError, match="outside of the photos") as caught:
        Settings.from_env({**apart, "CLIPSEARCH_PHOTOS": photos, name: other})
    assert caught.value.name == name


def test_photos_may_lie_below_the_other_folders() -> None:
    Settings.from_env({**LOCAL, "CLIPSEARCH_PHOTOS": "file:///data/index/photos"})
