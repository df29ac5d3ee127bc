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
    """Packs and quantizers that neither commit names, and that no later one can name."""
    commits = (ledger.commit, settled)
    exist = ledger.listed.keys() - run.gone
    named = {c.quantizer for c in commits} | {p for c in commits for p in c.packs.values()}
    useless = []
    for kind in ("packs", "quantizers"):
        stats = {stat.name: stat for stat in run.bucket.list(f"{run.space}/{kind}/")}
        for name, stat in stats.items():
            if name not in named and run.is_past_grace(stat.updated):
                # One that is newer than the one in use may belong to unfinished work.
                now_used = stats.get(_in_use(ledger.commit, name, kind))
                is_of_nothing = kind == "packs" and _segment_of(name) not in exist
                if is_of_nothing or (now_used and now_used.updated > stat.updated):
                    useless.append(name)
    return useless


def _in_use(commit: Commit, name: str, kind: str) -> str:
    """What the commit names in the place of this pack or quantizer; "" if nothing."""
    if kind == "packs":
        return commit.packs.get(_segment_of(name), "")
    return commit.quantizer or ""


def _segment_of(pack: str) -> str:
    found = re.search(r"/([0-9a-f]{16}-[0-9a-f]{12})[^/]*$", pack)
    return f"{found[1]}.npz" if found else ""


def _delete(run: Run, paths: Iterable[str]) -> bool:
    """Whether there was time for all of them."""
    paths = list(paths)
    for start in range(0, len(paths), AT_ONCE):
        if not run.in_time():
            return False
        part = paths[start : start + AT_ONCE]
        in_parallel(run.bucket.delete, part)
        run.report.deleted_objects += len(part)
    return True
