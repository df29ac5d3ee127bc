"""Sweeping: objects that nobody needs any more are deleted.

Only what a commit older than GRACE no longer names; whoever read an older commit has long
finished with it, or finds out and looks again.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from clipsearch.commits import Commit
from clipsearch.compaction.ledger import Ledger, read_ledger, settled_commit
from clipsearch.compaction.run import Run, in_parallel
from clipsearch.segments import segment_path
from clipsearch.storage import Stat

AT_ONCE = 256  # deletions between two looks at the time


def sweep(run: Run) -> None:
    """Delete replaced segments, packs and quantizers without use, and old commits."""
    settled, outdated = settled_commit(
        run.bucket, run.space, lambda stat: run.is_past_grace(stat.updated)
    )
    if settled is None:
        return
    ledger = read_ledger(run.bucket, run.space)
    # The same pair: a segment may have come back, when a damaged commit was started over from.
    dead = {old for old, new in settled.replaced.items() if ledger.commit.replaced.get(old) == new}
    there = sorted(dead & ledger.listed.keys())
    if _delete(run, [segment_path(run.space, name) for name in there]):
        run.gone = frozenset(dead)
        _delete(run, [*_useless_packs(run, ledger, settled), *outdated])


def _useless_packs(run: Run, ledger: Ledger, settled: Commit) -> list[str]:
    """Packs and quantizers that neither commit needs, and that no later one can name."""
    newest = ledger.commit
    segments = ledger.listed.keys() - run.gone
    used_packs = {pack for commit in (newest, settled) for pack in commit.packs.values()}
    used_quantizers = {newest.quantizer, settled.quantizer}
    ids = {found[1] for pack in used_packs if (found := re.search(r"-(\w+)-\d+\.pack$", pack))}
    packs = _settled(run, f"{run.space}/packs/")
    quantizers = _settled(run, f"{run.space}/quantizers/")
    useless = []
    for name, stat in packs.items():
        segment = f"{name.rpartition('/')[2][:29]}.npz"
        is_outdated = _is_before(stat, packs.get(newest.packs.get(segment, "")))
        if name not in used_packs and (segment not in segments or is_outdated):
            useless.append(name)
    for name, stat in quantizers.items():
        is_outdated = _is_before(stat, quantizers.get(newest.quantizer or ""))
        is_used = name in used_quantizers or name[:-4].rpartition("-")[2] in ids
        if is_outdated and not is_used:
            useless.append(name)
    return useless


def _settled(run: Run, prefix: str) -> dict[str, Stat]:
    stats = run.bucket.list(prefix)
    return {stat.name: stat for stat in stats if run.is_past_grace(stat.updated)}


def _is_before(stat: Stat, used: Stat | None) -> bool:
    """Only then it is outdated: one that came later may belong to unfinished work."""
    return used is not None and stat.updated < used.updated


def _delete(run: Run, paths: Iterable[str]) -> bool:
    """Whether there was time for all of them."""
    paths = list(paths)
    for start in range(0, len(paths), AT_ONCE):
        if not run.has(0):
            return False
        part = paths[start : start + AT_ONCE]
        in_parallel(run.bucket.delete, part)
        run.report.deleted_objects += len(part)
    return True
