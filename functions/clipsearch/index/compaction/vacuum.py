"""Sweeping: objects that nobody needs any more are deleted.

Only what a commit older than GRACE no longer names; whoever read an older commit has long
finished with it, or finds out and looks again.
"""

from __future__ import annotations

from collections.abc import Iterable

from clipsearch.index.compaction.run import Run, in_parallel
from clipsearch.index.compaction.transaction import Ledger, read_ledger, settled_commit
from clipsearch.index.format.commits import Commit
from clipsearch.index.format.packs import parse_pack_path, quantizer_id
from clipsearch.index.format.segments import segment_path

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
    """Packs and quantizers that neither commit needs, and that no later one can name.

    A run names packs of the quantizer that it found in the newest commit, or of a new one of
    its own, and lasts less than GRACE: what a killed one has left of the former is found again,
    of the latter never.
    """
    commits = ledger.commit, settled
    segments = ledger.listed.keys() - run.gone
    quantizers = {quantizer_id(commit.quantizer) for commit in commits if commit.quantizer}
    used = {pack for commit in commits for pack in commit.packs.values()}

    def is_useful(pack: str) -> bool:
        said = parse_pack_path(pack)
        can_be_named = said and said.segment in segments and said.quantizer in quantizers
        return pack in used or bool(can_be_named)

    useless = [pack for pack in _settled(run, "packs") if not is_useful(pack)]
    quantizers |= {said.quantizer for pack in used if (said := parse_pack_path(pack))}
    return useless + [q for q in _settled(run, "quantizers") if quantizer_id(q) not in quantizers]


def _settled(run: Run, folder: str) -> list[str]:
    """Objects so old that whoever wrote them has come to an end."""
    stats = run.bucket.list(f"{run.space}/{folder}/")
    return [stat.name for stat in stats if run.is_past_grace(stat.updated)]


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
