"""The options of an export, checked before anything heavy is imported."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

from clipsearch.model.manifest import TOWERS, Precision, Tower
from clipsearch.settings import model_digests
from clipsearch.storage import Bucket, open_bucket
from clipsearch.storage.local import FolderBucket
from model_export.errors import UsageError
from model_export.exported import MODELS, checkpoint_folder, foreign_files, place_of
from model_export.known import hub_id
from model_export.text_template import asked_template


@dataclass(frozen=True, slots=True)
class Options:
    """`folder` is the checkpoint's, None if `model` is an id of the hub. The bundle goes to `out`
    and, if given, `bucket`; with `switch_now` it becomes current there at once. `precision` has
    the towers for which you asked for one. `quick`: compare a few samples only."""

    model: str
    folder: Path | None
    out: Path
    bucket: Bucket | None
    switch_now: bool
    precision: dict[Tower, Precision]
    quick: bool
    text_template: str | None
    allowed: tuple[str, ...] = ()  # digests of models that may become current


def options_of(
    model: str,
    to: str | None = None,
    out: Path | None = None,
    precision: Precision | None = None,
    precisions: Mapping[Tower, Precision | None] = MappingProxyType({}),
    models: Path = MODELS,
    switch_now: bool = False,
    quick: bool = False,
    text_template: str | None = None,
) -> Options:
    """Checked. `models` is where bundles lie that have no `out`. UsageError for what cannot work,
    StorageError if the bucket cannot be reached."""
    if not model:
        raise UsageError("which model? MODEL takes an id of the Hugging Face hub, or a folder")
    if switch_now and not to:
        raise UsageError("--switch-now needs --to, the index bucket of the model")
    if text_template is not None:
        try:
            asked_template(text_template)
        except ValueError as exc:
            raise UsageError(f"--text-template: {exc}") from exc
    folder = checkpoint_folder(model)
    if folder and not folder.is_dir():
        raise UsageError(f"there is no folder {folder}")
    model = model if folder else hub_id(model)
    out = (out or place_of(model, models)).expanduser().resolve()
    if foreign := foreign_files(out):
        raise UsageError(f"{out} holds what is no bundle, such as {foreign[0]}: choose another")
    for folder_of_out in (out.parent, out):
        _check_writable(folder_of_out, "--out")
    return Options(
        model=model,
        folder=folder,
        out=out,
        bucket=_bucket(to),
        switch_now=switch_now,
        precision={
            tower: chosen for tower in TOWERS if (chosen := precisions.get(tower) or precision)
        },
        quick=quick,
        text_template=text_template,
        allowed=model_digests(),
    )


def _bucket(url: str | None) -> Bucket | None:
    """Looked into, so that it is not found out of reach after the long work."""
    if not url:
        return None
    try:
        bucket = open_bucket(url)
    except ValueError as exc:
        raise UsageError(f"--to: {exc}") from exc
    if isinstance(bucket, FolderBucket):
        _check_writable(bucket.root, "--to")
    next(bucket.list("models/current/"), None)
    return bucket


def _check_writable(folder: Path, option: str) -> None:
    """UsageError unless `folder` can be written, or made."""
    there = next(path for path in (folder, *folder.parents) if path.exists())
    if not there.is_dir() or not os.access(there, os.W_OK | os.X_OK):
        raise UsageError(f"{option}: {there} is no folder that can be written")
