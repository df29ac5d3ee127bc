"""docs/api.md says what the function answers: its examples are asked and compared."""

import json
import re
import shutil
from pathlib import Path

import numpy as np
import pytest

from cli.demo_photos import draw_demo_photo, file_name
from search.http.params import EMBED_PARAMETERS, GET_PARAMETERS, LABEL, MAX_IMAGES
from search.main import ROUTES
from tests.search.conftest import ROOT, Gallery, classify

DOCUMENT = (ROOT / "docs" / "api.md").read_text()
README = (ROOT / "README.md").read_text()
BUNDLE = ROOT / "model_export" / "demo" / "bundle"
PICTURES = {"mushrooms.jpg": 36, "stars.jpg": 3}  # numbers of the demo pictures
OTHERS = range(20)  # demo pictures that a documented answer must beat
LABELS = ["blue mushrooms", "green stars", "a red car"]
# vectors of 8-bit models may differ by 0.003, and the logit scale is 36
TOLERANCE = 0.25


def blocks(text):
    """The JSON examples in it."""
    return re.findall(r"```json\n(.*?)```", text, re.DOTALL)


def section(heading):
    """The text below the heading that begins so."""
    found = re.search(
        rf"^## {re.escape(heading)}.*?(?=^## |\Z)", DOCUMENT, re.MULTILINE | re.DOTALL
    )
    assert found, heading
    return found[0]


@pytest.fixture(scope="module")
def drawn(tmp_path_factory):
    folder = tmp_path_factory.mktemp("drawn")
    for name, number in PICTURES.items():
        draw_demo_photo(folder, number)
        (folder / file_name(number)).rename(folder / name)
    return folder


@pytest.fixture
def demo_client(tmp_path, client_of):
    gallery = Gallery(tmp_path, BUNDLE)
    gallery.publish()
    return client_of(gallery)


def assert_same_labels(answered, documented):
    assert {entry["label"] for entry in answered} == {entry["label"] for entry in documented}
    logits = {entry["label"]: entry["logit"] for entry in answered}
    for entry in documented:
        assert entry["logit"] == pytest.approx(logits[entry["label"]], abs=TOLERANCE)


def test_every_endpoint_has_a_heading_and_no_other_has():
    headings = re.findall(r"^## (`.*)$", DOCUMENT, re.MULTILINE)
    documented = re.findall(r"`(\w+) (/[\w.]*)`", " ".join(headings))
    assert sorted(documented) == sorted((m, path) for path, on in ROUTES.items() for m in on)


def test_parameters_are_in_the_tables():
    for heading, names in (
        ("`GET /`", GET_PARAMETERS),
        ("`POST /classify`", ("image", LABEL)),
        ("`GET /embed`", (*EMBED_PARAMETERS, "image")),
    ):
        assert re.findall(r"^\| `(\w+)` \|", section(heading), re.MULTILINE) == list(names)
    assert f"up to {MAX_IMAGES} pictures" in section("`POST /classify`")


@pytest.mark.parametrize("page", [DOCUMENT, README], ids=["api.md", "README.md"])
def test_the_example_of_a_search_is_its_answer(page, tmp_path, client_of):
    query = re.findall(r"^    curl '.*\?(q=.+&limit=1)'$", page, re.MULTILINE)[0]
    [example] = [block for block in blocks(page) if '"similarity"' in block]
    [(name, number)] = re.findall(r'"name": "([\w-]+-(\d+)\.jpg)"', example)
    [similarity] = re.findall(r'"similarity": ([\d.]+)', example)
    gallery = Gallery(tmp_path / "gallery", BUNDLE)
    gallery.publish()
    for one in {int(number), *OTHERS}:
        draw_demo_photo(tmp_path, one)
    gallery.add_all({file.name: file.read_bytes() for file in tmp_path.glob("*.jpg")})
    [result] = client_of(gallery).get(f"/?{query}").json()["results"]
    assert result["name"] == name
    # 8-bit vectors differ by 0.003, and similarity is 100 times a cosine
    assert result["similarity"] == pytest.approx(float(similarity), abs=0.5)


def test_the_examples_of_classify_are_its_answers(demo_client, drawn):
    one, several = map(json.loads, blocks(section("`POST /classify`")))
    pictures = [(drawn / name).read_bytes() for name in PICTURES]
    answer = classify(demo_client, pictures[0], *LABELS).json()
    assert list(answer) == list(one)
    assert_same_labels(answer["labels"], one["labels"])
    assert answer["model"] == one["model"]
    answer = classify(demo_client, pictures, *LABELS).json()
    assert list(answer) == list(several)
    for answered, documented in zip(answer["images"], several["images"], strict=True):
        assert_same_labels(answered["labels"], documented["labels"])


def test_the_example_of_the_status_has_the_keys_of_its_answer(demo_client):
    [text] = blocks(section("`GET /status`"))
    example = json.loads(text)
    answer = demo_client.get("/status").json()
    assert list(example) == list(answer)
    assert example["version"] == answer["version"]


def test_the_example_of_logits_runs_and_prints_what_it_says(drawn, tmp_path, monkeypatch, capsys):
    for name in PICTURES:
        shutil.copy(drawn / name, tmp_path)
    bundle = tmp_path / BUNDLE.relative_to(ROOT)
    bundle.parent.mkdir(parents=True)
    bundle.symlink_to(BUNDLE)
    monkeypatch.chdir(tmp_path)
    [code] = re.findall(r"```python\n(.*?)```", section("Logits"), re.DOTALL)
    names: dict[str, object] = {}
    exec(compile(code, str(Path("docs/api.md")), "exec"), names)

    def numbers(text):
        return [float(number) for number in re.findall(r"-?\d+\.\d*", text)]

    printed = numbers(capsys.readouterr().out)
    documented = numbers("\n".join(re.findall(r"^# .*$", code, re.MULTILINE)))
    assert len(documented) == 2 * len(PICTURES) * len(LABELS)
    np.testing.assert_allclose(printed, documented, atol=TOLERANCE)
