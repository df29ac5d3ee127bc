"""Which precision each matrix of a tower has."""

from __future__ import annotations

from collections.abc import Set
from dataclasses import dataclass
from typing import TypeAlias

from clipsearch.model.manifest import Precision


@dataclass(frozen=True, slots=True)
class Plan:
    """`precision` is the tower's; the matrices named in `exact` are in fp32 all the same."""

    precision: Precision
    exact: Set[str] = frozenset()


Precisions: TypeAlias = Precision | Plan


def precision_of(name: str, precision: Precisions) -> Precision:
    """The precision of the matrix `name`."""
    if isinstance(precision, Plan):
        return "fp32" if name in precision.exact else precision.precision
    return precision


def of_tower(precision: Precisions) -> Precision:
    return precision.precision if isinstance(precision, Plan) else precision
