"""The pipeline: list and read, compare, embed and remove, merge, pack.

    ranges ──ListRange──┐
                        ├─ group by key ─ Compare ─┬─ wanted ── Embed ─────────┐
    segments ─ReadKnown─┘                          └─ orphans ─ RemoveOrphans ─┴─ Groups ─ Merge
                                                               PacksToMake ─ MakePack ─ PublishPacks

Both sides have the photo's 16-byte key and a byte that says which side they are of, so one grouping
does what CoGroupByKey does. It groups by the beginning of the key (records.Sheaves).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import apache_beam as beam
from apache_beam.pvalue import AsIter, AsSingleton

from cli.embed import steps
from cli.embed.job import Job
from cli.embed.ranges import Range


def build(
    pipeline: Any, job: Job, ranges: Sequence[Range], segments: Sequence[tuple[str, str]]
) -> None:
    """Add the steps to `pipeline`. `segments` must have been listed before the photos are."""
    listed = _spread(pipeline, "ranges", ranges) | "list" >> _typed(steps.ListRange(job))
    known = _spread(pipeline, "segments", segments) | "read index" >> _typed(steps.ReadKnown(job))
    found = (
        (listed, known)
        | "both" >> beam.Flatten()
        | "bind" >> _typed(steps.Bind())
        | "by key" >> beam.GroupByKey()
        | "compare" >> beam.ParDo(steps.Compare(job)).with_outputs(steps.WANTED, steps.ORPHANS)
    )
    embedded = (
        found[steps.WANTED]
        | "share photos" >> beam.Reshuffle()
        | "embed" >> beam.ParDo(steps.Embed(job))
    )
    orphans = found[steps.ORPHANS]
    removed = orphans | "remove" >> beam.ParDo(
        steps.RemoveOrphans(job),
        listed=AsSingleton(listed | "count listed" >> beam.combiners.Count.Globally()),
        known=AsSingleton(orphans | "sizes" >> beam.Map(len) | beam.CombineGlobally(sum)),
    )
    _compact(pipeline, job, embedded, removed)


def _compact(pipeline: Any, job: Job, *after: Any) -> None:
    """A side input is whole before the step that takes it begins."""
    merged = (
        pipeline
        | "then merge" >> beam.Create([None])
        | "groups" >> beam.ParDo(steps.Groups(job), *map(AsIter, after))
        | "share groups" >> beam.Reshuffle()
        | "merge" >> beam.ParDo(steps.Merge(job))
    )
    packed = (
        pipeline
        | "then pack" >> beam.Create([None])
        | "packs" >> beam.ParDo(steps.PacksToMake(job), AsIter(merged))
        | "share packs" >> beam.Reshuffle()
        | "pack" >> beam.ParDo(steps.MakePack(job))
    )
    (
        pipeline
        | "then publish" >> beam.Create([None])
        | "publish" >> beam.ParDo(steps.PublishPacks(job), AsIter(packed))
    )


def _spread(pipeline: Any, what: str, items: Sequence[Any]) -> Any:
    return pipeline | what >> beam.Create(items) | f"share {what}" >> beam.Reshuffle()


def _typed(step: beam.DoFn) -> Any:
    """With its type, Beam groups the records as bytes, not as pickles."""
    return beam.ParDo(step).with_output_types(tuple[bytes, bytes])
