"""`clipsearch coco`: its options, checked."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import click

from cli import DATA
from cli.common.arguments import Number, complete_files, complete_folders
from cli.common.command import quiet_logs
from cli.common.errors import UsageError, needs_posix
from cli.common.output import output_options
from cli.upload.options import destination, jobs_option
from clipsearch.storage import Bucket

SPLITS = ("val2017", "train2017")
# Not https: the certificate of the storage does not cover a name with dots.
IMAGES = "http://images.cocodataset.org"
ANNOTATIONS = "http://images.cocodataset.org/annotations/annotations_trainval2017.zip"
CACHE = DATA / "coco"


@dataclass(frozen=True, slots=True)
class Options:
    """`count` None: all of the split. `annotations`: a URL, or a local file."""

    count: int | None
    split: str
    annotations: str
    images: str
    cache: Path
    to: Bucket
    jobs: int


@click.command(
    short_help="Put photos of COCO into a bucket.",
    epilog="Example: clipsearch coco gs://my-photos --count 5000",
)
@click.argument("bucket")
@click.option("--count", type=Number(1), help="How many photos, by name.  [default: all]")
@click.option("--split", default=SPLITS[0], show_default=True, help=" or ".join(SPLITS) + ".")
@click.option(
    "--annotations",
    default=ANNOTATIONS,
    shell_complete=complete_files,
    help="A .zip or .json file, or its URL.",
)
@click.option("--images", default=IMAGES, show_default=True, help="URL of the photos.")
@click.option(
    "--cache",
    type=Path,
    default=CACHE,
    shell_complete=complete_folders,
    help="Folder for the annotation archive.",
)
@jobs_option
@output_options
def command(**given: Any) -> int:
    """Put photos of COCO (cocodataset.org) into BUCKET (gs://… or file:///…)."""
    needs_posix("coco")
    from cli.coco.source import upload_coco

    quiet_logs()
    return upload_coco(options_of(**given))


def options_of(
    bucket: str,
    count: int | None,
    split: str,
    annotations: str,
    images: str,
    cache: Path,
    jobs: int,
) -> Options:
    """UsageError for anything that cannot work."""
    if split not in SPLITS:
        raise UsageError(f"--split {split} is unknown; it must be {' or '.join(SPLITS)}")
    if not is_url(images):
        raise UsageError(f"--images {images} is not a URL; it must be http(s)://HOST[/PATH]")
    return Options(
        count=count,
        split=split,
        annotations=annotations,
        images=images.rstrip("/"),
        cache=cache,
        to=destination(bucket),
        jobs=jobs,
    )


def check_count(count: int | None, there_are: int, split: str) -> int:
    """The number of photos to upload. UsageError if there are fewer."""
    if count is not None and count > there_are:
        raise UsageError(f"--count is {count}, and {split} has {there_are} photos only")
    return there_are if count is None else count


def is_url(value: str) -> bool:
    try:
        parts = urlsplit(value)
    except ValueError:  # such as half an IPv6 address
        return False
    return parts.scheme in ("http", "https") and bool(parts.netloc) and not parts.fragment
