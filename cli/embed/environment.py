"""Is Beam there, and do the libraries decode and embed as in the cloud?"""

from __future__ import annotations

import importlib.util
import re
from collections.abc import Callable
from importlib.metadata import PackageNotFoundError, version

from cli import ROOT
from cli.common.errors import UsageError

REQUIREMENTS = ROOT / "functions/requirements.in"


def pins() -> dict[str, str]:
    """The packages that the index depends on, such as Pillow, with their exact versions."""
    lines = REQUIREMENTS.read_text().splitlines()
    found = (re.fullmatch(r"([\w.-]+)==([\w.]+)", line) for line in lines)
    return {match[1]: match[2] for match in found if match}


def check_pins(installed: Callable[[str], str] = version) -> None:
    """UsageError if another version is installed: its pixels or vectors may differ."""
    for package, wanted in pins().items():
        try:
            found = installed(package)
        except PackageNotFoundError:
            found = "missing"
        if found != wanted:
            raise UsageError(
                f"{package} is {found}; it must be {wanted}, as in ingest: another version may "
                "decode a photo to other pixels. Install cli/embed/requirements.txt with --no-deps"
            )


def check_beam() -> None:
    """UsageError without Apache Beam."""
    if importlib.util.find_spec("apache_beam") is None:
        raise UsageError(
            "clipsearch embed needs Apache Beam, which has an environment of its own: use make "
            "embed, or pip install --no-deps -r cli/embed/requirements.txt"
        )
