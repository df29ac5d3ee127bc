"""terraform/ as read by python-hcl2: expressions stay text, nothing is evaluated."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
TERRAFORM = ROOT / "terraform"


@dataclass
class Configuration:
    """All files of terraform/ together. Blocks are lists of dicts, as in HCL."""

    resources: dict[str, dict[str, dict[str, Any]]]  # type → name → body
    data: dict[str, dict[str, dict[str, Any]]]
    variables: dict[str, dict[str, Any]]
    outputs: dict[str, dict[str, Any]]
    locals: dict[str, Any]

    def all(self, type_: str) -> dict[str, dict[str, Any]]:
        return self.resources.get(type_, {})

    def grants(self) -> list[dict[str, Any]]:
        """Every resource that grants a role."""
        types = [type_ for type_ in self.resources if type_.endswith("_iam_member")]
        return [
            {"address": f"{type_}.{name}", **body}
            for type_ in types
            for name, body in self.all(type_).items()
        ]


@pytest.fixture(scope="session")
def configuration() -> Configuration:
    return parse(TERRAFORM)


def parse(folder: Path) -> Configuration:
    import hcl2
    from hcl2.utils import SerializationOptions

    options = SerializationOptions(
        with_comments=False, explicit_blocks=False, strip_string_quotes=True
    )
    found = Configuration({}, {}, {}, {}, {})
    for path in sorted(folder.glob("*.tf")):
        with path.open() as stream:
            file = hcl2.load(stream, serialization_options=options)
        for kind, target in (("resource", found.resources), ("data", found.data)):
            for block in file.get(kind, []):
                for type_, named in block.items():
                    target.setdefault(type_, {}).update(unquoted(named))
        for kind, flat in (("variable", found.variables), ("output", found.outputs)):
            for block in file.get(kind, []):
                flat.update(unquoted(block))
        for block in file.get("locals", []):
            found.locals.update(block)
    found.resources = unquoted(found.resources)
    found.data = unquoted(found.data)
    return found


def unquoted(named: dict[str, Any]) -> dict[str, Any]:
    """Labels may keep their quotes."""
    return {name.strip('"'): body for name, body in named.items()}
