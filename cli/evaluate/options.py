"""What the command line of `make evaluate` asks for."""

from __future__ import annotations

import argparse
import os
from dataclasses import dataclass
from pathlib import Path

from cli import ROOT
from cli.common.errors import UsageError
from cli.reconcile.options import address_of, is_address, of_make_run
from cli.run.options import Parser
from clipsearch.settings import PREFIX as SETTINGS_PREFIX
from clipsearch.storage import open_bucket

DEMO_COUNT = 1000  # as many as the README's figures are of
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


def parse_options(arguments: list[str]) -> Options:
    """UsageError for anything that cannot work."""
    given = _parser().parse_args(arguments)
    if given.count is not None and given.count < 1:
        raise UsageError(f"count {given.count} is not a number of photos")
    if given.others < 0:
        raise UsageError(f"others {given.others} is not a number of pictures")
    if given.captions is None:
        return _of_demo(given)
    if given.others:
        raise UsageError("--others is for the demo world, without CAPTIONS=")
    captions = given.captions.expanduser()
    if not captions.exists():
        raise UsageError(f"there are no captions {captions}")
    return _options(given, captions, _index(given), given.count or 0)


def _of_demo(given: argparse.Namespace) -> Options:
    for name in ("index", "photos", "prefix", "space"):
        if getattr(given, name):
            raise UsageError(f"{name.upper()}= needs CAPTIONS=, the captions of the photos there")
    count = given.count or DEMO_COUNT
    if max(count, given.others) > DEMO_MOST:
        raise UsageError(f"the demo world has at most {DEMO_MOST:,} pictures of a kind")
    return _options(given, None, "", count)


def _options(given: argparse.Namespace, captions: Path | None, index: str, count: int) -> Options:
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


def _index(given: argparse.Namespace) -> str:
    """The address of the index: the one named, that of the settings, or that of `make run`."""
    index = given.index and address_of(given.index)
    if not index and not given.photos:
        index = os.environ.get(INDEX)
    if not index and is_address(given.photos or ""):
        raise UsageError(f"name the index of {given.photos} with INDEX=")
    index = index or of_make_run(given.photos)[INDEX]
    try:
        open_bucket(index)
    except ValueError as error:
        raise UsageError(f"the index cannot be there: {error}") from error
    return index


def _parser() -> Parser:
    parser = Parser(
        "cli.evaluate", "Measure how well captions find their photos, through the search itself."
    )
    parser.add_argument("--captions", type=Path, help="COCO captions (default: the demo world)")
    parser.add_argument("--photos", help="a folder that make run has indexed (default: the demo's)")
    parser.add_argument("--index", help=f"gs://BUCKET[/PREFIX] or a folder (default: {INDEX})")
    parser.add_argument("--prefix", help="what the photos' names begin with, before file_name")
    parser.add_argument("--count", type=int, help="only the first so many photos of the file")
    parser.add_argument("--space", help="of the model to use (default: the current one)")
    parser.add_argument(
        "--only-indexed", action="store_true", help="do not ask for photos that are not indexed"
    )
    parser.add_argument(
        "--only-captioned", action="store_true", help="search among the photos asked for only"
    )
    parser.add_argument(
        "--packed", action="store_true", help="search a copy, quantised as if it were large"
    )
    parser.add_argument("--others", type=int, default=0, help="more pictures for the demo world")
    parser.add_argument("--out", type=Path, default=ROOT / "build", help="where the results go")
    return parser
