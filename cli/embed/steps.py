"""The steps of the pipeline as Beam's DoFns. Each calls one function of this package.

A DoFn is sent to the processes as a pickle, so it keeps the Job and opens buckets where it runs.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import apache_beam as beam
from apache_beam.metrics import Metrics
from apache_beam.transforms.window import GlobalWindow
from apache_beam.utils.windowed_value import WindowedValue

from cli.embed import compaction, orphans, records
from cli.embed.apart import apart
from cli.embed.comparing import AT_ONCE, compare
from cli.embed.embedder import embedder_of
from cli.embed.embedding import Bundle
from cli.embed.job import Job, services_of
from cli.embed.known import read_known
from cli.embed.ranges import Range, list_range
from cli.embed.records import Record
from ingest.messages import Wanted
from ingest.reconcile.run import LARGEST_REMOVE

NAMESPACE = "clipsearch"
WANTED, ORPHANS = "wanted", "orphans"


def count(name: str, number: int = 1) -> None:
    if number:
        Metrics.counter(NAMESPACE, name).inc(number)


class _Step(beam.DoFn):
    def __init__(self, job: Job) -> None:
        self._job = job

    @property
    def _index(self) -> Any:
        return services_of(self._job).index


class ListRange(_Step):
    def process(self, names: Range) -> Iterator[Record]:
        found = 0
        for stat in list_range(services_of(self._job).photos, names):
            found += 1
            yield records.of_listed(stat)
        count("objects", found)


class ReadKnown(_Step):
    def process(self, segment: tuple[str, str]) -> Iterator[Record]:
        entries = read_known(self._index, self._job.space, *segment)
        if entries is None:
            count("damaged")
        else:
            number = 0
            for record in records.of_known(entries):
                number += 1
                yield record
            count("known", number)


class Bind(beam.DoFn):
    """Records to sheaves of them."""

    def start_bundle(self) -> None:
        self._sheaves = records.Sheaves()

    def process(self, record: Record) -> Iterator[records.Sheaf]:
        yield from self._sheaves.add(record)

    def finish_bundle(self) -> Iterator[Any]:
        for sheaf in self._sheaves.take():
            yield _outside(sheaf)


class Compare(_Step):
    """Of all sheaves with one beginning: what is wanted and what is orphaned."""

    def process(self, sheaves: tuple[bytes, Iterable[bytes]]) -> Iterator[Any]:
        for groups in _cut(records.groups_in(sheaves[1]), AT_ONCE):
            count("compared", sum(map(len, groups)))
            yield from self._found(groups)

    def _found(self, groups: list[list[bytes]]) -> Iterator[Any]:
        found = compare(groups)
        for name in ("indexed", "failed", "skipped"):
            count(f"{name} before", getattr(found, name))
        count(WANTED, len(found.wanted))
        for wanted in _cut(found.wanted, AT_ONCE // 4):
            yield beam.pvalue.TaggedOutput(WANTED, [_plain(photo) for photo in wanted])
        for gone in _cut(found.orphans, LARGEST_REMOVE[0]):
            yield beam.pvalue.TaggedOutput(ORPHANS, gone)


class Embed(_Step):
    """Lists of photos to segments; yields the number of segments."""

    def start_bundle(self) -> None:
        self._bundle = Bundle(self._job, embedder_of(self._job).embed)

    def process(self, photos: list[tuple[Any, ...]]) -> None:
        self._bundle.add([Wanted(*photo) for photo in photos])

    def finish_bundle(self) -> Iterator[Any]:
        self._bundle.finish()
        for name, number in self._bundle.count.items():
            count(name, number)
        yield _outside(self._bundle.count["segments"])


class RemoveOrphans(_Step):
    def process(self, gone: list[tuple[str, int]], listed: int, known: int) -> Iterator[int]:
        """`listed`: photos in the bucket; `known`: all orphans."""
        if not listed and known > orphans.GONE_AT_ONCE and not self._job.may_empty:
            count("kept", len(gone))
            return
        removed = orphans.remove_orphans(self._job, gone)
        count("removed", removed)
        yield removed


class Groups(_Step):
    """Segments to merge, once all of `after` is done."""

    def process(self, _: object, *after: Iterable[object]) -> Iterator[list[str]]:
        yield from compaction.groups(self._index, self._job.space)


class Merge(_Step):
    def process(self, names: list[str]) -> Iterator[int]:
        yield apart("merge_group", self._job, names)


class PacksToMake(_Step):
    def process(self, _: object, *after: Iterable[object]) -> Iterator[tuple[str, str]]:
        yield from apart("packs_to_make", self._job)


class MakePack(_Step):
    def process(self, segment: tuple[str, str]) -> Iterator[compaction.Packed]:
        made = apart("make_pack", self._job, *segment)
        if made:
            yield made


class PublishPacks(_Step):
    def process(self, _: object, packed: Iterable[compaction.Packed]) -> None:
        count("packs", compaction.publish_packs(self._index, self._job.space, packed))


def _plain(photo: Wanted) -> tuple[Any, ...]:
    """Beam encodes tuples faster than objects."""
    return photo.name, photo.generation, photo.size, photo.at, photo.known


def _cut(items: list[Any], size: int) -> Iterator[list[Any]]:
    for begin in range(0, len(items), size):
        yield items[begin : begin + size]


def _outside(value: object) -> WindowedValue:
    """What finish_bundle yields belongs to no element, so it must name its window."""
    return WindowedValue(value, GlobalWindow().max_timestamp(), [GlobalWindow()])
