"""`clipsearch mirror`: its options, checked."""

from __future__ import annotations

import importlib.util
import os

import click

from cli.common.arguments import complete_folders
from cli.common.errors import UsageError, needs_posix
from cli.common.output import output_options
from cli.reconcile.options import index_of
from clipsearch.settings import PREFIX
from ingest.services import CurrentModel

INDEX, MODEL = f"{PREFIX}INDEX", f"{PREFIX}MODEL"


@click.command(
    short_help="Copy what is new in the index to a table of Lance.",
    epilog="Example: clipsearch mirror --index gs://my-index",
)
@click.option(
    "--index",
    help=f"gs://BUCKET[/PREFIX] or a folder.  [default: {INDEX}]",
    shell_complete=complete_folders,
)
@click.option("--space", help="Of the model to use.  [default: the current one]")
@output_options
def command(index: str | None, space: str | None) -> int:
    """Copy what is new in the index to a table of Lance beside it, and index its vectors.

    Run it on a schedule. Uploads, maintenance and other runs may go on. The index itself is only
    read: whoever deletes the table loses nothing.
    """
    needs_posix("mirror")
    if importlib.util.find_spec("lance") is None:
        raise UsageError(
            "clipsearch mirror needs the package pylance: install "
            "functions/clipsearch/engine/requirements.txt into its environment"
        )
    from cli.mirror.work import mirror_once

    bucket = index_of(index, None)
    return mirror_once(
        bucket, CurrentModel(bucket, space or os.environ.get(MODEL) or "current").space()
    )
