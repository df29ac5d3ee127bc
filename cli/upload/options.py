"""`clipsearch upload`: what its command line asks for."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click

from cli.common.command import quiet_logs
from cli.common.errors import UsageError
from cli.run.options import photos_folder
from clipsearch.storage import Bucket, open_bucket
from clipsearch.storage.local import FolderBucket

JOBS = 8  # photos on their way at once
MOST_JOBS = 10  # as many connections does Google's client keep


@dataclass(frozen=True, slots=True)
class Options:
    folder: Path
    to: Bucket
    jobs: int


jobs_option = click.option(
    "--jobs", default=str(JOBS), show_default=True, help=f"Photos sent at once, 1 to {MOST_JOBS}."
)


@click.command(
    short_help="Put the photos of a folder into a bucket.",
    epilog="Example: clipsearch upload ~/Pictures gs://my-photos",
)
@click.argument("folder")
@click.argument("bucket")
@jobs_option
def command(**given: Any) -> int:
    """Put the photos of FOLDER into BUCKET (gs://BUCKET[/PREFIX] or file:///FOLDER).

    Photos that are there unchanged are skipped. Nothing is ever deleted.
    """
    from cli.upload.engine import upload
    from cli.upload.folder import FolderSource

    quiet_logs()
    options = options_of(**given)
    return upload(FolderSource(options.folder), options.to, options.jobs)


def options_of(folder: str, bucket: str, jobs: str) -> Options:
    photos = photos_folder(Path(folder))
    to = destination(bucket)
    if isinstance(to, FolderBucket) and to.root.is_relative_to(photos):
        # what was uploaded would be uploaded again, into a folder of its own, and so on
        raise UsageError(f"the bucket {bucket} lies inside of the folder {folder}")
    return Options(photos, to, jobs_of(jobs))


def destination(url: str) -> Bucket:
    """Nothing is written yet, and no connection opened."""
    try:
        bucket = open_bucket(url)
    except ValueError as error:
        raise UsageError(
            f"{url!r} is not a bucket; it must be gs://BUCKET[/PREFIX] or file:///FOLDER ({error})"
        ) from error
    if isinstance(bucket, FolderBucket):
        _check_writable(bucket.root)
    return bucket


def jobs_of(given: str) -> int:
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
        raise UsageError(f"{root} cannot be a bucket: {there} is not a folder but a file")
    if not os.access(there, os.W_OK | os.X_OK):
        raise UsageError(f"{root} cannot be a bucket: this user may not write into {there}")
