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
from ingest.fill_facts import fill_facts
from ingest.indexing import index_photos, remove_photos
from ingest.messages import Fill, Index, Message, Reconcile, Remove
from ingest.reconcile import run

TROUBLED_AT_ONCE = 3  # consecutive messages with storage errors: then the rest stays pending, too
FAILURES_SHOWN = 100


class Here:
    """Does the work of each message at once. Photos with storage errors stay pending, or keep
    lacking facts. `filled`: photos whose facts were filled in."""

    keeps = False

    def __init__(self, options: Options, indexing: tqdm[Any], filling: tqdm[Any]) -> None:
        self._options = options
        self._indexing, self._filling = indexing, filling
        self._troubled = 0
        self.filled = 0

    def send(self, message: Message) -> None:
        if self._troubled >= TROUBLED_AT_ONCE:
            return
        try:
            self._carry_out(message)
            self._troubled = 0
        except StorageError as error:
            self._troubled += 1
            if isinstance(message, Index | Remove):
                warn(f"{len(message.photos)} photos stay pending: {error}")
            else:
                warn(f"some photos keep lacking facts: {error}")

    def _carry_out(self, message: Message) -> None:
        services = self._options.services
        match message:
            case Index():
                encoder = services.model.encoder()
                index_photos(message.photos, services, encoder, Timing(), self._indexing.update)
            case Remove():
                remove_photos(message.photos, (message.space,), services)
            case Fill():
                update = self._filling.update
                done = fill_facts(message, services, self._options.want, progress=update)
                self.filled += done.count
                for name, reason in sorted(done.unreadable.items())[:FAILURES_SHOWN]:
                    warn(f"facts cannot be read: {name}: {reason}")

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
    with (
        bar("indexing", total=plan.photos) as indexing,
        bar("filling in facts", total=plan.to_fill) as filling,
    ):
        here = Here(options, indexing, filling)
        message = Reconcile(options.space)
        never = float("inf")
        run.reconcile(services.photos, services.index, message, here, never, options.want)
    return _report(options, here.filled)


def _report(options: Options, filled: int) -> dict[str, Any]:
    index = options.services.index
    coverage = CoverageReader(index, options.space).newest()
    snapshot = SnapshotReader(index, options.space, keep_vectors=False).refresh()
    assert coverage is not None
    entries, failed = snapshot.newest_failed(FAILURES_SHOWN), snapshot.failures - snapshot.skipped
    failures = [
        {"name": entries.name(row), "reason": entries.reason(row)}
        for row in (-entries.times).argsort(kind="stable").tolist()
    ]
    for failure in failures:
        warn(f"cannot be indexed: {failure['name']}: {failure['reason']}")
    if failed > FAILURES_SHOWN:
        warn(f"… and {failed - FAILURES_SHOWN} more")
    photos = coverage.pending
    pending = snapshot.lacking(photos.keys, photos.generations)
    say(
        f"{coverage.objects} objects, {snapshot.photos} indexed, {failed} failed, "
        f"{snapshot.skipped} skipped, {pending} pending"
        f"{f'; facts of {filled} photos filled in' if filled else ''}"
    )
    return {
        "objects": coverage.objects,
        "indexed": snapshot.photos,
        "failed": failed,
        "skipped": snapshot.skipped,
        "pending": pending,
        "filled": filled,
        "failures": failures,
    }
