"""GET /docs: the description of the API as a page, which loads nothing else."""

import base64
import hashlib
import json
from functools import cache
from pathlib import Path
from typing import Any

from jinja2 import ChainableUndefined, Environment, FileSystemLoader

from search.http import openapi

FOLDER = Path(__file__).parent


@cache
def page() -> str:
    api = json.loads(openapi.document())
    environment = Environment(
        loader=FileSystemLoader(FOLDER),
        autoescape=True,
        undefined=ChainableUndefined,  # most keys of OpenAPI are optional
        trim_blocks=True,
    )
    environment.filters["resolve"] = lambda node: _resolved(api, node)
    requests = [
        {"method": method.upper(), "path": path, **operation}
        for path, methods in api["paths"].items()
        for method, operation in methods.items()
    ]
    return environment.get_template("docs.html").render(
        api=api,
        requests=requests,
        style=_style(),
        name_of=lambda node: node["$ref"].rpartition("/")[2],
        text_of=lambda value: json.dumps(value, indent=2, ensure_ascii=False),
    )


@cache
def headers() -> dict[str, str]:
    digest = base64.b64encode(hashlib.sha256(_style().encode()).digest()).decode()
    policy = f"default-src 'none'; style-src 'sha256-{digest}'; form-action 'none'; base-uri 'none'"
    return {
        "Content-Security-Policy": policy,
        "Referrer-Policy": "no-referrer",
        "X-Content-Type-Options": "nosniff",
    }


def _style() -> str:
    return (FOLDER / "docs.css").read_text()


def _resolved(api: dict[str, Any], node: Any) -> Any:
    """`node`, or what its $ref points to."""
    while "$ref" in node:
        found = api
        for part in node["$ref"].removeprefix("#/").split("/"):
            found = found[part]
        node = found
    return node
