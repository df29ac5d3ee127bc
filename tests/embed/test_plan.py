"""`clipsearch embed --plan` and its mistakes, as a person meets them. None of it needs Beam."""

import json
import subprocess
import sys

import pytest

from cli.embed.costs import costs
from tests.support.running_stack import ROOT

CLOUD = ["--runner", "dataflow", "--project", "p", "--region", "r", "--image", "i"]


def embed(*arguments):
    return subprocess.run(
        [sys.executable, "-m", "cli", "embed", *arguments],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )


def test_ten_million_photos_cost_most_for_requests():
    found = costs(10_000_000, 10_000_000, seconds=0.02, workers=50)
    assert found.core_hours == pytest.approx(55.6, abs=0.1)
    assert found.requests == pytest.approx(50 + 8 + 0.05)  # thumbnails, reads, the listing
    assert 3 < found.compute < 8
    assert found.hours == pytest.approx(0.656, abs=0.001)


def test_fewer_workers_take_longer_and_cost_no_more():
    few, many = (costs(10**6, 10**6, 0.02, workers) for workers in (5, 50))
    assert few.hours > many.hours
    assert few.compute <= many.compute


def test_nothing_is_written(place):
    place.put("a.jpg")
    place.put("b.jpg")
    before = sorted(place.folder.rglob("*"))
    done = embed(*place.arguments(), "--plan")
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert "to index: 2 (2 missing" in lines[0]
    assert lines[1].startswith("2 x ")
    assert "core-hours, measured here on 2 photos" in lines[1]
    assert lines[2].startswith("here: about ")
    figures = json.loads(embed(*place.arguments(), "--plan", "--json").stdout)
    assert figures["to_index"] == 2
    assert figures["core_hours"] > 0
    assert figures["dollars_requests"] == 0  # folders cost nothing
    assert sorted(place.folder.rglob("*")) == before


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (["--runner", "dataflow", "--project", "p", "--image", "i"],
         "--runner dataflow needs --region, --staging; see docs/bulk.md"),
        ([*CLOUD, "--staging", "here"],
         "--staging is 'here'; it must be gs://BUCKET or gs://BUCKET/PREFIX"),
        (["--region", "europe-west1"], "--region is for --runner dataflow"),
        (["--workers", "0"], "--workers is '0'; it must be a whole number from 1 to 1,000"),
    ],
)  # fmt: skip
def test_a_mistake_is_named(place, arguments, reason):
    done = embed(*place.arguments(), *arguments)
    assert done.returncode == 2
    assert done.stderr == f"clipsearch: {reason}\n"


def test_dataflow_cannot_reach_folders(place):
    done = embed(*place.arguments(), *CLOUD, "--staging", "gs://staging")
    assert done.returncode == 2
    assert "Dataflow's machines reach only gs:// buckets" in done.stderr


def test_without_beam_it_says_how_to_get_it(place):
    done = embed(*place.arguments())
    assert done.returncode == 2
    assert "clipsearch embed needs Apache Beam" in done.stderr
