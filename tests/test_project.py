"""Files for GitHub: workflows, forms, the changelog. GitHub ignores unknown keys silently."""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from clipsearch.version import __version__

ROOT = Path(__file__).resolve().parent.parent
GITHUB = ROOT / ".github"
WORKFLOWS = sorted((GITHUB / "workflows").glob("*.yml"))
FORMS = sorted(
    {*(GITHUB / "ISSUE_TEMPLATE").glob("*.yml")} - {GITHUB / "ISSUE_TEMPLATE/config.yml"}
)
CHANGELOG = (ROOT / "CHANGELOG.md").read_text()
PAGES = [*ROOT.glob("*.md"), *ROOT.glob("docs/*.md"), *GITHUB.rglob("*.yml"), *GITHUB.rglob("*.md")]
# a home or a folder of one machine; a home-relative path is fine
MACHINE_PATH = re.compile(r"(?<![\w.$}])/(?:home|Users|root|work|workspace)/\w+")


def name_of(file: Path) -> str:
    return file.stem


def load(file: Path) -> Any:
    # BaseLoader keeps everything as text: YAML 1.1 reads the key `on` as true
    return yaml.load(file.read_text(), yaml.BaseLoader)


def steps(workflow: Path) -> list[dict[str, Any]]:
    return [step for job in load(workflow)["jobs"].values() for step in job["steps"]]


def test_there_are_the_workflows_and_forms() -> None:
    assert {"ci", "release", "audit"} <= set(map(name_of, WORKFLOWS))
    assert {"bug", "question"} <= set(map(name_of, FORMS))


@pytest.mark.parametrize("file", WORKFLOWS, ids=name_of)
def test_a_workflow_has_the_keys_that_github_needs(file: Path) -> None:
    workflow = load(file)
    assert {"name", "on", "permissions", "jobs"} <= workflow.keys()
    assert workflow["permissions"] == {"contents": "read"}
    for job in workflow["jobs"].values():
        assert job["runs-on"]
        assert "needs" not in job or job["needs"] in workflow["jobs"]
        for step in job["steps"]:
            assert ("run" in step) != ("uses" in step), step


@pytest.mark.parametrize("file", WORKFLOWS, ids=name_of)
def test_actions_are_pinned_to_a_whole_version(file: Path) -> None:
    used = [step["uses"] for step in steps(file) if "uses" in step]
    assert used
    for action in used:
        assert re.fullmatch(r"[\w-]+/[\w-]+@v\d+\.\d+\.\d+", action)


def test_every_make_target_of_a_workflow_exists() -> None:
    commands = "\n".join(step.get("run", "") for file in WORKFLOWS for step in steps(file))
    called = set(re.findall(r"^\s*make ([a-z-]+)", commands, re.MULTILINE))
    defined = re.findall(r"^([a-z][a-z-]*):.*##", (ROOT / "Makefile").read_text(), re.MULTILINE)
    assert {"check", "test", "test-export"} <= called <= set(defined)


@pytest.mark.parametrize("file", FORMS, ids=name_of)
def test_a_form_has_the_keys_that_github_needs(file: Path) -> None:
    form = load(file)
    assert form["name"]
    assert form["description"]
    fields = [field for field in form["body"] if field["type"] != "markdown"]
    assert fields
    assert len({field["id"] for field in fields}) == len(fields)
    for field in fields:
        assert field["type"] in {"checkboxes", "dropdown", "input", "textarea"}
        assert field["attributes"]["label"]
        assert field["type"] != "dropdown" or field["attributes"]["options"]


def test_the_chooser_of_forms_leads_to_private_reports() -> None:
    links = load(GITHUB / "ISSUE_TEMPLATE" / "config.yml")["contact_links"]
    for link in links:
        assert link["url"].startswith("https://")
        assert link["name"]
        assert link["about"]
    assert any("vulnerability" in link["name"] for link in links)


