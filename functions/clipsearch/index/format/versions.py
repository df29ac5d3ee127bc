"""Formats of later versions: objects that this version must neither interpret nor delete.

A format's number changes only if a reader from before would answer wrongly. Every format keeps
`format`, as the first array of an .npz and as a field of a JSON document.
"""

from __future__ import annotations

from typing import Any

from clipsearch.errors import UnknownFormat


def refuse_newer(path: str, found: Any, known: int) -> None:
    """Raise UnknownFormat if `found` is a greater number than `known`, this version's format."""
    if type(found) is int and found > known:
        raise UnknownFormat(path, found, known)
