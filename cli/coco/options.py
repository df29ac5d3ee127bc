"""What the command line of `make coco` asks for."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from cli import ROOT
from cli.common.errors import UsageError
from cli.run.options import Parser
from cli.upload.options import add_destination, destination, jobs, whole_number
from clipsearch.storage import Bucket

SPLITS = ("val2017", "train2017")
# Not https: the name has dots, so the certificate of the storage behind it does not cover it.
IMAGES = "http://images.cocodataset.org"
ANNOTATIONS = "http://images.cocodataset.org/annotations/annotations_trainval2017.zip"
CACHE = ROOT / "build" / "coco"


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


def parse_options(arguments: list[str]) -> Options:
    """UsageError for anything that cannot work."""
    parser = Parser("cli.coco", "Put photos of COCO into a bucket.")
    parser.add_argument("--count", help="how many photos, the first by name (default: all)")
    parser.add_argument("--split", default=SPLITS[0], help=f"{' or '.join(SPLITS)}")
    parser.add_argument(
        "--annotations", default=ANNOTATIONS, help=f"zip or json, or its address ({ANNOTATIONS})"
    )
    parser.add_argument("--images", default=IMAGES, help=f"address of the photos ({IMAGES})")
    help_ = "folder for the annotation archive (default: build/coco)"
    parser.add_argument("--cache", type=Path, default=CACHE, help=help_)
    add_destination(parser)
    given = parser.parse_args(arguments)
    if given.split not in SPLITS:
        raise UsageError(f"SPLIT={given.split} is unknown; it must be {' or '.join(SPLITS)}")
    count = None if given.count is None else whole_number(given.count)
    if count == 0 or (count is None and given.count is not None):
        raise UsageError(f"COUNT={given.count} is no number of photos; it must be 1 or more")
    if not is_address(given.images):
        raise UsageError(f"IMAGES={given.images} is no address; it must be http(s)://HOST[/PATH]")
    return Options(
        count=count,
        split=given.split,
        annotations=given.annotations,
        images=given.images.rstrip("/"),
        cache=given.cache,
        to=destination(given.to),
        jobs=jobs(given.jobs),
    )


def check_count(count: int | None, there_are: int, split: str) -> int:
    """How many photos are wanted; UsageError if there are fewer."""
    if count is not None and count > there_are:
        raise UsageError(f"COUNT={count} is too many: {split} has {there_are} photos")
    return there_are if count is None else count


def is_address(value: str) -> bool:
    try:
        parts = urlsplit(value)
    except ValueError:  # such as half an IPv6 address
        return False
    return parts.scheme in ("http", "https") and bool(parts.netloc) and not parts.fragment
