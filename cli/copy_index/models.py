"""Copies the models, and at the very end the pointer to the current one."""

from __future__ import annotations

import hashlib
import json
import re

from cli.common.progress import bar
from cli.copy_index.objects import Check, Copier
from clipsearch.errors import DamagedObject, NoModel, ObjectExists
from clipsearch.model.bundle import MISSING, load_bundle
from clipsearch.model.manifest import MODEL_JSON, parse_bundle
from clipsearch.model.pointer import FOLDER, current_pointer, pointer_name
from clipsearch.storage import Bucket, Stat

MODELS = "models/"


def spaces_of(bucket: Bucket) -> list[str]:
    """The spaces of all models, complete or not."""
    found = {stat.name.removeprefix(MODELS).split("/")[0] for stat in bucket.list(MODELS)}
    return sorted(space for space in found if re.fullmatch("[0-9a-f]{12}", space))


def copy_model(copier: Copier, space: str) -> bool:
    """Copy the bundle of `space`, model.json last. False if it is damaged or unfinished."""
    name = f"{MODELS}{space}/{MODEL_JSON}"
    try:
        bundle = load_bundle(copier.source, space).bundle
    except NoModel:  # an export that has not ended
        return False
    except DamagedObject as damaged:
        copier.report(damaged.name, damaged.reason)
        return False
    listed, there = (_files(bucket, space) for bucket in (copier.source, copier.target))
    whole = True
    with bar(
        f"model {space}", total=sum(bundle.sizes.values()), unit="B", unit_scale=True
    ) as shown:
        for file, digest in bundle.files.items():
            path = f"{MODELS}{space}/{file}"
            if path not in listed:
                copier.report(path, MISSING)
                whole = False
                continue
            whole &= copier.copy(listed[path], there.get(path), _has_digest(path, digest))
            shown.update(listed[path].size)
    if not whole:
        return False
    if name in there:  # of the same space, so of the same model
        return True
    return copier.copy(listed[name], None, lambda data: parse_bundle(data, name))


class Pointers:
    """The pointers of the source as they were when the copy began."""

    def __init__(self, source: Bucket) -> None:
        """Raises NoModel, DamagedObject for the newest pointer, StorageError."""
        self.current = current_pointer(source)
        self._source = source

    def write(self, target: Bucket) -> bool:
        """Make the same model current in the copy. False if it is already.

        An empty copy gets the older pointers too, for going back. Raises StorageError.
        """
        wanted = self._source.read(pointer_name(self.current.number))
        try:
            newest = current_pointer(target)
        except NoModel:
            for stat in self._before():
                self._put(target, stat)
            number = self.current.number
        else:
            if _meaning(target.read(pointer_name(newest.number))) == _meaning(wanted):
                return False
            number = newest.number + 1
        target.create(pointer_name(number), wanted, "application/json")
        return True

    def _before(self) -> list[Stat]:
        mine = pointer_name(self.current.number)
        return [stat for stat in self._source.list(FOLDER) if stat.name < mine]

    def _put(self, target: Bucket, stat: Stat) -> None:
        data = self._source.read(stat.name)
        if _meaning(data) is None:
            return  # damaged: it counts for nothing, as it is not the newest
        try:
            target.create(stat.name, data, "application/json")
        except ObjectExists:  # of an earlier run
            return


def _meaning(data: bytes) -> tuple[object, ...] | None:
    """What a pointer says, without its date; None if it is damaged."""
    try:
        document = json.loads(data)
        return tuple(document.get(key) for key in ("space", "filling", "previous"))
    except (ValueError, AttributeError, RecursionError):
        return None


def _files(bucket: Bucket, space: str) -> dict[str, Stat]:
    return {stat.name: stat for stat in bucket.list(f"{MODELS}{space}/")}


def _has_digest(path: str, digest: str) -> Check:
    def check(data: bytes) -> None:
        found = hashlib.sha256(data).hexdigest()
        if found != digest:
            reason = f"its SHA-256 is {found[:12]}…; model.json says {digest[:12]}…"
            raise DamagedObject(path, reason)

    return check
