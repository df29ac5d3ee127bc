"""`clipsearch evaluate`: what its command line asks for."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import click

from cli import DATA
from cli.common.errors import UsageError
from cli.reconcile.options import address_of, is_address, of_make_run
from clipsearch.settings import PREFIX as SETTINGS_PREFIX
from clipsearch.storage import open_bucket

DEMO_COUNT = 1000  # as in docs/benchmarks.md
DEMO_MOST = 10_000  # of 290,000 scenes one in twenty is held out
INDEX = f"{SETTINGS_PREFIX}INDEX"


@dataclass(frozen=True, slots=True)
class Options:
    """`captions` None: the demo world, with `others` more pictures, whose index is made first.
    `count` 0: all photos of the file."""

    captions: Path | None
    index: str
    prefix: str
    count: int
    others: int
    space: str
    only_indexed: bool
    only_captioned: bool
    packed: bool
    out: Path


@click.command(
    epilog="Example: clipsearch evaluate --captions captions_val2017.json --prefix coco/"
)
@click.option("--captions", type=Path, help="COCO captions.  [default: the demo world]")
@click.option("--photos", help="A folder that clipsearch run has indexed.  [default: the demo's]")
@click.option("--index", help=f"gs://BUCKET[/PREFIX] or a folder.  [default: {INDEX}]")
@click.option("--prefix", help="What the photos' names begin with, before file_name.")
@click.option("--count", type=int, help="Only the first so many photos of the file.")
@click.option("--space", help="Of the model to use.  [default: the current one]")
@click.option("--only-indexed", is_flag=True, help="Do not ask for photos that are not indexed.")
@click.option("--only-captioned", is_flag=True, help="Search among the photos asked for only.")
@click.option("--packed", is_flag=True, help="Search a copy, quantized as if it were large.")
@click.option("--others", type=int, default=0, help="More pictures for the demo world.")
@click.option("--out", type=Path, default=DATA, help="Where the results go.")
def command(**given: Any) -> int:
    """Measure how well captions find their photos, through the search itself."""
    from cli.evaluate.evaluation import evaluate

    return evaluate(options_of(SimpleNamespace(**given)))


def options_of(given: SimpleNamespace) -> Options:
    """UsageError for anything that cannot work."""
    if given.count is not None and given.count < 1:
        raise UsageError(f"count {given.count} is not a number of photos")
    if given.others < 0:
        raise UsageError(f"others {given.others} is not a number of pictures")
    if given.captions is None:
        return _of_demo(given)
    if given.others:
        raise UsageError("--others is for the demo world, without --captions")
    captions = given.captions.expanduser()
    if not captions.exists():
        raise UsageError(f"there are no captions {captions}")
    return _options(given, captions, _index(given), given.count or 0)


def _of_demo(given: SimpleNamespace) -> Options:
    for name in ("index", "photos", "prefix", "space"):
        if getattr(given, name):
            raise UsageError(f"--{name} needs --captions, the captions of the photos there")
    count = given.count or DEMO_COUNT
    if max(count, given.others) > DEMO_MOST:
        raise UsageError(f"the demo world has at most {DEMO_MOST:,} pictures of a kind")
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
        out=given.out.expanduser().resolve(),
    )


def _index(given: SimpleNamespace) -> str:
    """The address of the index: the one named, that of the settings, or that of `make run`."""
    index = given.index and address_of(given.index)
    if not index and not given.photos:
        index = os.environ.get(INDEX)
    if not index and is_address(given.photos or ""):
        raise UsageError(f"name the index of {given.photos} with --index")
    index = index or of_make_run(given.photos)[INDEX]
    try:
        open_bucket(index)
    except ValueError as error:
        raise UsageError(f"the index cannot be there: {error}") from error
    return index
