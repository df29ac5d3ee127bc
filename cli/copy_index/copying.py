"""Copies models, then each model's index, then the pointer; says what was done."""

from __future__ import annotations

from cli.common.output import result, say, warn
from cli.copy_index.models import Pointers, copy_model, spaces_of
from cli.copy_index.objects import Copier, Done
from cli.copy_index.record import Record
from cli.copy_index.space import copy_space
from clipsearch.storage import Bucket


def copy_index(source: Bucket, target: Bucket) -> int:
    """The exit code: 1 if something was left out.

    Raises NoModel, DamagedObject, UsageError, RunError, StorageError. All of it can be repeated.
    """
    copier = Copier(source, target)
    pointers = Pointers(source)  # first: the copy has all that they name
    record = Record(source, target)
    whole = set()
    for space in spaces_of(source):
        if copy_model(copier, space):
            whole.add(space)
        copy_space(copier, record, space)
    current = pointers.current.space
    if current in whole:
        pointers.write(target)
    else:
        warn(
            f"the current model {current} could not be copied, so {target.url} has no current "
            f"model; put it in with clipsearch export --to {target.url}, or repair {source.url} "
            "and repeat"
        )
    return _report(source, target, copier.done, current in whole)


def _report(source: Bucket, target: Bucket, done: Done, has_model: bool) -> int:
    damaged = len(done.damaged)
    left_out = (
        f"; {damaged} damaged objects: see above; a reconcile of the copy indexes their photos"
        if damaged
        else ""
    )
    say(
        f"{done.copied:,} objects copied, {done.bytes / 1e6:,.1f} MB; {done.present:,} were there; "
        f"{target.url} has the index of {source.url}{left_out}"
    )
    figures = {
        "copied": done.copied,
        "bytes": done.bytes,
        "present": done.present,
        "damaged": done.damaged,
    }
    result(figures)
    return 0 if has_model and not damaged else 1
