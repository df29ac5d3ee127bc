"""The table of models: in step with the exporter, the benchmark, the command and the page."""

import json
import re

import pytest

from cli.main import main
from model_export import ROOT, table
from model_export.checkpoint import FAMILIES
from model_export.config import parse_config
from model_export.facts import FACTS, RECOMMENDED, SOURCES
from model_export.known import DEFAULT_MODEL, KNOWN

PAGE = (ROOT / "docs" / "models.md").read_text()
SMALL = 768  # the width of the image towers ViT-B
NAMES = {
    "clip": {"CLIP", "OpenCLIP"},
    "metaclip_2": {"MetaCLIP 2"},
    "siglip": {"SigLIP", "SigLIP 2"},
    "chinese_clip": {"Chinese-CLIP"},
    "altclip": {"AltCLIP"},
}


@pytest.fixture(scope="module")
def models():
    return {one["id"]: one for one in table.models()}


def config_of(model):
    return parse_config(FACTS[model].config)


def test_each_known_checkpoint_has_facts_and_no_other():
    assert list(FACTS) == list(KNOWN)


def test_each_family_of_the_exporter_is_there_and_no_other():
    assert set(NAMES) == set(FAMILIES)
    families = {family: set() for family in FAMILIES}
    for model, known in KNOWN.items():
        families[config_of(model).family].add(known.family)
    assert families == NAMES


@pytest.mark.parametrize(
    ("model", "published"),
    [
        # OpenCLIP's docs/openclip_retrieval_results.csv
        ("openai/clip-vit-base-patch32", "151.28 M"),
        ("openai/clip-vit-base-patch16", "149.62 M"),
        ("openai/clip-vit-large-patch14", "427.62 M"),
        ("openai/clip-vit-large-patch14-336", "427.94 M"),
        ("google/siglip-base-patch16-224", "203.16 M"),
        ("google/siglip-base-patch16-256-multilingual", "370.63 M"),
        # the README of Chinese-CLIP
        ("OFA-Sys/chinese-clip-vit-base-patch16", "188 M"),
    ],
)
def test_a_model_has_the_published_number_of_parameters(models, model, published):
    decimals = len(published.partition(".")[2].removesuffix(" M"))
    assert f"{models[model]['parameters'] / 1e6:.{decimals}f} M" == published


def test_a_download_has_four_bytes_for_each_parameter(models):
    assert models[DEFAULT_MODEL]["download_mb"] == 605
    assert models["BAAI/AltCLIP"]["download_mb"] == pytest.approx(3460, abs=5)  # 3.46 GB


def test_every_recall_has_a_source_that_the_page_names():
    for facts in FACTS.values():
        for recall in (facts.coco, facts.xm3600):
            assert recall is None or recall.source in SOURCES
    for url in SOURCES.values():
        assert f"({url})" in PAGE


def test_the_recommendations_are_true(models):
    small = [model for model in KNOWN if config_of(model).vision.width <= SMALL]

    def best(benchmark):
        published = [model for model in small if models[model][benchmark]]
        return max(published, key=lambda model: models[model][benchmark]["at_1"])

    for_functions, _ = RECOMMENDED["small functions"]
    assert models[for_functions]["parameters"] == models[DEFAULT_MODEL]["parameters"]
    assert models[for_functions]["coco"]["at_1"] > models[DEFAULT_MODEL]["coco"]["at_1"]
    assert RECOMMENDED["quality"][0] == best("coco")
    assert RECOMMENDED["other languages"][0] == best("xm3600")


def test_the_page_has_the_tables(models):
    found = list(models.values())
    assert f"\n\n{table.markdown(table.published_rows(found))}\n\n" in PAGE
    assert f"\n\n{table.markdown(table.measured_rows(found))}\n\n" in PAGE


def test_the_page_has_the_recommendations():
    rows = re.findall(r"^\| ([a-z ]+) \| `([\w./-]+)` \| (.+) \|$", PAGE, re.MULTILINE)
    assert rows == [(use, model, why) for use, (model, why) in RECOMMENDED.items()]


def test_the_page_says_on_what_it_was_measured():
    measured = table.measurements()
    machine, page = measured["machine"], " ".join(PAGE.split())
    assert f" {machine['cpus']} processors, ONNX Runtime {machine['onnxruntime']} " in page
    assert f" {measured['rounds']} turns each." in page
    assert f"Other processes had {measured['other_processes']:.0%} of the processors" in page


def test_what_was_measured_is_known():
    for model, figures in table.measurements()["models"].items():
        assert model in KNOWN
        assert list(figures) == list(table.MEASURED_UNITS)
        assert all(value > 0 for value in figures.values())


def test_the_command_prints_the_tables_and_the_recommendations(capsys, models):
    assert main(["models"]) == 0
    lines = capsys.readouterr().out.splitlines()
    for one in models.values():
        cells = [line.split()[1:] for line in lines if line.startswith(f"{one['id']} ")]
        assert len(cells) == 3
        family, figures, measured = (" ".join(line) for line in cells)
        assert family == f"{one['family']} {one['languages']} {one['licence']}"
        assert figures.startswith(f"{one['dimension']} {one['image_size']} ")
        assert (one["measured"] is None) == (set(measured) <= {table.NOTHING, " "})
    for line in table.recommendations():
        assert f"  {line}" in lines


def test_the_command_prints_json(capsys, models):
    assert main(["models", "--json"]) == 0
    out = json.loads(capsys.readouterr().out)
    assert out["models"] == list(models.values())
    assert out["recommended"] == {use: model for use, (model, _) in RECOMMENDED.items()}
    assert out["sources"] == SOURCES
