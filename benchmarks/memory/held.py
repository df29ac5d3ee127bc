"""The bytes of all arrays and byte strings that objects hold, each counted once."""

from __future__ import annotations

import dataclasses
import sys
from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any

import faiss
import numpy as np

DEEPEST = 12


def held(**roots: Any) -> dict[str, int]:
    """Bytes by the name of the attribute that holds them, the largest first.

    FAISS's own copies of codes and vectors are `faiss codes` and `faiss vectors`.
    """
    found: Counter[str] = Counter()
    seen: set[int] = set()
    for root in roots.values():
        _collect(root, "", DEEPEST, found, seen)
    return dict(found.most_common())


def _collect(value: Any, name: str, left: int, found: Counter[str], seen: set[int]) -> None:
    if isinstance(value, np.ndarray):
        value = _owner(value)
    if id(value) in seen or not left:
        return
    seen.add(id(value))
    if isinstance(value, np.ndarray):
        found[name] += value.nbytes
    elif isinstance(value, bytes):
        found[name] += sys.getsizeof(value)
    elif isinstance(value, faiss.IndexPQFastScan):
        found["faiss codes"] += value.codes.size()
    elif isinstance(value, faiss.IndexFlat):
        found["faiss vectors"] += value.ntotal * value.code_size
    else:
        if isinstance(value, list | tuple) and len(value) > 1000:
            found[name] += sys.getsizeof(value)
        for attribute, part in _parts(value):
            _collect(part, attribute or name, left - 1, found, seen)


def _owner(array: np.ndarray[Any, Any]) -> Any:
    """The object that owns the array's memory."""
    while isinstance(array.base, np.ndarray):
        array = array.base
    return array


def _parts(value: Any) -> Iterator[tuple[str, Any]]:
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        for field in dataclasses.fields(value):
            yield field.name.lstrip("_"), getattr(value, field.name, None)
    if isinstance(value, Mapping):
        yield from (("", part) for part in value.values())
    elif isinstance(value, list | tuple | set | frozenset):
        yield from (("", part) for part in value)
    elif type(value).__module__.startswith("clipsearch"):
        for name, part in getattr(value, "__dict__", {}).items():
            yield name.lstrip("_"), part
