"""The documents match the code: settings, endpoints, parameters, commands, paths."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from clipsearch.settings import SETTINGS
from search.engine.query import LIMIT_DEFAULT
from search.http.params import GET_PARAMETERS, LIMIT_MAX, POST_PARAMETERS
from search.main import ROUTES

ROOT = Path(__file__).resolve().parent.parent
DOCUMENTS = {
    file.relative_to(ROOT).as_posix(): file.read_text()
    for file in (*sorted(ROOT.glob("*.md")), *sorted(ROOT.glob("docs/*.md")))
}
README = DOCUMENTS["README.md"]
CONTRIBUTING = DOCUMENTS["CONTRIBUTING.md"]
API = DOCUMENTS["docs/api.md"]
MAKEFILE = (ROOT / "Makefile").read_text()
# The layout describes these as a whole.
UNNAMED = {("clipsearch", "images"), ("clipsearch", "storage")}
README_LINES = 150  # the page for newcomers


def make_targets() -> set[str]:
    return set(re.findall(r"^([a-z][a-z-]*):.*##", MAKEFILE, re.MULTILINE))


def anchors(text: str) -> set[str]:
    """The fragments of the headings on GitHub. Comments in code are no headings."""
    headings = re.findall(r"^#+ (.+)$", re.sub(r"```.*?```", "", text, flags=re.DOTALL), re.M)
    return {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}


def test_the_readme_is_short_and_links_to_every_page() -> None:
    assert len(README.splitlines()) <= README_LINES
    linked = set(re.findall(r"\]\((docs/\w[\w-]*\.md)\)", README))
    assert linked == {name for name in DOCUMENTS if name.startswith("docs/")}


def test_the_settings_are_documented_and_no_others() -> None:
    configuration = DOCUMENTS["docs/configuration.md"]
    rows = re.findall(r"^\| `([A-Z0-9_]+)` \|.*\|([^|]*)\|$", configuration, re.MULTILINE)
    assert [name for name, _ in rows] == [*SETTINGS]
    for name, default in rows:
        if SETTINGS[name]:
            assert default.strip() == f"`{SETTINGS[name]}`", name


def test_the_endpoints_are_documented_and_no_others() -> None:
    documented = {
        (method, path)
        for method, path in re.findall(r"^\| `(GET|POST) (/[\w.]*)", API, re.MULTILINE)
    }
    assert documented == {
        (method, path) for path, handlers in ROUTES.items() for method in handlers
    }


def test_every_parameter_and_its_bounds_are_documented() -> None:
    for name in {*GET_PARAMETERS, *POST_PARAMETERS}:
        assert f"`{name}`" in API, name
    assert f"1 to {LIMIT_MAX}; the default is {LIMIT_DEFAULT}" in API


@pytest.mark.parametrize("name", DOCUMENTS)
def test_every_make_command_in_a_document_exists(name: str) -> None:
    named = re.findall(r"(?:`|^ {4})make ([a-z][a-z-]*)", DOCUMENTS[name], re.MULTILINE)
    assert named or name not in {"README.md", "CONTRIBUTING.md", "docs/cli.md"}
    assert set(named) <= make_targets()


def test_every_make_command_is_documented() -> None:
    named = set(re.findall(r"`make ([a-z-]+)`", CONTRIBUTING))
    assert make_targets() - named == set()


def test_what_make_takes_is_documented() -> None:
    exported = " ".join(re.findall(r"^export ([A-Z ]+)$", MAKEFILE, re.MULTILINE)).split()
    assert {"PHOTOS", "CAPTIONS", "TO", "FROM"} <= set(exported)
    rows = "\n".join(
        re.findall(r"^\| (`[A-Z]+=.*?) \|", "\n".join(DOCUMENTS.values()), re.MULTILINE)
    )
    for option in exported:
        assert f"`{option}=" in rows or f" {option}=" in DOCUMENTS["docs/operations.md"], option


@pytest.mark.parametrize("name", DOCUMENTS)
def test_every_link_leads_to_a_file_and_a_heading(name: str) -> None:
    folder = (ROOT / name).parent
    for path, anchor in re.findall(r"\]\((?!https?:|mailto:)([^)#]*)#?([^)]*)\)", DOCUMENTS[name]):
        target = (folder / path).resolve() if path else ROOT / name
        assert target.exists(), path
        if anchor:
            assert anchor in anchors(target.read_text()), f"{path}#{anchor}"


@pytest.mark.parametrize("name", DOCUMENTS)
def test_every_module_that_a_document_names_exists(name: str) -> None:
    named = re.findall(r"`((?:\w+/)*\w+\.py)\b", DOCUMENTS[name])
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
