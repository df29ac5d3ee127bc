"""Plausible mistakes: one line that says what to do, and the right exit code."""

import socket

import pytest

from cli.main import main


@pytest.fixture
def places(tmp_path):
    """Names that the commands below use: folders, a file, a port in use."""
    (tmp_path / "empty").mkdir()
    (tmp_path / "photo.jpg").write_bytes(b"")
    with socket.socket() as used:
        used.bind(("127.0.0.1", 0))
        used.listen()
        port = used.getsockname()[1]
        yield {"TMP": str(tmp_path), "PORT": str(port)}


@pytest.mark.parametrize(
    ("typed", "code", "begin", "end"),
    [
        ("run --prot 80", 2, "no such option '--prot'; did you mean ", "--port?"),
        ("serach cats", 2, "there is no command 'serach'", "did you mean 'search'?"),
        ("run TMP/photo.jpg", 2, "TMP/photo.jpg is a file", "give the folder of the photos"),
        ("run TMP/none", 2, "the photos folder TMP/none does not exist", "check the path"),
        ("run gs://photos", 2, "gs://photos is a bucket, and run takes", "(docs/deploy.md)"),
        ("run --port http", 2, "--port is 'http'; it must be", "number from 1 to 65,533"),
        (
            *("run TMP/empty --state TMP/run --port PORT", 2, "port PORT (page) cannot be used"),
            "choose another with --port",
        ),
        (
            *("run TMP/empty --state TMP/photo.jpg/run", 2, "TMP/photo.jpg/run/empty-"),
            "choose another folder with --state",
        ),
        ("search cats -n 500", 2, "-n is '500'; it must be", "number from 1 to 100"),
        (
            *("search cats --url http://127.0.0.1:9", 1, "no search answers at http://127.0.0.1:9"),
            "start one with clipsearch run, or give the URL of another",
        ),
        ("status localhost:8081", 2, "'localhost:8081' is not a URL", "http:// or https://"),
        ("upload TMP/empty photos", 2, "'photos' is not a bucket", "or file:///FOLDER"),
        ("upload ~nosuch/x gs://photos", 2, "the photos folder", "check the path"),
        ("evaluate --captions TMP/no.json", 2, "the captions TMP/no.json do not", "check the path"),
        ("reconcile --photos gs://photos", 2, "CLIPSEARCH_INDEX is not set", "FOLDER"),
    ],
)
def test_a_mistake_is_one_line_that_says_what_to_do(
    places, monkeypatch, capsys, typed, code, begin, end
):
    monkeypatch.delenv("CLIPSEARCH_INDEX", raising=False)
    for name, value in places.items():
        typed, begin = typed.replace(name, value), begin.replace(name, value)
    assert main(typed.split(" ")) == code
    out, err = capsys.readouterr()
    assert (out, err.count("\n")) == ("", 1)
    assert err.startswith(f"clipsearch: {begin}")
    assert err.endswith(f"{end}\n")
    assert "Errno" not in err


def test_a_search_may_look_like_no_path_at_all(capsys):
    for words in ("x" * 5000, "~nosuch cats"):
        assert main(["search", words, "--url", "http://127.0.0.1:9"]) == 1
        assert "no search answers" in capsys.readouterr().err


def test_an_empty_folder_has_nothing_to_upload(places, capsys):
    root = places["TMP"]
    assert main(["upload", f"{root}/empty", f"file://{root}/to"]) == 0
    assert "there is nothing to upload: the folder has no files" in capsys.readouterr().out
