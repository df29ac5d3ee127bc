"""What Terraform says to values of variables. There are only variables, so it needs no provider."""

from __future__ import annotations

import json
import os
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.terraform.conftest import TERRAFORM
from tests.terraform.test_terraform import needs_terraform

DIGEST = "0" * 64
IMAGE = f"europe-west1-docker.pkg.dev/my-project/clipsearch/clipsearch@sha256:{DIGEST}"
WITH_IMAGE = {"runtime": "image", "image": IMAGE}
WITH_ENGINE = {**WITH_IMAGE, "engine": "lance", "engine_image": IMAGE}
PRIVATE = {"public": False, "searchers": ["user:me@example.org"]}


@pytest.fixture(scope="module")
def variables(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A configuration of all variables and nothing else."""
    folder = tmp_path_factory.mktemp("variables")
    text = "".join(path.read_text() for path in sorted(TERRAFORM.glob("*.tf")))
    blocks = re.findall(r'^variable "\w+" \{$.+?^\}$', text, re.MULTILINE | re.DOTALL)
    (folder / "main.tf").write_text("\n".join(blocks))
    assert terraform(folder, "init").returncode == 0
    return folder


def terraform(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = ["terraform", f"-chdir={folder}", *arguments, "-no-color"]
    environ = {**os.environ, "CHECKPOINT_DISABLE": "1"}
    return subprocess.run(command, capture_output=True, text=True, env=environ)


def planned(folder: Path, **values: Any) -> subprocess.CompletedProcess[str]:
    given = {"project": "my-project", "public": True, **values}
    (folder / "terraform.tfvars.json").write_text(json.dumps(given))
    return terraform(folder, "plan", "-input=false")


@needs_terraform
@pytest.mark.parametrize(
    "values",
    [
        {},
        WITH_IMAGE,
        {**WITH_IMAGE, **PRIVATE, "iap": True},
        WITH_ENGINE,
        {**WITH_ENGINE, "mirror": {"cpu": 8, "memory_gib": 32, "minutes": 60}},
        {"pinned_models": []},
        {"pinned_models": [DIGEST]},
    ],
    ids=["functions", "image", "iap", "engine", "large mirror", "pinned", "two models"],
)
def test_it_takes(variables: Path, values: dict[str, Any]) -> None:
    done = planned(variables, **values)
    assert done.returncode == 0, done.stderr


@needs_terraform
@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"runtime": "kubernetes"}, "runtime must be"),
        ({"runtime": "image"}, 'image must be set with runtime = "image"'),
        ({"image": IMAGE}, 'image must be set with runtime = "image"'),
        ({**WITH_IMAGE, "image": "a.example/b:latest"}, "image must name an image by its digest"),
        ({**PRIVATE, "iap": True}, 'iap = true needs runtime = "image"'),
        ({**WITH_IMAGE, "iap": True}, "iap = true needs public = false"),
        ({**WITH_IMAGE, "public": False, "iap": True}, "iap = true needs searchers"),
        ({"engine": "faiss"}, 'engine must be "lance", or be empty'),
        ({"engine": "lance", "engine_image": IMAGE}, 'engine = "lance" needs runtime = "image"'),
        ({**WITH_IMAGE, "engine": "lance"}, 'engine_image must be set with engine = "lance"'),
        ({"engine_image": IMAGE}, 'engine_image must be set with engine = "lance", and only then'),
        (
            {**WITH_ENGINE, "engine_image": "a.example/b:latest"},
            "engine_image must name an image by its digest",
        ),
        (
            {"mirror": {"cpu": 1, "memory_gib": 8}},
            "mirror needs cpu = 1, 2, 4 or 8, and memory_gib",
        ),
        (
            {"mirror": {"cpu": 8, "memory_gib": 2}},
            "mirror needs cpu = 1, 2, 4 or 8, and memory_gib",
        ),
        ({"mirror": {"minutes": 7}}, "mirror.minutes must be 10, 15, 20, 30 or 60"),
        ({"pinned_models": ["latest"]}, "pinned_models must be SHA-256 digests"),
    ],
)
def test_it_refuses(variables: Path, values: dict[str, Any], said: str) -> None:
    done = planned(variables, **values)
    assert done.returncode == 1
    text = re.sub(r"[\s│╷╵]+", " ", done.stderr)
    assert said in text
