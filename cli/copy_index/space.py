"""Copies the index of one space: segments, packs, and a commit that makes them the index."""

from __future__ import annotations

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import partial

from cli.common.errors import RunError
from cli.common.progress import bar
from cli.copy_index.objects import Check, Copier
from cli.copy_index.record import Record, another_copy
from clipsearch.errors import (
    DamagedObject,
    ObjectExists,
    ObjectNotFound,
    StorageError,
    UnknownFormat,
)
from clipsearch.index.compaction.transaction import Inventory, read_inventory
from clipsearch.index.compaction.vacuum import NOWHERE
from clipsearch.index.format.commits import (
    Commit,
    commit_number,
    newest_commit,
    publish_commit,
)
from clipsearch.index.format.packs import check_pack, parse_pack_path, quantizer_id
from clipsearch.index.format.quantizer import quantizer_of
from clipsearch.index.format.segments import (
    entries_of,
    is_segment_name,
    segment_path,
    segments_prefix,
)
from clipsearch.storage import Stat

LOOKS = 20  # one usually suffices: a merged segment stays for two hours
AT_ONCE = 4  # objects; the largest have 150 MB


@dataclass(frozen=True, slots=True)
class _Look:
    """The segments in the source, then its newest commit; one that is damaged counts as empty."""

    listed: Mapping[str, Stat]
    commit: Commit


def copy_space(copier: Copier, record: Record, space: str) -> Commit:
    """Make the index of `space` in the target that of the source; returns its commit there.

    Raises UnknownFormat, StorageError, UsageError and RunError.
    """
    number = -1  # of the look before
    vanished: ObjectNotFound | None = None
    for _ in range(LOOKS):
        there = read_inventory(copier.target, space)
        record.refuse_others(space, there.listed)
        look = _look(copier, space)
        # No newer commit: no merge replaced what vanished, so it is lost.
        is_lost = vanished is not None and look.commit.number == number
        number = look.commit.number
        try:
            return _Space(copier, record, space, there, look, is_lost).copy()
        except ObjectNotFound as exc:
            vanished = exc
    raise StorageError(
        f"objects of {space!r} in {copier.source.url} vanished during {LOOKS} looks in a row; "
        f"repeat the command, which continues; last error: {vanished}"
    )


def _look(copier: Copier, space: str) -> _Look:
    prefix = segments_prefix(space)
    stats = {stat.name.removeprefix(prefix): stat for stat in copier.source.list(prefix)}
    listed = {name: stat for name, stat in stats.items() if is_segment_name(name)}
    try:
        return _Look(listed, newest_commit(copier.source, space))
    except UnknownFormat:
        raise
    except DamagedObject as damaged:
        copier.report(damaged.name, damaged.reason)
        return _Look(listed, Commit(space, commit_number(damaged.name, space)))


