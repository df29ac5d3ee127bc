"""Which entries lack facts, and the entries that fill them in.

An entry is never changed. A new one repeats its vector and has the facts; it wins by the merge rule
(entries.py).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from clipsearch.index.format.entries import Entries, Kind
from clipsearch.index.format.facts import Facts, Known, facts_rows
from clipsearch.index.format.previews import needs_preview
from clipsearch.index.format.states import States

Array = npt.NDArray[Any]


@dataclass(frozen=True, slots=True)
class Want:
    """What photos need.

    `keeps_places`: a place, if they have one (True), or none (False); None leaves places as they
    are. `previews`: large ones and those that browsers cannot show need a preview.
    """

    keeps_places: bool | None = None
    previews: bool = False


def lacking(entries: States, want: Want, thumbnail: int) -> npt.NDArray[np.bool_]:
    """(n,) mask of the photos that need (other) facts. `thumbnail`: the version that thumbnails
    should have."""
    flags, version = entries.facts["flags"], entries.facts["thumbnail"]
    lacks = ~_has(flags, Known.LOOKED)
    lacks |= (version > 0) & (version < thumbnail)
    if want.keeps_places is not None:
        keeps = want.keeps_places
        lacks |= ~_has(flags, Known.KEEPS_PLACES) if keeps else _has(flags, Known.PLACE)
    if want.previews:
        facts, sizes = entries.facts, (entries.widths, entries.heights)
        needs = needs_preview(facts["format"], facts["bytes"], *sizes)
        lacks |= needs & ~_has(flags, Known.PREVIEW | Known.NO_PREVIEW)
    return np.asarray(lacks & (entries.kinds == Kind.VECTOR))


def filled(entries: Entries, facts: Mapping[int, Facts], time_us: int) -> Entries:
    """The entries at the rows in `facts`, in order of rows, with these facts.

    They are written at `time_us`, or just after the entries that they must win over, if the clock
    of those was ahead.
    """
    keep = np.zeros(len(entries), bool)
    rows = sorted(facts)
    keep[rows] = True
    kept = entries.take(keep)
    times = np.maximum(kept.times + 1, time_us)
    return replace(kept, times=times, facts=facts_rows([facts[row] for row in rows]))


def _has(flags: Array, known: Known) -> Array:
    return np.asarray(flags & np.uint8(known) > 0)
