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
        (["search"], "missing argument 'QUERY'; see clipsearch search --help"),
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
        {"name": "two\x1b.jpg", "similarity": 27.04, "url": "http://here/photos/two%1B.jpg"},
        {"name": "b c.jpg", "similarity": 9.5, "url": "http://here/photos/b%20c.jpg"},
        {"name": "d.jpg", "similarity": None, "score": 1.234567, "url": "http://here/d.jpg"},
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
