"""docs/examples/deploy.yml, the workflow that somebody copies to deploy from GitHub."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.terraform.conftest import ROOT, Configuration, parse
from tests.test_project import load

FILE = ROOT / "docs" / "examples" / "deploy.yml"
WORKFLOW = load(FILE)
JOBS = WORKFLOW["jobs"]
STEPS = [step for job in JOBS.values() for step in job["steps"]]
COMMANDS = "\n".join(step.get("run", "") for step in STEPS)


@pytest.fixture(scope="module")
def terraform() -> Configuration:
    return parse(ROOT / "terraform")


def test_it_is_not_active_by_itself() -> None:
    assert not list((ROOT / ".github" / "workflows").glob("deploy*"))


def test_actions_are_pinned_to_a_whole_version() -> None:
    for step in STEPS:
        assert ("run" in step) != ("uses" in step), step
        if "uses" in step:
            assert re.fullmatch(r"[\w-]+/[\w-]+@v\d+\.\d+\.\d+", step["uses"])


def test_a_command_that_fails_before_a_pipe_ends_its_step() -> None:
    assert WORKFLOW["defaults"]["run"]["shell"] == "bash"  # with -o pipefail


def test_its_permissions_are_minimal_and_it_has_no_secret() -> None:
    assert WORKFLOW["permissions"] == {"contents": "read"}
    for job in JOBS.values():
        assert job["permissions"] == {"contents": "read", "id-token": "write"}
    assert "secrets." not in FILE.read_text()
    for step in STEPS:
        if step.get("uses", "").startswith("actions/checkout@"):
            assert step["with"]["persist-credentials"] == "false"
        # what a person or a branch writes never becomes part of a script
        assert "${{" not in step.get("run", "")


def test_a_pull_request_plans_as_an_account_that_only_reads() -> None:
    plan = JOBS["plan"]
    assert "github.event_name == 'pull_request'" in plan["if"]
    assert "head.repo.full_name == github.repository" in plan["if"]
    assert accounts(plan) == ["${{ vars.PLANNER }}"]
    assert "environment" not in plan
    commands = "\n".join(step.get("run", "") for step in plan["steps"])
    assert re.search(r"^terraform .+ plan -lock=false", commands, re.MULTILINE)
    assert "apply" not in commands


def test_only_main_applies_in_its_environment() -> None:
    apply = JOBS["apply"]
    assert apply["environment"] == "production"
    assert apply["if"].endswith(
        "github.event_name != 'pull_request' && github.ref == 'refs/heads/main'"
    )
    assert accounts(apply) == ["${{ vars.DEPLOYER }}"]
    assert WORKFLOW["on"]["push"] == {"branches": ["main"]}
    assert WORKFLOW["concurrency"]["cancel-in-progress"] == "false"
    names = [step.get("name") for step in apply["steps"]]
    assert names.index("Set the deadlines of events") < names.index("Smoke test")


def test_a_rollback_is_a_run_with_an_older_commit() -> None:
    assert WORKFLOW["on"]["workflow_dispatch"]["inputs"]["ref"]["required"] == "true"
    [checkout] = [s for s in JOBS["apply"]["steps"] if s.get("uses", "").startswith("actions/ch")]
    assert checkout["with"]["ref"] == "${{ inputs.ref || github.sha }}"


def test_it_gives_terraform_variables_and_asks_for_outputs_that_exist(
    terraform: Configuration,
) -> None:
    given = {name.removeprefix("TF_VAR_") for name in WORKFLOW["env"] if name.startswith("TF_VAR_")}
    assert given == {"project", "region", "run_gcloud"}
    assert given <= set(terraform.variables)
    assert WORKFLOW["env"]["TF_VAR_run_gcloud"] == "false"
    asked = set(re.findall(r"output -raw (\w+)", COMMANDS))
    assert asked == {"delivery_commands", "api_url"}
    assert asked <= set(terraform.outputs)


def test_every_variable_of_the_repository_is_in_the_guide() -> None:
    guide = (ROOT / "docs" / "deploy.md").read_text()
    [table] = re.findall(r"^\| variable \| value \|\n\|.+?\n((?:\|.+\n)+)", guide, re.MULTILINE)
    told = re.findall(r"\b([A-Z_]{6,})\b(?=[^|]*\|[^|]*\|$)", table, re.MULTILINE)
    assert set(told) == set(re.findall(r"vars\.(\w+)", FILE.read_text()))


@pytest.mark.parametrize("step", [s for s in STEPS if "run" in s], ids=lambda s: s["run"][:30])
def test_its_scripts_are_bash(step: dict[str, Any]) -> None:
    done = subprocess.run(["bash", "-n", "-c", step["run"]], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(
    ("tfvars", "answers", "code"),
    [
        ("public = true", {"/health": 0, "/status": 0}, 0),
        ("public = true", {"/health": 0, "/status": 22}, 22),
        ("public = false", {"/health": 0, "/status": 0}, 0),
        ("iap = true", {"/page/": 302}, 0),
        ("iap = true", {"/page/": 200}, 1),
    ],
)
def test_the_smoke_test_fails_if_an_answer_is_wrong(
    tmp_path: Path, tfvars: str, answers: dict[str, int], code: int
) -> None:
    """With stand-ins for the programs. curl ends with the number, or prints it as a status."""
    (tmp_path / "terraform").mkdir()
    (tmp_path / "terraform" / "terraform.tfvars").write_text(tfvars)
    programs = {"terraform": "echo https://search.example", "gcloud": "echo token"}
    cases = "".join(
        f"*{path}) {f'exit {n}' if n < 100 else f'echo {n}'};;\n" for path, n in answers.items()
    )
    programs["curl"] = f'case "${{@: -1}}" in\n{cases}*) exit 99;;\nesac'
    for name, script in programs.items():
        program = tmp_path / "bin" / name
        program.parent.mkdir(exist_ok=True)
        program.write_text(f"#!/bin/bash\n{script}\n")
        program.chmod(0o755)
    [step] = [step for step in STEPS if step.get("name") == "Smoke test"]
    environ = {"PATH": f"{tmp_path / 'bin'}:/usr/bin:/bin"}
    command = ["bash", "-e", "-c", step["run"]]
    done = subprocess.run(command, cwd=tmp_path, env=environ, capture_output=True, text=True)
    assert done.returncode == code, done.stdout + done.stderr


def accounts(job: dict[str, Any]) -> list[str]:
    return [
        step["with"]["service_account"]
        for step in job["steps"]
        if step.get("uses", "").startswith("google-github-actions/auth@")
    ]
