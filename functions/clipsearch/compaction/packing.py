# numpy below: import this module inside functions only (nothing heavy before the fork).
"""Packing: large segments of a large space get their packs, and a commit that names them."""

from __future__ import annotations

from dataclasses import replace

from clipsearch.commits import Commit
from clipsearch.compaction.ledger import advance, newest_or_blank
from clipsearch.compaction.run import WORTH_BEGINNING_S, Run
from clipsearch.packs import pack


def pack_all(run: Run) -> bool:
    """Pack what lacks its pack; whether there was time for all. A short run has none.

    A pack that no commit names yet is made again, the same.
    """
    if not run.has(WORTH_BEGINNING_S):
        return False
    made = pack(run.bucket, newest_or_blank(run.bucket, run.space), run.deadline)
    if made is None:
        return True

    def change(newest: Commit) -> Commit | None:
        kept = {name: path for name, path in made.packs.items() if name in newest.segments}
        following = replace(newest, packs={**newest.packs, **kept}, quantizer=made.quantizer)
        return following if following != newest else None

    advance(run.bucket, run.space, change)
    return run.has(0)
