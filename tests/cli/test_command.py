"""The command `clipsearch` as a person has it: help, mistakes, exit codes."""

import json
import socket
from pathlib import Path

import pytest
from click.testing import CliRunner

from cli.main import COMMANDS, clipsearch, main
from tests.support.pictures import jpeg


@pytest.fixture
def said(capsys):
    """Run the command; returns its exit code and what it wrote to both streams."""

    def run(*arguments):
        code = main([str(argument) for argument in arguments])
        return code, *capsys.readouterr()

    return run


@pytest.mark.parametrize("name", COMMANDS)
def test_each_command_has_help_with_an_example(said, name):
    code, out, err = said(name, "--help")
    assert (code, err) == (0, "")
    assert f"Usage: clipsearch {name} " in out
    assert f"Example: clipsearch {name}" in out


@pytest.mark.parametrize("name", COMMANDS)
def test_the_docs_have_the_help(name):
    asked = CliRunner().invoke(
        clipsearch, [name, "--help"], prog_name="clipsearch", terminal_width=80
    )
    document = (Path(__file__).parents[2] / "docs" / "cli.md").read_text()
    assert f"## {name}\n\n```text\n{asked.output.rstrip()}\n```\n" in document


def test_the_help_lists_all_commands(said):
    code, out, _ = said("--help")
    assert code == 0
    for name in COMMANDS:
        assert f"  {name} " in out


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (["serach", "x"], "there is no command 'serach'; did you mean 'search'?"),
        (["frobnicate"], "there is no command 'frobnicate'; see clipsearch --help"),
        (["search", "--sort", "best"], "invalid value for '--sort': 'best' is not one of"),
        (["search", "--format", "jpg"], "invalid value for '--format': 'jpg' is not one of 'jpeg'"),
        (["search", "x", "-n", "0"], "-n is '0'; it must be a whole number from 1 to 100"),
        (["search", "x", "--ulr", "y"], "no such option '--ulr'"),
        (["search", "x", "--url", "localhost:8081"], "'localhost:8081' is not a URL;"),
        (["run", "gs://photos"], "gs://photos is a bucket, and run takes a folder;"),
        (["run", "/none/such"], "the photos folder /none/such does not exist"),
        (["run", ".", "--count", "5"], "--count is for the demo pictures"),
        (["run", "--model", "a b c"], "'a b c' is no folder, and no id of the Hugging Face hub"),
        (["upload", "."], "missing argument 'BUCKET'; see clipsearch upload --help"),
    ],
)
def test_a_mistake_is_one_line_that_says_what_to_do(said, arguments, line):
    code, out, err = said(*arguments)
    assert (code, out) == (2, "")
    assert err.startswith(f"clipsearch: {line}")
    assert err.count("\n") == 1


def test_nobody_listens_is_one_line(said):
    with socket.socket() as bound:  # and does not listen
        bound.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{bound.getsockname()[1]}"
        code, out, err = said("status", url)
    assert (code, out) == (1, "")
    assert err.startswith(
        f"clipsearch: no search answers at {url} (Connection refused); start one "
    )
    assert err.endswith("or give the URL of another\n")


@pytest.fixture
def search(monkeypatch):
    """In place of a running search: what was asked, and its answer."""
    asked = []
    results = [
        {"name": "two\x1b.jpg", "score": 0.2704, "similarity": 27.04},
        {"name": "b c.jpg", "score": 0.095, "similarity": 9.5},
        {"name": "d.jpg", "score": 1.234567, "similarity": None},
    ]

    def ask(url, path, parameters=(), body=b"", kind=""):
        asked.append((url, path, parameters, body, kind))
        return {"results": results}

    monkeypatch.setattr("cli.search.ask", ask)
    return asked


def test_search_by_words(said, search):
    code, out, _ = said("search", "two cats", "-n", "2")
    assert code == 0
    assert out == " 27.0  two\\u001b.jpg\n  9.5  b c.jpg\n 1.23  d.jpg\n"
    parameters = [("q", "two cats"), ("limit", "2")]
    assert search == [("http://127.0.0.1:8081", "", parameters, b"", "")]


def test_search_by_several_terms(said, search):
    options = ("--not", "night", "--and", "snow", "--like", "a b.jpg", "--and", "ice")
    assert said("search", "two cats", *options)[0] == 0
    [(_, _, parameters, _, _)] = search
    texts = [("q", "two cats"), ("q", "snow"), ("q", "ice"), ("not", "night")]
    assert parameters == [*texts, ("like", "a b.jpg"), ("limit", "10")]


def test_search_with_filters(said, search):
    filters = {
        "folder": "2023/Italy",
        "name": "beach",
        "after": "2023-07",
        "before": "2023-08-01T12:00+02:00",
        "near": "-33.9,151.2,10",
        "orientation": "portrait",
        "min_megapixels": "8",
    }
    options = [part for n, v in filters.items() for part in (f"--{n.replace('_', '-')}", v)]
    formats = ("--format", "jpeg", "--format", "heic", "--sort", "oldest")
    assert said("search", "cats", *options, *formats)[0] == 0
    [(_, _, parameters, _, _)] = search
    assert parameters[0] == ("q", "cats")
    assert parameters[-2:] == [("sort", "oldest"), ("limit", "10")]
    given = [*filters.items(), ("format", "jpeg"), ("format", "heic")]
    assert sorted(parameters[1:-2]) == sorted(given)


@pytest.mark.parametrize("arguments", [(), ("--not", "night")], ids=str)
def test_search_without_words(said, search, arguments):
    assert said("search", *arguments)[0] == 0
    [(_, _, parameters, _, _)] = search
    assert [name for name, _ in parameters] == [*(["not"] if arguments else []), "limit"]


def test_a_list_is_printed_with_dates(said, monkeypatch):
    unscored = {"score": None, "similarity": None}
    results = [
        {"name": "a.jpg", "taken": "2023-07-14T18:03:22", "uploaded": None, **unscored},
        {"name": "b.jpg", "taken": None, "uploaded": "2023-07-13T18:03:22Z", **unscored},
        {"name": "c.jpg", "taken": None, "uploaded": None, **unscored},
    ]
    answer = {"results": results, "index": {"photos": 3}}
    monkeypatch.setattr("cli.search.ask", lambda *_: answer)
    assert said("search")[1] == "2023-07-14  a.jpg\n2023-07-13  b.jpg\n            c.jpg\n"
    results.clear()
    assert said("search", "--folder", "a")[1] == "No photo fits. Try other words or filters.\n"
    answer["index"]["photos"] = 0
    assert said("search")[1].startswith("No photos yet.")


def test_search_prints_paths_or_json(said, search):
    assert said("search", "cats", "--paths")[1] == "two\\u001b.jpg\nb c.jpg\nd.jpg\n"
    assert json.loads(said("search", "cats", "--json")[1])["results"][1]["name"] == "b c.jpg"


def test_search_by_a_picture(said, search, tmp_path):
    picture = tmp_path / "a.jpg"
    picture.write_bytes(jpeg())
    assert said("search", picture, "-n", "3", "--not", "night")[0] == 0
    [(_, _, parameters, body, kind)] = search
    assert parameters == [("not", "night"), ("limit", "3")]
    assert kind.startswith("multipart/form-data; boundary=")
    assert jpeg() in body
