"""An export as `clipsearch export` asks for it: fetch, read, write, verify and publish."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import TYPE_CHECKING

from clipsearch.model.manifest import TOWERS
from model_export.errors import ExportError
from model_export.exported import SOURCE, source_of
from model_export.options import Options
from model_export.publish import publish

if TYPE_CHECKING:
    from clipsearch.model.bundle import Bundle
    from model_export.checkpoint import Checkpoint

Say = Callable[[str], None]

QUICK_SAMPLES = 8  # texts, and as many pictures


def export_and_publish(options: Options, say: Say, show: Say) -> None:
    """Write the bundle into `options.out` and, if asked for, into the bucket.

    `say` gets a line for each step, `show` the lines of the report. Raises ExportError, OSError,
    ClipsearchError."""
    bundle = export(options, say, show)
    if options.bucket:
        size = sum(bundle.sizes.values())
        say(f"putting {size / 1e6:.0f} MB into {options.bucket.url}")
        publish(options.out, options.bucket, options.switch_now, say, options.allowed)


def export(options: Options, say: Say, show: Say) -> Bundle:
    """Write the bundle into `options.out`. ExportError, OSError."""
    say(f"exporting {options.model} to {options.out}")
    source = source_of(options.model)  # before it is read, so that later changes are seen
    revision = {}
    folder = options.folder
    # Imported late: they are slow, and the options may be wrong.
    if folder is None:
        from model_export.hub import fetch

        fetched = fetch(options.model, say)
        folder, revision = fetched.folder, {"revision": fetched.revision}
    say("reading the checkpoint")
    from model_export.checkpoint import load_checkpoint

    checkpoint = load_checkpoint(folder, options.model)
    bundle = _export(options, checkpoint, {"model": _name(options), **revision}, say, show)
    (options.out / SOURCE).write_text(json.dumps(source, indent=1) + "\n")
    from model_export.report import table

    show(table(bundle.report))
    say(f"{options.out}: space {bundle.space}, {sum(bundle.sizes.values()) / 1e6:.1f} MB")
    return bundle


def _export(
    options: Options, checkpoint: Checkpoint, source: dict[str, str], say: Say, show: Say
) -> Bundle:
    """In 8 bits, unless something else was asked for or they would lose too much."""
    from model_export.errors import UnsupportedModel
    from model_export.report import table
    from model_export.verify import NotEqual
    from model_export.write_bundle import export_bundle

    precision = {tower: options.precision.get(tower, "int8") for tower in TOWERS}
    while True:
        try:
            return export_bundle(
                checkpoint,
                options.out,
                name=_name(options),
                precision=precision,
                samples=QUICK_SAMPLES if options.quick else None,
                text_template=options.text_template,
                source=source,
                say=say,
            )
        except UnsupportedModel as exc:
            raise ExportError(f"{options.model} is not supported: {exc}") from exc
        except NotEqual as exc:
            show(table(exc.report))
            coarse = [tower for tower in exc.coarse if tower not in options.precision]
            if not coarse:
                raise ExportError(f"{exc}; no bundle was written") from exc
            say(f"8 bits lose too much of this model ({'; '.join(exc.problems)})")
            say(f"once more, with fp32 for: {', '.join(coarse)}")
            precision |= dict.fromkeys(coarse, "fp32")


def _name(options: Options) -> str:
    """The model's name for people, without a path of this machine."""
    return options.folder.name if options.folder else options.model
