"""A client that openapi-python-client generates from the description asks the real function."""

import importlib
import io
import json
import subprocess
import sys

import pytest

from tests.support.pictures import png


@pytest.fixture(scope="module")
def generated(tmp_path_factory, server):
    """The package of the generated client."""
    import httpx

    folder = tmp_path_factory.mktemp("generated")
    description = folder / "openapi.json"
    description.write_bytes(httpx.get(f"{server}/openapi.json").content)
    config = folder / "config.json"
    config.write_text(json.dumps({"post_hooks": []}))  # it would format the code
    options = ["--meta", "none", "--config", config, "--fail-on-warning"]
    paths = ["--path", description, "--output-path", folder / "clipsearch_client"]
    made = subprocess.run(
        [sys.executable, "-m", "openapi_python_client", "generate", *paths, *options],
        capture_output=True,
        text=True,
    )
    assert made.returncode == 0, made.stdout + made.stderr
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(folder)
        yield importlib.import_module("clipsearch_client")
        for name in [n for n in sys.modules if n.split(".")[0] == "clipsearch_client"]:
            del sys.modules[name]


@pytest.fixture
def client(generated, server):
    with generated.Client(server, raise_on_unexpected_status=True) as client:
        yield client


def call(client, place, **options):
    """What the function of the module `place` returns: the parsed answer."""
    return importlib.import_module(f"clipsearch_client.api.{place}").sync(client=client, **options)


def picture(colour):
    from clipsearch_client.types import File

    return File(payload=io.BytesIO(png(colour)), file_name="picture.png", mime_type="image/png")


def names(answer):
    return [result.name for result in answer.results]


def test_it_searches_by_words_and_pages(client):
    first = call(client, "search.search_by_words_or_name", q=["blue"], limit=3)
    assert first.results[0].name == "blue.jpg"
    assert first.index.photos == 4
    rest = call(client, "search.search_by_words_or_name", q=["blue"], cursor=first.next_cursor)
    assert sorted(names(first) + names(rest)) == ["blue.jpg", "green.jpg", "red.jpg", "white.jpg"]
    assert rest.next_cursor is None


def test_it_searches_by_a_picture_with_fields_of_the_form(client):
    from clipsearch_client.models import Form

    answer = call(
        client, "search.search_by_picture", body=Form(image=picture("red"), q=["red"], limit=2)
    )
    assert names(answer)[0] == "red.jpg"
    assert len(answer.results) == 2


def test_it_searches_by_several_terms(client):
    from clipsearch_client.models import Form, Search, Term

    place, terms = "search.search_by_words_or_name", {"q": ["red", "white"], "not_": ["blue"]}
    by_address = call(client, place, **terms, weight="1,2,3")
    assert by_address.results[0].similarity is None
    by_form = call(client, "search.search_by_picture", body=Form(**terms, weight="1,2,3"))
    weights = {"red": 1, "white": 2, "blue": -3}
    search = Search(terms=[Term(text=text, weight=weight) for text, weight in weights.items()])
    by_json = call(client, "search.search_by_terms", body=search)
    assert by_address.results == by_form.results == by_json.results


def test_it_classifies_one_picture_and_several(client):
    from clipsearch_client.models import Classification, Classifications, ClassifyForm

    labels = ["red", "blue"]
    one = call(client, "model.classify", body=ClassifyForm(image=[picture("red")], label=labels))
    assert isinstance(one, Classification)
    assert one.labels[0].label == "red"
    two = call(
        client,
        "model.classify",
        body=ClassifyForm(image=[picture("red"), picture("blue")], label=labels),
    )
    assert isinstance(two, Classifications)
    assert [image.labels[0].label for image in two.images] == labels


def test_it_embeds_and_sees_what_was_cut(client):
    from clipsearch_client.models import EmbedForm
    from clipsearch_client.types import UNSET

    short = call(client, "model.embed_words", q="blue")
    long = call(client, "model.embed_words", q="blue " * 50)
    assert (short.truncated, long.truncated) == (UNSET, True)
    embedded = call(client, "model.embed_picture", body=EmbedForm(image=picture("blue")))
    assert len(embedded.embedding) == embedded.dim == short.dim
    again = call(client, "search.search_by_words_or_name", picture=[embedded.picture])
    assert names(again)[0] == "blue.jpg"


def test_it_reads_the_state(client):
    status = call(client, "state.status")
    assert status.photos.indexed == 4
    assert call(client, "state.health").status == "ok"


def test_it_reads_problems(client):
    from clipsearch_client.models import Problem

    problem = call(client, "search.search_by_words_or_name", q=["red"], limit=1000)
    assert isinstance(problem, Problem)
    assert problem.status == 400
    assert "limit must be" in problem.detail