def test_dependabot_watches_every_list_of_requirements() -> None:
    config = load(GITHUB / "dependabot.yml")
    assert config["version"] == "2"
    watched = {}
    for update in config["updates"]:
        assert update["schedule"]["interval"]
        watched[update["package-ecosystem"]] = update.get("directories") or [update["directory"]]
    lists = [file.relative_to(ROOT).parent for file in ROOT.glob("[!.]*/**/requirements.txt")]
    ours = [folder for folder in lists if folder.parts[0] != "build"]  # has those of benchmarks
    places = {"/", *(f"/{folder.as_posix()}" for folder in ours)}
    assert set(watched.pop("pip")) == places
    assert watched == {"terraform": ["/terraform"], "github-actions": ["/"], "docker": ["/"]}


def test_pre_commit_takes_its_tools_from_the_environment() -> None:
    repos = load(ROOT / ".pre-commit-config.yaml")["repos"]
    local = [hook for repo in repos if repo["repo"] == "local" for hook in repo["hooks"]]
    assert [hook["id"] for hook in local] == ["ruff-check", "ruff-format", "terraform-fmt"]
    assert {hook["language"] for hook in local} == {"system"}
    assert all(re.fullmatch(r"v\d+\.\d+\.\d+", repo["rev"]) for repo in repos if "rev" in repo)


def test_the_changelog_has_the_current_version_and_descends() -> None:
    assert CHANGELOG.index("## [Unreleased]\n") < CHANGELOG.index(f"## [{__version__}]")
    headings = re.findall(r"^## (?!\[Unreleased\])(.*)$", CHANGELOG, re.MULTILINE)
    found = [re.fullmatch(r"\[(\d+)\.(\d+)\.(\d+)\] - (\d{4}-\d\d-\d\d)", h) for h in headings]
    assert all(found), headings
    versions = [tuple(map(int, match.groups()[:3])) for match in found if match]
    assert versions == sorted(set(versions), reverse=True)
    assert ".".join(map(str, versions[0])) == __version__
    dates = [match[4] for match in found if match]
    assert dates == sorted(dates, reverse=True)
    groups = set(re.findall(r"^### (.*)$", CHANGELOG, re.MULTILINE))
    assert groups <= {"Added", "Changed", "Deprecated", "Removed", "Fixed", "Security"}


@pytest.mark.parametrize(
    ("tag", "code"), [(f"v{__version__}", 0), ("v9.9.9", 1), (__version__, 1)], ids=str
)
def test_a_release_needs_the_tag_of_the_version(tag: str, code: int) -> None:
    assert run_step("Check that the tag is the version", ROOT, tag).returncode == code


def test_the_notes_of_a_release_are_its_section(tmp_path: Path) -> None:
    (tmp_path / "CHANGELOG.md").write_text(CHANGELOG)
    step = "Take the notes from the changelog"
    assert run_step(step, tmp_path, f"v{__version__}").returncode == 0
    notes = (tmp_path / "notes.md").read_text()
    assert f"## [{__version__}]" not in notes
    assert notes.strip()
    after = CHANGELOG[CHANGELOG.index(f"## [{__version__}]") :].partition("\n")[2]
    assert notes.strip() == re.split(r"^## ", after, flags=re.MULTILINE)[0].strip()
    assert run_step(step, tmp_path, "v9.9.9").returncode == 1


def run_step(name: str, folder: Path, tag: str) -> subprocess.CompletedProcess[str]:
    """Run the step of release.yml with that name like GitHub."""
    [script] = [s["run"] for s in steps(GITHUB / "workflows/release.yml") if s.get("name") == name]
    environment = {**os.environ, "GITHUB_REF_NAME": tag}
    command = ["bash", "-e", "-c", script]
    return subprocess.run(command, cwd=folder, env=environment, text=True, capture_output=True)


@pytest.mark.parametrize("file", PAGES, ids=lambda file: file.relative_to(ROOT).as_posix())
def test_no_page_names_a_path_of_one_machine(file: Path) -> None:
    assert MACHINE_PATH.findall(file.read_text()) == []


def test_tags_that_the_guide_names_are_releases() -> None:
    guide = (ROOT / "docs" / "deploy.md").read_text()
    tags = re.findall(r"git checkout v([\w.]+)", guide)
    assert tags
    assert all(f"## [{tag}]" in CHANGELOG for tag in tags)
