"""`clipsearch export`: a model bundle from a CLIP checkpoint."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

import click

from cli import DATA
from cli.common.errors import RunError, UsageError
from cli.common.output import quiet_option, say
from clipsearch.model.manifest import PRECISIONS, Precision, Tower
from model_export.errors import ExportError
from model_export.errors import UsageError as NotExportable

PRECISION = click.Choice(PRECISIONS)


@click.command(
    short_help="Make a model bundle of a CLIP checkpoint.",
    epilog="Example: clipsearch export openai/clip-vit-base-patch32 --to gs://my-index",
)
@click.argument("model")
@click.option("--to", metavar="URL", help="Index bucket to put it into: gs:// or file://.")
@click.option(
    "--switch-now", is_flag=True, help="Make it current at once, although its index may be empty."
)
@click.option("--out", type=Path, help="Folder of the bundle.  [default: one for each MODEL]")
@click.option(
    "--precision",
    type=PRECISION,
    help="Of both towers.  [default: int8, or fp32 if int8 loses too much]",
)
@click.option("--image-precision", type=PRECISION, help="Of the image tower.")
@click.option("--text-precision", type=PRECISION, help="Of the text tower.")
@click.option(
    "--text-template",
    metavar="TEXT",
    help='Sentence around each text, such as "a photo of {}"; "{}" for none.  '
    "[default: that of the family]",
)
@click.option("--quick", is_flag=True, help="Verify with 8 texts and 8 pictures, in seconds.")
@quiet_option
def command(
    model: str,
    to: str | None,
    switch_now: bool,
    out: Path | None,
    precision: Precision | None,
    image_precision: Precision | None,
    text_precision: Precision | None,
    text_template: str | None,
    quick: bool,
) -> None:
    """Make a verified bundle of the CLIP checkpoint MODEL.

    MODEL is an id of the Hugging Face hub, one of OpenAI's names such as ViT-B/32, or the folder
    of a checkpoint. A broken download goes on where it was.
    """
    from model_export.export import export_and_publish
    from model_export.options import options_of

    precisions: dict[Tower, Precision | None] = {"image": image_precision, "text": text_precision}
    try:
        options = options_of(
            model,
            to,
            out,
            precision,
            precisions,
            DATA / "models",
            switch_now=switch_now,
            quick=quick,
            text_template=text_template,
        )
        export_and_publish(options, _with_seconds(time.monotonic()), _say_lines)
    except NotExportable as error:
        raise UsageError(str(error)) from error
    except ExportError as error:
        raise RunError(str(error)) from error
    except OSError as error:  # such as a full disk
        raise RunError(f"{error.filename or out or model}: {error.strerror or error}") from error


def _with_seconds(start: float) -> Callable[[str], None]:
    """Prints each step with the seconds since `start`."""
    return lambda line: say(f"{time.monotonic() - start:6.1f} s  {line}")


def _say_lines(table: str) -> None:
    for line in table.splitlines():
        say(line)