class _Space:
    """One try. `there`: the target before the look. `is_lost`: a missing object is damaged."""

    def __init__(
        self,
        copier: Copier,
        record: Record,
        space: str,
        there: Inventory,
        look: _Look,
        is_lost: bool,
    ) -> None:
        self._copier, self._record, self._space = copier, record, space
        self._there, self._look, self._is_lost = there, look, is_lost

    def copy(self) -> Commit:
        """Raises ObjectNotFound if an object vanished meanwhile."""
        commit = self._look.commit
        wanted = {*commit.segments, *(self._look.listed.keys() - commit.replaced.keys())}
        damaged = self._segments(wanted)
        while damaged:
            # The sources of a damaged segment replace it while they exist.
            sources = {old for old, new in commit.replaced.items() if new in damaged}
            more = (sources & self._look.listed.keys()) - wanted
            if not more:
                break
            wanted |= more
            damaged |= self._segments(more)
        packs, quantizer = self._packs(damaged)
        return self._publish(wanted, damaged, packs, quantizer)

    def _segments(self, names: set[str]) -> set[str]:
        """Copy these segments; returns the damaged ones."""
        listed, there = self._look.listed, self._there.listed
        missing = names - listed.keys()
        for name in sorted(missing):
            self._lost(segment_path(self._space, name))
        names = names - missing
        self._record.add(self._space, names)
        work = {}
        for name in sorted(names):
            path = segment_path(self._space, name)
            work[name] = listed[name], there.get(name), partial(entries_of, path, self._space)
        return missing | self._copy(f"index {self._space}", work)

    def _packs(self, damaged: set[str]) -> tuple[dict[str, str], str | None]:
        """Copy the packs and their quantizers; returns those that the copy can use."""
        commit = self._look.commit
        wanted = {name: path for name, path in commit.packs.items() if name not in damaged}
        quantizers = self._files("quantizers")
        needed = {said.quantizer for p in wanted.values() if (said := parse_pack_path(p))}
        work: dict[str, tuple[Stat, Stat | None, Check]] = {}
        for path, (stat, there) in quantizers.items():
            if path == commit.quantizer or quantizer_id(path) in needed:
                work[path] = stat, there, partial(quantizer_of, path, self._space)
        unusable = self._copy(f"quantizers {self._space}", work)
        if commit.quantizer and commit.quantizer not in work:
            self._lost(commit.quantizer)
            unusable.add(commit.quantizer)
        usable = {quantizer_id(path) for path in work.keys() - unusable}
        files, work = self._files("packs"), {}
        for path in wanted.values():
            said = parse_pack_path(path)
            if said is None or said.quantizer not in usable:
                continue
            if path not in files:
                self._lost(path)
                continue
            work[path] = *files[path], partial(check_pack, path, self._space)
        left_out = self._copy(f"packs {self._space}", work)
        made = work.keys() - left_out
        packs = {name: path for name, path in wanted.items() if path in made}
        quantizer = None if commit.quantizer in unusable else commit.quantizer
        return packs, quantizer

    def _publish(
        self, wanted: set[str], damaged: set[str], packs: dict[str, str], quantizer: str | None
    ) -> Commit:
        commit, before = self._look.commit, self._there.commit
        there = self._there.listed.keys()
        replaced = {
            old: new
            for old, new in commit.replaced.items()
            if old in there and old not in wanted and new not in damaged
        }
        stale = there - wanted - replaced.keys()
        following = replace(
            commit,
            segments=tuple(name for name in commit.segments if name not in damaged),
            sizes={name: n for name, n in commit.sizes.items() if name not in damaged},
            replaced={**replaced, **dict.fromkeys(sorted(stale), NOWHERE)},
            packs=packs,
            quantizer=quantizer,
            number=before.number,
            created=before.created,
        )
        if following == before:
            return before
        published = replace(following, number=before.number + 1, created=None)
        try:
            publish_commit(self._copier.target, published)
        except ObjectExists as error:
            raise RunError(another_copy(self._copier.target)) from error
        return published

    def _copy(self, what: str, work: Mapping[str, tuple[Stat, Stat | None, Check]]) -> set[str]:
        """Copy all in parallel; returns the keys of those that are damaged."""
        total = sum(stat.size for stat, _, _ in work.values())
        with (
            bar(what, total=total, unit="B", unit_scale=True) as shown,
            ThreadPoolExecutor(AT_ONCE, "clipsearch-copy") as pool,
        ):

            def one(key: str) -> bool:
                stat, there, check = work[key]
                try:
                    is_sound = self._copier.copy(stat, there, check)
                except ObjectNotFound:
                    self._lost(stat.name)
                    is_sound = False
                shown.update(stat.size)
                return is_sound

            try:
                sound = list(pool.map(one, work))
            except BaseException:
                pool.shutdown(cancel_futures=True)
                raise
        return {key for key, is_sound in zip(work, sound, strict=True) if not is_sound}

    def _lost(self, path: str) -> None:
        if not self._is_lost:
            raise ObjectNotFound(path)
        self._copier.report(path, "it is missing")

    def _files(self, folder: str) -> dict[str, tuple[Stat, Stat | None]]:
        """{name: (in the source, in the target)}"""
        prefix = f"{self._space}/{folder}/"
        there = {stat.name: stat for stat in self._copier.target.list(prefix)}
        return {s.name: (s, there.get(s.name)) for s in self._copier.source.list(prefix)}
