"""A CLIP checkpoint -> a verified ONNX bundle: `make export`, or

python -m model_export openai/clip-vit-base-patch32 [--out FOLDER] [--to gs://…|file://…]
"""

from __future__ import annotations

import json
import sys
import time
from typing import TYPE_CHECKING

from clipsearch.errors import ClipsearchError
from clipsearch.model.manifest import TOWERS
from model_export.errors import ExportError, UsageError
from model_export.exported import SOURCE, source_of
from model_export.options import Options, parse_options
from model_export.publish import publish

if TYPE_CHECKING:
    from clipsearch.model.bundle import Bundle
    from model_export.checkpoint import Checkpoint

START = time.monotonic()


def main(arguments: list[str]) -> int:
    """The exit code: 0, 1 where the export failed, 2 where it cannot be asked for."""
    try:
        options = parse_options(arguments)
        export_and_publish(options)
    except UsageError as error:
        return _fail(error, 2)
    except (ExportError, ClipsearchError) as error:
        return _fail(error, 1)
    except OSError as error:  # such as a full disk
        place = error.filename or options.out
        return _fail(f"{place}: {error.strerror or error}", 1)
    except KeyboardInterrupt:
        return _fail("stopped", 130)
    return 0


def export_and_publish(options: Options) -> None:
    """Write the bundle into `options.out` and, if asked for, into the bucket. ExportError, OSError,
    ClipsearchError."""
    bundle = export(options)
    if options.bucket:
        size = sum(bundle.sizes.values())
        say(f"putting {size / 1e6:.0f} MB into {options.bucket.url}")
        publish(options.out, options.bucket, options.switch_now, say)


def export(options: Options) -> Bundle:
    """Write the bundle into `options.out`. ExportError, OSError."""
    say(f"exporting {options.model} to {options.out}")
    source = source_of(options.model)  # before it is read: what changes later is news
    revision = {}
    folder = options.folder
    # Slow to import, so not before it is known that there is something to do.
    if folder is None:
        from model_export.hub import fetch

        fetched = fetch(options.model, say)
        folder, revision = fetched.folder, {"revision": fetched.revision}
    say("reading the checkpoint")
    from model_export.checkpoint import load_checkpoint

    checkpoint = load_checkpoint(folder, options.model)
    bundle = _export(options, checkpoint, {"model": _name(options), **revision})
    (options.out / SOURCE).write_text(json.dumps(source, indent=1) + "\n")
    from model_export.report import table

    print(table(bundle.report), flush=True)
    say(f"{options.out}: space {bundle.space}, {sum(bundle.sizes.values()) / 1e6:.1f} MB")
    return bundle


def _export(options: Options, checkpoint: Checkpoint, source: dict[str, str]) -> Bundle:
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
                source=source,
                say=say,
            )
        except UnsupportedModel as exc:
            raise ExportError(f"{options.model} is not supported: {exc}") from exc
        except NotEqual as exc:
            print(table(exc.report), flush=True)
            coarse = [tower for tower in exc.coarse if tower not in options.precision]
            if not coarse:
                raise ExportError(f"{exc}; no bundle was written") from exc
            say(f"8 bits lose too much of this model ({'; '.join(exc.problems)})")
            say(f"once more, with fp32 for: {', '.join(coarse)}")
            precision |= dict.fromkeys(coarse, "fp32")


def _name(options: Options) -> str:
    """Of the model, for people; a path of this machine is nobody's business."""
    return options.folder.name if options.folder else options.model


def say(line: str) -> None:
    print(f"{time.monotonic() - START:6.1f} s  {line}", flush=True)


def _fail(message: object, code: int) -> int:
    print(f"export: {message}", file=sys.stderr)
    return code


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
