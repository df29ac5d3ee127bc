"""`clipsearch upload`: its options, checked."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click

from cli.common.arguments import Number, complete_folders
from cli.common.command import quiet_logs
from cli.common.errors import UsageError, needs_posix
from cli.common.output import output_options
from cli.run.options import photos_folder
from clipsearch.storage import Bucket, open_bucket
from clipsearch.storage.local import FolderBucket

JOBS = 8  # photos sent at once
MOST_JOBS = 10  # connections that Google's client keeps


@dataclass(frozen=True, slots=True)
class Options:
    folder: Path
    to: Bucket
    jobs: int


jobs_option = click.option(
    "--jobs",
    type=Number(1, MOST_JOBS),
    default=JOBS,
    show_default=True,
    help=f"Photos sent at once, 1 to {MOST_JOBS}.",
)


@click.command(
    short_help="Put the photos of a folder into a bucket.",
    epilog="Example: clipsearch upload ~/Pictures gs://my-photos",
)
@click.argument("folder", shell_complete=complete_folders)
@click.argument("bucket")
@jobs_option
@output_options
def command(**given: Any) -> int:
    """Put the photos of FOLDER into BUCKET (gs://BUCKET[/PREFIX] or file:///FOLDER).

    Photos that are in the bucket already are skipped. Nothing is ever deleted.
    """
    needs_posix("upload")
    from cli.upload.engine import upload
    from cli.upload.folder import FolderSource

    quiet_logs()
    options = options_of(**given)
    return upload(FolderSource(options.folder), options.to, options.jobs)


def options_of(folder: str, bucket: str, jobs: int) -> Options:
    """UsageError for anything that cannot work."""
    photos = photos_folder(Path(folder))
    to = destination(bucket)
    if isinstance(to, FolderBucket) and to.root.is_relative_to(photos):
        # Uploaded photos would be uploaded again, and so on.
        raise UsageError(
            f"the bucket {bucket} lies inside the folder {folder}; choose one outside of it"
        )
    return Options(photos, to, jobs)


def destination(url: str) -> Bucket:
    """The bucket at `url`. UsageError if it is not a bucket. Opens no connection."""
    try:
        bucket = open_bucket(url)
    except ValueError as error:
        raise UsageError(
            f"{url!r} is not a bucket; it must be gs://BUCKET[/PREFIX] or file:///FOLDER"
        ) from error
    if isinstance(bucket, FolderBucket):
        _check_writable(bucket.root)
    return bucket


def _check_writable(root: Path) -> None:
    there = next(path for path in (root, *root.parents) if path.exists())
    if not there.is_dir():
        raise UsageError(f"{root} cannot be a bucket: {there} is a file, not a folder")
    if not os.access(there, os.W_OK | os.X_OK):
        raise UsageError(f"{root} cannot be a bucket: this user may not write into {there}")
