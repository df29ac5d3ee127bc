"""What the command line of `make upload` asks for."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from cli.common.errors import UsageError
from cli.run.options import Parser, photos_folder
from clipsearch.storage import Bucket, open_bucket
from clipsearch.storage.local import FolderBucket

JOBS = 8  # photos on their way at once
MOST_JOBS = 10  # as many connections does Google's client keep


@dataclass(frozen=True, slots=True)
class Options:
    folder: Path
    to: Bucket
    jobs: int


def parse_options(arguments: list[str]) -> Options:
    """UsageError for anything that cannot work."""
    parser = Parser("cli.upload", "Put the photos of a folder into a bucket.")
    parser.add_argument("--from", dest="folder", type=Path, help="a folder of photos")
    add_destination(parser)
    given = parser.parse_args(arguments)
    if not given.folder:
        raise UsageError("from where? FROM= takes a folder of photos")
    folder = photos_folder(given.folder)
    bucket = destination(given.to)
    if isinstance(bucket, FolderBucket) and bucket.root.is_relative_to(folder):
        # what was uploaded would be uploaded again, into a folder of its own, and so on
        raise UsageError(f"TO={given.to} lies inside of FROM={given.folder}")
    return Options(folder, bucket, jobs(given.jobs))


def add_destination(parser: Parser) -> None:
    parser.add_argument("--to", metavar="URL", help="gs://BUCKET[/PREFIX] or file:///FOLDER")
    help_ = f"photos on their way at once, 1 to {MOST_JOBS} (default: {JOBS})"
    parser.add_argument("--jobs", default=str(JOBS), help=help_)


def destination(url: str | None) -> Bucket:
    """Nothing is written yet, and no connection opened."""
    if not url:
        raise UsageError("where to? TO= takes gs://BUCKET[/PREFIX] or file:///FOLDER")
    try:
        bucket = open_bucket(url)
    except ValueError as error:
        raise UsageError(
            f"TO={url} is no bucket; it must be gs://BUCKET[/PREFIX] or file:///FOLDER ({error})"
        ) from error
    if isinstance(bucket, FolderBucket):
        _check_writable(bucket.root)
    return bucket


def jobs(given: str) -> int:
    number = whole_number(given)
    if number is None or not 1 <= number <= MOST_JOBS:
        raise UsageError(f"--jobs {given!r} is no number from 1 to {MOST_JOBS}")
    return number


def whole_number(given: str) -> int | None:
    """Of decimal digits of ASCII, unlike int()."""
    return int(given) if given.isascii() and given.isdecimal() else None


def _check_writable(root: Path) -> None:
    there = next(path for path in (root, *root.parents) if path.exists())
    if not there.is_dir():
        raise UsageError(f"TO={root} cannot be: {there} is not a folder but a file")
    if not os.access(there, os.W_OK | os.X_OK):
        raise UsageError(f"TO={root} cannot be: this user may not write into {there}")
