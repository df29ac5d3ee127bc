"""fastembed with our graphs in fp32, the precision of the CLIP that it offers."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from benchmarks.peers.given import Given
from benchmarks.peers.sides import fastembeds


def open_side(what: str, given: Given, effort: None) -> Callable[[int], Any]:
    return fastembeds.opened(what, given, "fp32")
