"""`clipsearch copy-index`: its options, checked before anything is read."""

from __future__ import annotations

from dataclasses import dataclass

import click

from cli.common.arguments import complete_folders
from cli.common.errors import UsageError, needs_posix
from cli.common.output import output_options
from cli.reconcile.options import address_of
from clipsearch.storage import Bucket, open_bucket


@dataclass(frozen=True, slots=True)
class Options:
    source: Bucket
    target: Bucket


@click.command(
    name="copy-index",
    short_help="Copy an index, with its models, to another place.",
    epilog="Example: clipsearch copy-index gs://my-index gs://my-backup/index",
)
@click.argument("source", metavar="FROM", shell_complete=complete_folders)
@click.argument("target", metavar="TO", shell_complete=complete_folders)
@output_options
def command(source: str, target: str) -> int:
    """Copy the index at FROM, with its models, to TO (each gs://BUCKET[/PREFIX] or a folder).

    Uploads and maintenance of FROM may go on. TO must be empty, or an earlier copy of FROM: then
    only what is new is copied. Every object is checked. Nothing is ever deleted.
    """
    needs_posix("copy-index")
    from cli.copy_index.copying import copy_index

    options = options_of(source, target)
    return copy_index(options.source, options.target)


def options_of(source: str, target: str) -> Options:
    """UsageError for anything that cannot work."""
    options = Options(_bucket(source), _bucket(target))
    inner, outer = f"{options.target.url}/", f"{options.source.url}/"
    if inner == outer:
        raise UsageError(f"FROM and TO are both {options.source.url}; give another TO")
    if inner.startswith(outer) or outer.startswith(inner):
        raise UsageError(
            f"one of {options.source.url} and {options.target.url} lies inside the other; "
            "give a TO outside of FROM"
        )
    return options


def _bucket(place: str) -> Bucket:
    try:
        return open_bucket(address_of(place))
    except ValueError as error:
        raise UsageError(f"{error}; it must be gs://BUCKET[/PREFIX] or a folder") from error
