"""GET /openapi.json: openapi.json of this folder, with the version filled in."""

import json
from functools import cache
from pathlib import Path

from clipsearch.version import __version__


@cache
def document() -> bytes:
    described = json.loads(Path(__file__).with_name("openapi.json").read_bytes())
    described["info"]["version"] = __version__
    return json.dumps(described, ensure_ascii=False).encode()
