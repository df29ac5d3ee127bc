"""CHANGELOG.md has every setting, variable, command and endpoint that is new since the release."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from cli.main import COMMANDS
from clipsearch.settings import SETTINGS
from search.main import ROUTES
from tests.upgrade.conftest import ROOT

FORMAT = re.compile(r"^FORMAT = (\d+)$", re.MULTILINE)


@pytest.fixture(scope="module")
def news(release: Path) -> str:
    """What the changelog says above the last release."""
    versions = re.findall(r"^## \[(\d[^\]]*)\]", (release / "CHANGELOG.md").read_text(), re.M)
    text = (ROOT / "CHANGELOG.md").read_text()
    assert f"## [{versions[0]}]" in text
    return text[: text.index(f"## [{versions[0]}]")]


def settings_in(folder: Path) -> set[str]:
    text = (folder / "functions" / "clipsearch" / "settings.py").read_text()
    return set(re.findall(r'^    "([A-Z0-9_]+)": ', text, re.MULTILINE))


def variables_in(folder: Path) -> set[str]:
    files = sorted((folder / "terraform").glob("*.tf"))
    text = "\n".join(file.read_text() for file in files)
    return set(re.findall(r'^variable "(\w+)"', text, re.MULTILINE))


def routes_in(folder: Path) -> set[str]:
    """Endpoints other than the file of the page."""
    text = (folder / "functions" / "search" / "main.py").read_text()
    return set(re.findall(r'^    "(/\w*(?:\.\w+)?)": ', text, re.MULTILINE))


def formats_in(folder: Path) -> dict[str, str]:
    files = sorted((folder / "functions" / "clipsearch").rglob("*.py"))
    texts = {file.name: file.read_text() for file in files}
    return {name: found[1] for name, text in texts.items() if (found := FORMAT.search(text))}


def test_the_names_are_found() -> None:
    assert settings_in(ROOT) == set(SETTINGS)
    assert routes_in(ROOT) == set(ROUTES)


def test_every_new_or_removed_setting_has_its_line(release: Path, news: str) -> None:
    assert [s for s in settings_in(release) ^ settings_in(ROOT) if s not in news] == []


def test_every_new_or_removed_variable_has_its_line(release: Path, news: str) -> None:
    changed = variables_in(release) ^ variables_in(ROOT)
    assert [name for name in sorted(changed) if f"`{name}`" not in news] == []


def test_every_new_command_has_its_line(release: Path, news: str) -> None:
    before = release / "cli" / "main.py"
    known = before.read_text() if before.exists() else ""
    new = [name for name in COMMANDS if f'"{name}": "cli.' not in known]
    assert [name for name in new if not re.search(rf"`(clipsearch )?{name}\b", news)] == []


def test_every_new_endpoint_has_its_line(release: Path, news: str) -> None:
    new = routes_in(ROOT) - routes_in(release)
    assert [path for path in sorted(new) if f" {path}`" not in news] == []


def test_every_change_of_a_format_has_its_line(release: Path, news: str) -> None:
    """And what an older version does with it: docs/index-format.md, Damage."""
    before, now = formats_in(release), formats_in(ROOT)
    changed = [name for name in before.keys() & now.keys() if before[name] != now[name]]
    assert not changed or "format" in news
    for name in changed:
        assert f"format {now[name]}" in news, name
