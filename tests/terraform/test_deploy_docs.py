"""docs/deploy.md matches the variables, outputs and costs of Terraform."""

from __future__ import annotations

import re

from tests.terraform.conftest import ROOT, Configuration

GUIDE = (ROOT / "docs" / "deploy.md").read_text()


def test_the_guide_lists_the_variables_and_no_others(configuration: Configuration) -> None:
    assert names("Variables") == list(configuration.variables)


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
    assert "    make .venv/.made\n    .venv/bin/python -m cli.demo_photos" in GUIDE


def test_every_command_on_a_service_says_where_it_is() -> None:
    for command in re.findall(r"gcloud (?:run|logging) .+", GUIDE):
        assert "--project=MY-PROJECT" in command, command


def test_the_costs_are_what_the_arithmetic_gives(configuration: Configuration) -> None:
    """The prices are those of costs.tf, the assumptions those of the guide."""
    price = {name: eval(str(value).strip("${}")) for name, value in prices(configuration).items()}
    ingest = price["cpu_second"] + 2 * price["memory_gib_second"]
    search = 2 * price["cpu_second"] + 2 * price["memory_gib_second"]
    gib = {"photo": 3e6 / 2**30, "derived": 18.5e3 / 2**30, "answer": 24 * 15e3 / 2**30}
    index = 0.5 * ingest + price["requests"] + 2 * price["class_a"] + 3 * price["class_b"]
    sizes, seconds = (1e3, 1e5, 1e6), (20, 20, 60)
    for row, values in {
        "once: index them": [n * index for n in sizes],
        "a month: the photos themselves": [
            n * gib["photo"] * price["storage_gib_month"] for n in sizes
        ],
        "a month: thumbnails and index": [
            n * gib["derived"] * price["storage_gib_month"] for n in sizes
        ],
        "a month: comparing four times a day": [
            122 * (n / 1000 * price["class_a"] + s * ingest)
            for n, s in zip(sizes, seconds, strict=True)
        ],
        "1,000 searches, each after a pause": [
            1000 * (s * search + price["requests"]) for s in (3, 3, 10)
        ],
        "1,000 searches in a row": [1000 * (0.1 * search + price["requests"])] * 3,
        "1,000 answers' thumbnails over the net": [1000 * gib["answer"] * 0.12] * 3,
    }.items():
        assert "| ".join([f"| {row} ", *(f"${value:.2f} " for value in values)]) in GUIDE, (
            row,
            values,
        )


def test_the_ceiling_and_the_idle_costs_are_what_the_arithmetic_gives(
    configuration: Configuration,
) -> None:
    price = {name: eval(str(value).strip("${}")) for name, value in prices(configuration).items()}
    for name in ("ingest", "search"):
        type_ = str(configuration.variables[name]["type"])
        found = re.findall(r"(\w+)\W+optional\(number, (\d+)\)", type_)
        size = {key: int(value) for key, value in found}
        second = size["cpu"] * price["cpu_second"] + size["memory_gib"] * price["memory_gib_second"]
        a_day = size["max_instances"] * 86_400 * second
        said = rf"\${a_day:.0f} (?:a day )?for {name}"
        assert re.search(said, GUIDE), said
    warm = price["seconds_of_a_month"] * price["idle_second"] * (size["cpu"] + size["memory_gib"])
    assert f"= ${warm:.0f} a month" in GUIDE

    runs = 30.4 * (24 / 3 + 24 / 6)
    run = 10 * (price["cpu_second"] + 2 * price["memory_gib_second"]) + 50 * price["class_a"]
    idle = [6 * 0.3 * price["image_gib_month"], 2 * price["scheduler_job"], runs * run]
    images, jobs, maintenance = (f"${value:.2f}" for value in idle)
    text = " ".join(GUIDE.split())
    assert f"images of the functions {images}, scheduled maintenance {jobs}, the runs" in text
    assert f"starts {maintenance}, storage of the demo model nearly nothing" in text
    assert 0.55 < sum(idle) < 0.65
    assert "about $0.60 a month" in text
    assert "$0.60 a month" in (ROOT / "README.md").read_text()


def prices(configuration: Configuration) -> dict[str, str]:
    return configuration.locals["price"]


def names(heading: str) -> list[str]:
    section = GUIDE[GUIDE.index(f"## {heading}\n") :].split("\n## ")[0]
    return re.findall(r"^\| `(\w+)` \|", section, re.MULTILINE)
