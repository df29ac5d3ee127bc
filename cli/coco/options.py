"""`clipsearch coco`: what its command line asks for."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import click

from cli import DATA
from cli.common.command import quiet_logs
from cli.common.errors import UsageError
from cli.upload.options import destination, jobs_of, jobs_option, whole_number
from clipsearch.storage import Bucket

SPLITS = ("val2017", "train2017")
# Not https: the name has dots, so the certificate of the storage behind it does not cover it.
IMAGES = "http://images.cocodataset.org"
ANNOTATIONS = "http://images.cocodataset.org/annotations/annotations_trainval2017.zip"
CACHE = DATA / "coco"


@dataclass(frozen=True, slots=True)
class Options:
    """`count` None: all of the split. `annotations`: an address, or a file here."""

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
@click.option("--count", help="How many photos, the first by name.  [default: all]")
@click.option("--split", default=SPLITS[0], show_default=True, help=" or ".join(SPLITS))
@click.option("--annotations", default=ANNOTATIONS, help="A .zip or .json, or its address.")
@click.option("--images", default=IMAGES, show_default=True, help="Address of the photos.")
@click.option("--cache", type=Path, default=CACHE, help="Folder for the annotation archive.")
@jobs_option
def command(**given: Any) -> int:
    """Put photos of COCO (cocodataset.org) into BUCKET (gs://… or file:///…)."""
    from cli.coco.source import upload_coco

    quiet_logs()
    return upload_coco(options_of(**given))


def options_of(
    bucket: str,
    count: str | None,
    split: str,
    annotations: str,
    images: str,
    cache: Path,
    jobs: str,
) -> Options:
    """UsageError for anything that cannot work."""
    if split not in SPLITS:
        raise UsageError(f"--split {split} is unknown; it must be {' or '.join(SPLITS)}")
    number = None if count is None else whole_number(count)
    if number == 0 or (number is None and count is not None):
        raise UsageError(f"--count {count} is no number of photos; it must be 1 or more")
    if not is_address(images):
        raise UsageError(f"--images {images} is no address; it must be http(s)://HOST[/PATH]")
    return Options(
        count=number,
        split=split,
        annotations=annotations,
        images=images.rstrip("/"),
        cache=cache,
        to=destination(bucket),
        jobs=jobs_of(jobs),
    )


def check_count(count: int | None, there_are: int, split: str) -> int:
    """How many photos are wanted; UsageError if there are fewer."""
    if count is not None and count > there_are:
        raise UsageError(f"--count {count} is too many: {split} has {there_are} photos")
    return there_are if count is None else count


def is_address(value: str) -> bool:
    try:
        parts = urlsplit(value)
    except ValueError:  # such as half an IPv6 address
        return False
    return parts.scheme in ("http", "https") and bool(parts.netloc) and not parts.fragment
