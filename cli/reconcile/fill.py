"""A reconcile of a space that is not current: what comes before it and after it."""

from __future__ import annotations

from datetime import UTC, datetime

from cli.common.output import say
from cli.reconcile.options import Options
from clipsearch.errors import NoModel
from clipsearch.index.compaction import compact
from clipsearch.model.bundle import load_bundle
from clipsearch.model.pointer import current_pointer, start_filling
from ingest.reconcile.settle import settle


def begin(options: Options) -> None:
    """Tell `ingest` of the space, so that deletions reach it, too. NoModel, DamagedObject."""
    index, space = options.services.index, options.space
    load_bundle(index, space).check_complete()
    try:
        pointer = current_pointer(index)
    except NoModel:  # nothing is current: nobody searches yet
        return
    if space != pointer.space and space not in pointer.beside:
        start_filling(index, space)


def end(options: Options) -> None:
    """End a switch, or make the new space as quick to read as the current one."""
    index, space = options.services.index, options.space
    try:
        pointer = current_pointer(index)
    except NoModel:
        return
    if space == pointer.space:
        if settle(index, space):
            say(f"the switch to model {space} is complete; model {pointer.previous} may go")
        return
    # Nobody else merges and packs a space that is not current.
    compact(index, space, float("inf"), datetime.now(UTC))
    if space == pointer.filling:
        say(f"model {pointer.space} still answers; next: clipsearch switch {space}")
