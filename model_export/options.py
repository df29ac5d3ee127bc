"""What the command line of `make export` asks for, checked before anything heavy is imported."""

from __future__ import annotations

import argparse
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import NoReturn

from clipsearch.model.manifest import PRECISIONS, TOWERS, Precision, Tower
from clipsearch.storage import Bucket, open_bucket
from clipsearch.storage.local import FolderBucket
from model_export.errors import UsageError
from model_export.exported import MODELS, checkpoint_folder, foreign_files, place_of
from model_export.known import hub_id


@dataclass(frozen=True, slots=True)
class Options:
    """`folder` is the checkpoint's, None if `model` is an id of the hub; `bucket` is where the
    bundle goes, besides `out`. `switch_now`: the bundle becomes current there at once. `precision`
    of the towers for which one was asked."""

    model: str
    folder: Path | None
    out: Path
    bucket: Bucket | None
    switch_now: bool
    precision: dict[Tower, Precision]


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        raise UsageError(message)


def parse_options(arguments: list[str]) -> Options:
    """The options in `arguments`; UsageError for what cannot work, StorageError if the bucket
    cannot be reached."""
    parser = _Parser(
        prog="python -m model_export",
        description="Export a CLIP checkpoint to a verified ONNX bundle.",
        allow_abbrev=False,
    )
    parser.add_argument("model", help="an id of the Hugging Face hub, or a folder in that layout")
    parser.add_argument("--out", type=Path, help="folder of the bundle (default: build/models/…)")
    parser.add_argument("--to", metavar="URL", help="index bucket to put it into: gs:// or file://")
    parser.add_argument(
        "--switch-now",
        action="store_true",
        help="make it current at once, although its index may be empty",
    )
    parser.add_argument("--precision", choices=PRECISIONS, help="of both towers")
    for tower in TOWERS:
        parser.add_argument(
            f"--{tower}-precision",
            choices=PRECISIONS,
            help="of this tower (default: int8, or fp32 if that would lose too much)",
        )
    given = parser.parse_args(arguments)
    return options_of(
        given.model,
        given.to,
        given.out,
        given.precision,
        {tower: getattr(given, f"{tower}_precision") for tower in TOWERS},
        switch_now=given.switch_now,
    )


def options_of(
    model: str,
    to: str | None = None,
    out: Path | None = None,
    precision: Precision | None = None,
    precisions: Mapping[Tower, Precision | None] = MappingProxyType({}),
    models: Path = MODELS,
    switch_now: bool = False,
) -> Options:
    """Checked. `models` is where bundles lie that have no `out`. UsageError for what cannot work,
    StorageError if the bucket cannot be reached."""
    if not model:
        raise UsageError("which model? MODEL takes an id of the Hugging Face hub, or a folder")
    if switch_now and not to:
        raise UsageError("--switch-now needs --to, the index bucket of the model")
    folder = checkpoint_folder(model)
    if folder and not folder.is_dir():
        raise UsageError(f"there is no folder {folder}")
    model = model if folder else hub_id(model)
    out = (out or place_of(model, models)).expanduser().resolve()
    if foreign := foreign_files(out):
        raise UsageError(f"{out} holds what is no bundle, such as {foreign[0]}: choose another")
    return Options(
        model=model,
        folder=folder,
        out=out,
        bucket=_bucket(to),
        switch_now=switch_now,
        precision={
            tower: chosen for tower in TOWERS if (chosen := precisions.get(tower) or precision)
        },
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
        there = next(path for path in (bucket.root, *bucket.root.parents) if path.exists())
        if not there.is_dir() or not os.access(there, os.W_OK | os.X_OK):
            raise UsageError(f"--to: {there} is no folder that can be written")
    next(bucket.list("models/current/"), None)
    return bucket
