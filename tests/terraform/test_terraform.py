"""Terraform itself, if installed; its providers only if `terraform init` has fetched them."""

from __future__ import annotations

import shutil
import subprocess

import pytest

from tests.terraform.conftest import TERRAFORM

PROVIDERS = TERRAFORM / ".terraform" / "providers"

needs_terraform = pytest.mark.skipif(
    shutil.which("terraform") is None, reason="terraform is not installed"
)
needs_providers = pytest.mark.skipif(
    not PROVIDERS.is_dir(),
    reason="the providers are not installed: run `terraform -chdir=terraform init -backend=false`",
)


@needs_terraform
def test_the_files_are_in_terraforms_form() -> None:
    _terraform("fmt", "-check", "-diff", "-recursive")


@needs_terraform
@needs_providers
def test_the_configuration_is_valid() -> None:
    _terraform("validate", "-no-color")


@needs_terraform
@needs_providers
def test_the_deployment_is_as_its_tests_say() -> None:
    _terraform("test", "-no-color")


def _terraform(*arguments: str) -> None:
    command = ["terraform", f"-chdir={TERRAFORM}", *arguments]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
