"""docs/deploy.md matches the variables, outputs and costs of Terraform."""

from __future__ import annotations

import re

import pytest

from cli.costs.tables import Library, busy_day, idle_month
from tests.terraform.conftest import ROOT, Configuration

GUIDE = (ROOT / "docs" / "deploy.md").read_text()


def test_the_guide_lists_the_variables_and_no_others(configuration: Configuration) -> None:
    assert names("Variables") == sorted(configuration.variables)


def test_the_guide_lists_the_outputs_and_no_others(configuration: Configuration) -> None:
    assert names("Outputs") == list(configuration.outputs)


def test_every_output_and_resource_that_a_command_names_exists(
    configuration: Configuration,
) -> None:
    assert set(re.findall(r"output (?:-raw )?(\w+)", GUIDE)) <= set(configuration.outputs)
    for type_, name in re.findall(r"'(google_\w+)\.(\w+)\[0\]'", GUIDE):
        assert name in configuration.all(type_)


def test_every_command_begins_in_the_folder_of_the_repository() -> None:
    pages = [ROOT / "README.md", *ROOT.glob("docs/*.md")]
    text = "".join(page.read_text() for page in pages)
    commands = re.findall(r"^ {4}(\S.*)$", text, re.MULTILINE)
    assert not [command for command in commands if re.match(r"cd |terraform (?!-chdir=)", command)]


def test_the_first_deployment_is_the_same_block_everywhere() -> None:
    section = GUIDE.split("## The first deployment")[1]
    block, *_ = re.findall(r"(?:^ {4}.+\n)+(?=\n)", section, re.MULTILINE)
    assert block.splitlines()[0].strip() == "gcloud auth login"
    assert block.splitlines()[-1].endswith("&& terraform -chdir=terraform apply")
    for needed in ("config set project", "billing projects link", "services enable"):
        assert f"gcloud {needed} " in block
    assert block in (ROOT / "README.md").read_text()


def test_what_public_publishes_is_said_in_bold_wherever_it_is_chosen(
    configuration: Configuration,
) -> None:
    places = {
        "README.md": (ROOT / "README.md").read_text(),
        "deploy.md": GUIDE,
        "public": configuration.variables["public"]["description"],
    }
    for place, text in places.items():
        bold = " ".join(" ".join(re.findall(r"\*\*(.+?)\*\*", text, re.DOTALL)).split())
        assert "original" in bold, place
        assert "EXIF" in bold, place
    assert "permanent" in configuration.variables["region"]["description"]


def test_every_command_on_a_service_says_where_it_is() -> None:
    for command in re.findall(r"gcloud (?:run|logging) .+", GUIDE):
        assert "--project=MY-PROJECT" in command, command


def test_the_idle_costs_are_what_the_arithmetic_gives() -> None:
    idle = {line.what: line.usd for line in idle_month(Library(0, 0, 3.0)).lines}
    names = ("images of the functions", "scheduled maintenance", "runs of it")
    images, jobs, maintenance = (f"${idle[name]:.2f}" for name in names)
    text = " ".join((ROOT / "docs" / "costs.md").read_text().split())
    assert f"images of the functions {images}, scheduled maintenance {jobs}, the runs" in text
    assert f"starts {maintenance}, storage of the demo model nearly nothing" in text
    assert 0.55 < sum(idle.values()) < 0.65
    for page in ("docs/costs.md", "docs/deploy.md", "README.md"):
        assert "$0.60 a month" in " ".join((ROOT / page).read_text().split()), page


def test_the_ceiling_is_what_the_arithmetic_gives() -> None:
    ceiling = busy_day(Library(0, 0, 3.0)).usd
    said = re.findall(r"of a busy day is about \$(\d+)", " ".join(GUIDE.split()))
    assert [float(text) for text in said] == [pytest.approx(ceiling, rel=0.03)]


def names(heading: str) -> list[str]:
    section = GUIDE[GUIDE.index(f"## {heading}\n") :].split("\n## ")[0]
    return re.findall(r"^\| `(\w+)` \|", section, re.MULTILINE)
