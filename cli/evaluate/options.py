"""`clipsearch evaluate`: its options, checked."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import click

from cli import DATA
from cli.common.arguments import Number, complete_files, complete_folders
from cli.common.errors import UsageError, needs_posix
from cli.common.output import output_options
from cli.reconcile.options import address_of, is_address, of_make_run
from clipsearch.settings import PREFIX as SETTINGS_PREFIX
from clipsearch.storage import open_bucket

DEMO_COUNT = 1000  # as in docs/benchmarks.md
DEMO_MOST = 10_000  # one in twenty of 290,000 scenes is held out
INDEX = f"{SETTINGS_PREFIX}INDEX"


@dataclass(frozen=True, slots=True)
class Options:
    """`captions` None: the demo world with `others` more pictures, indexed first.

    `count` 0: all photos of the file.
    """

    captions: Path | None
    index: str
    prefix: str
    count: int
    others: int
    space: str
    only_indexed: bool
    only_captioned: bool
    packed: bool
    fit: bool
    out: Path


@click.command(
    epilog="Example: clipsearch evaluate --captions captions_val2017.json --prefix coco/"
)
@click.option(
    "--captions",
    type=Path,
    shell_complete=complete_files,
    help="COCO captions.  [default: the demo world]",
)
@click.option(
    "--photos",
    shell_complete=complete_folders,
    help="A folder that clipsearch run has indexed.  [default: the demo's]",
)
@click.option("--index", help=f"gs://BUCKET[/PREFIX] or a folder.  [default: {INDEX}]")
@click.option("--prefix", help="The beginning of the photos' names, before file_name.")
@click.option("--count", type=Number(1), help="How many photos of the file.  [default: all]")
@click.option("--space", help="Space of the model.  [default: the current one]")
@click.option("--only-indexed", is_flag=True, help="Leave out photos that are not indexed.")
@click.option("--only-captioned", is_flag=True, help="Search among the captioned photos only.")
@click.option("--packed", is_flag=True, help="Search a copy that is quantized like a large index.")
@click.option("--fit", is_flag=True, help="Fit the model's numbers for matches to the captions.")
@click.option("--others", type=Number(0), default=0, help="More pictures for the demo world.")
@click.option(
    "--out",
    type=Path,
    default=DATA,
    shell_complete=complete_folders,
    help="Folder for the results.",
)
@output_options
def command(**given: Any) -> int:
    """Measure how well captions find their photos, through the search itself."""
    needs_posix("evaluate")
    from cli.evaluate.evaluation import evaluate

    return evaluate(options_of(SimpleNamespace(**given)))


def options_of(given: SimpleNamespace) -> Options:
    """UsageError for anything that cannot work."""
    if given.captions is None:
        return _of_demo(given)
    if given.others:
        raise UsageError("--others is for the demo world; leave it out with --captions")
    captions = given.captions.expanduser()
    if not captions.exists():
        raise UsageError(f"the captions {captions} do not exist; check the path")
    return _options(given, captions, _index(given), given.count or 0)


def _of_demo(given: SimpleNamespace) -> Options:
    for name in ("index", "photos", "prefix", "space"):
        if getattr(given, name):
            raise UsageError(f"--{name} needs --captions with the captions of those photos")
    if given.fit:
        raise UsageError("--fit needs --captions; the demo model's numbers are already fitted")
    count = given.count or DEMO_COUNT
    if max(count, given.others) > DEMO_MOST:
        raise UsageError(f"--count and --others may be {DEMO_MOST:,} at most without --captions")
    return _options(given, None, "", count)


def _options(given: SimpleNamespace, captions: Path | None, index: str, count: int) -> Options:
    return Options(
        captions=captions,
        index=index,
        prefix=given.prefix or "",
        count=count,
        others=given.others,
        space=given.space or "current",
        only_indexed=given.only_indexed,
        only_captioned=given.only_captioned,
        packed=given.packed,
        fit=given.fit,
        out=given.out.expanduser().resolve(),
    )


def _index(given: SimpleNamespace) -> str:
    """The URL of the index: by --index, by the settings, or of `clipsearch run`."""
    index = given.index and address_of(given.index)
    if not index and not given.photos:
        index = os.environ.get(INDEX)
    if not index and is_address(given.photos or ""):
        raise UsageError(f"name the index of {given.photos} with --index")
    index = index or of_make_run(given.photos)[INDEX]
    try:
        open_bucket(index)
    except ValueError as error:
        raise UsageError(f"--index cannot be used: {error}") from error
    return index
