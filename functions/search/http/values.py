"""Checks the kinds of JSON values."""

import json
from collections.abc import Collection
from typing import Any

from search.engine.errors import BadQuery, quoted


def as_text(value: Any, where: str) -> str:
    """Raises BadQuery."""
    if not isinstance(value, str):
        raise BadQuery(f"{where} must be a string, not {shown(value)}")
    if not value.isascii() and any("\ud800" <= character <= "\udfff" for character in value):
        raise BadQuery(f"{where} has half of a surrogate pair; send valid Unicode")
    return value


def as_list(value: Any, where: str) -> list[Any]:
    """Raises BadQuery."""
    if not isinstance(value, list):
        raise BadQuery(f"{where} must be a list, not {shown(value)}")
    return value


def as_object(value: Any, where: str, allowed: Collection[str]) -> dict[str, Any]:
    """Raises BadQuery, also for keys other than `allowed`."""
    if not isinstance(value, dict):
        raise BadQuery(f"{where} must be an object, not {shown(value)}")
    for name in value:
        if name not in allowed:
            known = ", ".join(allowed)
            raise BadQuery(f"{where} has the unknown key {quoted(name)}; allowed: {known}")
    return value


def is_number(value: Any) -> bool:
    """Whether it is a number, perhaps nan, and not true or false."""
    return isinstance(value, int | float) and not isinstance(value, bool)


def shown(value: Any) -> str:
    """The value for a message."""
    return quoted(json.dumps(value))
