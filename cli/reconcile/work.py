"""Doing what the plan says, with a bar, and what came of it."""

from __future__ import annotations

from tqdm import tqdm

from cli.reconcile import fill
from cli.reconcile.options import Options
from cli.reconcile.plan import Plan, make_plan
from clipsearch.errors import StorageError
from clipsearch.index.reader.snapshot_reader import SnapshotReader
from clipsearch.index.reconcile_log import CoverageReader
from clipsearch.telemetry import Timing
from clipsearch.text import printable
from ingest.indexing import index_photos, remove_photos
from ingest.messages import Index, Message, Reconcile, Remove
from ingest.reconcile import run

TROUBLED_AT_ONCE = 3  # messages in a row that storage did not take: then the rest waits, too
FAILURES_SHOWN = 100


class Here:
    """Does what the messages ask for at once. What storage does not take stays pending."""

    keeps = False

    def __init__(self, options: Options, bar: tqdm[None]) -> None:
        self._services = options.services
        self._bar = bar
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
            tqdm.write(printable(f"{len(message.photos)} photos stay pending: {error}"))

    def flush(self) -> None:
        pass


def reconcile(options: Options) -> int:
    """The exit code: 1 if something is pending."""
    plan = make_plan(options)
    if options.plan_only:
        print(plan.text(options))
        return 0
    fill.begin(options)
    code = carry_out(options, plan)
    if not code:
        fill.end(options)
    return code


def carry_out(options: Options, plan: Plan) -> int:
    """The exit code: 1 if something is pending."""
    print(plan.summary())
    services = options.services
    # disable=None: no bar where nobody sees it move, in a log file
    with tqdm(desc="indexing", total=plan.photos, unit=" photos", disable=None) as bar:
        here = Here(options, bar)
        message = Reconcile(options.space)
        run.reconcile(services.photos, services.index, message, here, float("inf"))
    return _report(options)


def _report(options: Options) -> int:
    index = options.services.index
    coverage = CoverageReader(index, options.space).newest()
    snapshot = SnapshotReader(index, options.space, keep_vectors=False).refresh()
    assert coverage is not None
    entries, failed = snapshot.entries, snapshot.failures - snapshot.skipped
    for row in snapshot.newest_failures(FAILURES_SHOWN):
        print(printable(f"cannot be indexed: {entries.name(row)}: {entries.reason(row)}"))
    if failed > FAILURES_SHOWN:
        print(f"… and {failed - FAILURES_SHOWN} more")
    pending = len(coverage.pending.still(snapshot.catalogue).keys)
    print(
        f"{coverage.objects} objects, {snapshot.photos} indexed, {failed} failed, "
        f"{snapshot.skipped} skipped, {pending} pending"
    )
    return 1 if pending else 0
