"""`clipsearch duplicates`: its options, checked."""

from __future__ import annotations

import os

import click

from cli.common.arguments import complete_folders
from cli.common.errors import needs_posix
from cli.common.output import output_options
from cli.reconcile.options import index_of
from clipsearch.settings import PREFIX
from ingest.services import CurrentModel

INDEX, MODEL = f"{PREFIX}INDEX", f"{PREFIX}MODEL"


@click.command(
    short_help="List photos that show the same picture.",
    epilog="Example: clipsearch duplicates --json",
)
@click.option(
    "--photos",
    help="A folder that clipsearch run has indexed.  [default: the demo's]",
    shell_complete=complete_folders,
)
@click.option(
    "--index",
    help=f"gs://BUCKET[/PREFIX] or a folder.  [default: {INDEX}]",
    shell_complete=complete_folders,
)
@click.option("--space", help="Of the model to use.  [default: the current one]")
@output_options
def command(photos: str | None, index: str | None, space: str | None) -> int:
    """List near-duplicates: bursts, re-encodings, small crops, copies under another name.

    It deletes nothing. The first photo of each stack has the most pixels.
    """
    needs_posix("duplicates")
    from cli.duplicates.report import report

    bucket = index_of(index, photos)
    asked = space or os.environ.get(MODEL) or "current"
    return report(bucket, CurrentModel(bucket, asked).space())
