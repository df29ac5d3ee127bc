"""GET /openapi.json: the description of the function, kept as the JSON file beside this one."""

from functools import cache
from pathlib import Path


@cache
def document() -> bytes:
    return Path(__file__).with_name("openapi.json").read_bytes()
