"""Decides what must be done about a few photos: the decisions are those of a reconcile."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from cli.embed.records import known_in, listed_in
from clipsearch.index.reader.catalogue import Catalogue
from clipsearch.index.reconcile_log import Pending
from ingest.messages import Wanted
from ingest.reconcile.comparison import Comparison

AT_ONCE = 1000  # photos


@dataclass(frozen=True, slots=True)
class Found:
    """`wanted`: photos to index. `orphans`: name and generation in the index of photos that were
    not listed."""

    wanted: list[Wanted]
    orphans: list[tuple[str, int]]
    objects: int
    indexed: int
    failed: int
    skipped: int


def compare(groups: Sequence[Sequence[bytes]]) -> Found:
    """`groups`: for each photo, all its values of records.py. Changes nothing.

    The index must have been listed before the bucket, see Comparison.
    """
    catalogue, _ = Catalogue.empty().merged(known_in(groups))
    comparison = Comparison(catalogue, Pending.concat([]))
    stats = [stat for group in groups if (stat := listed_in(group)) is not None]
    wanted = comparison.look(stats) if stats else []
    return Found(
        wanted=wanted,
        orphans=list(comparison.orphans("", "")),
        objects=comparison.objects,
        indexed=comparison.indexed,
        failed=comparison.failed,
        skipped=comparison.skipped,
    )
