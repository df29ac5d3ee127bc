"""The documents say what the code does: settings, endpoints, parameters, commands, paths."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from clipsearch.settings import SETTINGS
from search.engine.query import LIMIT_DEFAULT
from search.http.params import GET_PARAMETERS, LIMIT_MAX, POST_PARAMETERS
from search.main import ROUTES

ROOT = Path(__file__).resolve().parent.parent
README = (ROOT / "README.md").read_text()
CONTRIBUTING = (ROOT / "CONTRIBUTING.md").read_text()
MAKEFILE = (ROOT / "Makefile").read_text()
API = (ROOT / "docs" / "api.md").read_text()
# The layout says what these have in common.
UNNAMED = {("clipsearch", "images"), ("clipsearch", "storage")}
DOCUMENTS = {"README.md": README, "CONTRIBUTING.md": CONTRIBUTING, "docs/api.md": API}


def make_targets() -> set[str]:
    return set(re.findall(r"^([a-z][a-z-]*):.*##", MAKEFILE, re.MULTILINE))


def test_the_readme_lists_the_settings_and_no_others() -> None:
    rows = re.findall(r"^\| `([A-Z_]+)` \|.*\|([^|]*)\|$", README, re.MULTILINE)
    assert [name for name, _ in rows] == [*SETTINGS]
    for name, default in rows:
        if SETTINGS[name]:
            assert default.strip() == f"`{SETTINGS[name]}`", name


def test_the_readme_lists_the_endpoints_and_no_others() -> None:
    documented = {
        (method, path)
        for method, path in re.findall(r"^\| `(GET|POST) (/[\w.]*)", README, re.MULTILINE)
    }
    assert documented == {
        (method, path) for path, handlers in ROUTES.items() for method in handlers
    }


def test_the_readme_names_every_parameter_and_its_bounds() -> None:
    api = README[README.index("## The API") : README.index("## Deploy")]
    for name in {*GET_PARAMETERS, *POST_PARAMETERS}:
        assert f"`{name}`" in api or f"?{name}=" in api, name
    assert f"(1 to {LIMIT_MAX}, {LIMIT_DEFAULT} if not given)" in api


@pytest.mark.parametrize("name", DOCUMENTS)
def test_every_make_command_in_a_document_exists(name: str) -> None:
    named = set(re.findall(r"(?:`|^ {4})make ([a-z][a-z-]*)", DOCUMENTS[name], re.MULTILINE))
    assert named
    assert named <= make_targets()


def test_every_make_command_is_documented() -> None:
    named = set(re.findall(r"`make ([a-z-]+)`", README + CONTRIBUTING))
    assert make_targets() - named == set()


def test_what_make_run_takes_is_documented() -> None:
    options = re.search(r"^export ([A-Z ]+)$", MAKEFILE, re.MULTILINE)
    assert options
    for option in options[1].split():
        assert re.search(rf"^\| `{option}=", README, re.MULTILINE), option


@pytest.mark.parametrize("name", DOCUMENTS)
def test_every_file_a_document_links_to_exists(name: str) -> None:
    for target in re.findall(r"\]\(([^)#]+)\)", DOCUMENTS[name]):
        if not target.startswith("http"):
            assert (ROOT / target).exists(), target


@pytest.mark.parametrize("name", [*DOCUMENTS, "docs/decoding.md", "docs/api.md"])
def test_every_module_that_a_document_names_exists(name: str) -> None:
    named = re.findall(r"`((?:\w+/)*\w+\.py)\b", (ROOT / name).read_text())
    modules = [file.relative_to(ROOT).as_posix() for file in ROOT.glob("[!.]*/**/*.py")]
    for module in named:
        assert any(f"/{path}".endswith(f"/{module}") for path in modules), module


def test_the_layout_names_every_folder_and_module_of_the_functions() -> None:
    layout = CONTRIBUTING[CONTRIBUTING.index("## Layout") : CONTRIBUTING.index("## Where")]
    functions = ROOT / "functions"
    for file in functions.rglob("*.py"):
        place = file.relative_to(functions)
        if file.name not in {"__init__.py"} and place.parts[:2] not in UNNAMED:
            assert re.search(rf"\b{file.stem}\b", layout), place
