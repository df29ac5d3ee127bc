"""The libraries that decide on pixels and vectors are the project's own."""

from importlib.metadata import PackageNotFoundError, version

import pytest

from cli import ROOT
from cli.common.errors import UsageError
from cli.embed.environment import check_pins, pins
from tests.test_requirements import locked
from tests.test_requirements import version as pinned


def test_the_pins_are_those_of_the_functions():
    assert {"pillow", "pillow-heif", "numpy", "onnxruntime", "faiss-cpu"} <= pins().keys()
    assert all(version(package) == wanted for package, wanted in pins().items())
    check_pins()


def test_another_pillow_is_refused():
    def installed(package):
        return "12.1.1" if package == "pillow" else version(package)

    with pytest.raises(UsageError, match=r"pillow is 12\.1\.1; it must be 13\.0\.0.*other pixels"):
        check_pins(installed)


def test_a_missing_package_is_named():
    def installed(package):
        raise PackageNotFoundError(package)

    with pytest.raises(UsageError, match="is missing; it must be"):
        check_pins(installed)


def test_the_lock_overrides_what_beam_asks_for():
    """Beam's own pin of Pillow is older. `make lock` names the override."""
    found = {line.name: pinned(line) for line, _ in locked("cli/embed/requirements.txt")}
    assert {package: found[package] for package in pins()} == pins()
    overrides = (ROOT / "cli/embed/overrides.txt").read_text()
    assert f"pillow=={pins()['pillow']}" in overrides.splitlines()
