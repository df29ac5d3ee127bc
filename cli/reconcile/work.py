"""Does what the plan says, with a bar, and reports."""

from __future__ import annotations

from typing import Any

from tqdm import tqdm

from cli.common.output import result, say, warn
from cli.common.progress import bar
from cli.reconcile import fill
from cli.reconcile.options import Options
from cli.reconcile.plan import Plan, make_plan
from clipsearch.errors import StorageError
from clipsearch.index.reader.snapshot_reader import SnapshotReader
from clipsearch.index.reconcile_log import CoverageReader
from clipsearch.telemetry import Timing
from ingest.indexing import index_photos, remove_photos
from ingest.messages import Index, Message, Reconcile, Remove
from ingest.reconcile import run

TROUBLED_AT_ONCE = 3  # consecutive messages with storage errors: then the rest stays pending, too
FAILURES_SHOWN = 100


class Here:
    """Does the work of each message at once. Photos with storage errors stay pending."""

    keeps = False

    def __init__(self, options: Options, shown: tqdm[Any]) -> None:
        self._services = options.services
        self._bar = shown
        self._troubled = 0

    def send(self, message: Message) -> None:
        if self._troubled >= TROUBLED_AT_ONCE or not isinstance(message, Index | Remove):
            return
        try:
            if isinstance(message, Index):
                encoder = self._services.model.encoder()
                index_photos(message.photos, self._services, encoder, Timing(), self._bar.update)
            else:
                remove_photos(message.photos, (message.space,), self._services)
            self._troubled = 0
        except StorageError as error:
            self._troubled += 1
            warn(f"{len(message.photos)} photos stay pending: {error}")

    def flush(self) -> None:
        pass


def reconcile(options: Options) -> int:
    """The exit code: 1 if something is pending."""
    plan = make_plan(options)
    if options.plan_only:
        result(*plan.report(options))
        return 0
    fill.begin(options)
    figures = carry_out(options, plan)
    if not figures["pending"]:
        fill.end(options)
    result(figures)
    return 1 if figures["pending"] else 0


def carry_out(options: Options, plan: Plan) -> dict[str, Any]:
    """Do it and say what is in the index; returns the same as figures."""
    say(plan.summary())
    services = options.services
    with bar("indexing", total=plan.photos) as shown:
        here = Here(options, shown)
        message = Reconcile(options.space)
        run.reconcile(services.photos, services.index, message, here, float("inf"))
    return _report(options)


def _report(options: Options) -> dict[str, Any]:
    index = options.services.index
    coverage = CoverageReader(index, options.space).newest()
    snapshot = SnapshotReader(index, options.space, keep_vectors=False).refresh()
    assert coverage is not None
    entries, failed = snapshot.entries, snapshot.failures - snapshot.skipped
    failures = [
        {"name": entries.name(row), "reason": entries.reason(row)}
        for row in snapshot.newest_failures(FAILURES_SHOWN)
    ]
    for failure in failures:
        warn(f"cannot be indexed: {failure['name']}: {failure['reason']}")
    if failed > FAILURES_SHOWN:
        warn(f"… and {failed - FAILURES_SHOWN} more")
    pending = len(coverage.pending.still(snapshot.catalogue).keys)
    say(
        f"{coverage.objects} objects, {snapshot.photos} indexed, {failed} failed, "
        f"{snapshot.skipped} skipped, {pending} pending"
    )
    return {
        "objects": coverage.objects,
        "indexed": snapshot.photos,
        "failed": failed,
        "skipped": snapshot.skipped,
        "pending": pending,
        "failures": failures,
    }
