"""The list of photos in COCO's annotation files. https://cocodataset.org/#format-data"""

from __future__ import annotations

import json
import zipfile
import zlib
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from cli.common.errors import RunError, UsageError

# Each has all photos and licences. The captions are the smallest.
KINDS = ("captions", "instances", "person_keypoints")


@dataclass(frozen=True, slots=True)
class Record:
    """`metadata`: licence and origin, as far as known."""

    file_name: str
    metadata: dict[str, str]


def read_records(path: Path, split: str) -> list[Record]:
    """The photos of `split` by name, each once. RunError if the file is not in COCO's format."""
    try:
        is_zip = zipfile.is_zipfile(path)
        document = json.loads(_from_zip(path, split) if is_zip else path.read_bytes())
    except OSError as error:
        raise RunError(f"{path} cannot be read: {error.strerror or error}") from error
    except (ValueError, RecursionError) as error:
        what = "has a file that is not JSON" if is_zip else "is neither a zip archive nor JSON"
        raise RunError(f"{path} {what}: {error}") from error
    records = {record.file_name: record for record in _records(document, path, split)}
    return [records[name] for name in sorted(records)]


def _from_zip(path: Path, split: str) -> bytes:
    try:
        with zipfile.ZipFile(path) as archive:
            files = {PurePosixPath(name).name: name for name in archive.namelist()}
            for kind in KINDS:
                if name := files.get(f"{kind}_{split}.json"):
                    return archive.read(name)  # checks its CRC-32
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError) as error:
        raise RunError(
            f"{path} is damaged ({error}); remove it, then it is downloaded again"
        ) from error
    listed = ", ".join(sorted(files)[:10]) or "nothing"
    wanted = " or ".join(f"{kind}_{split}.json" for kind in KINDS)
    raise RunError(f"{path} is not in COCO's format: it must have {wanted}, and has {listed}")


def _records(document: Any, path: Path, split: str) -> list[Record]:
    images = document.get("images") if isinstance(document, dict) else None
    if not isinstance(images, list) or not images:
        raise RunError(f'{path} is not in COCO\'s format: it has no list "images", or an empty one')
    licenses = document.get("licenses")
    by_id = {
        license_.get("id"): license_
        for license_ in (licenses if isinstance(licenses, list) else [])
        if isinstance(license_, dict)
    }
    return [_record(image, by_id, path, split) for image in images]


def _record(image: Any, licenses: dict[Any, Any], path: Path, split: str) -> Record:
    name = image.get("file_name") if isinstance(image, dict) else None
    if not isinstance(name, str) or not name:
        raise RunError(f"{path} is not in COCO's format: {str(image)[:200]} has no file_name")
    license_ = licenses.get(image.get("license"), {})
    facts = {
        "license": license_.get("name"),
        "license-url": license_.get("url"),
        "source-url": image.get("coco_url"),
        "flickr-url": image.get("flickr_url"),
    }
    metadata = {key: value for key, value in facts.items() if isinstance(value, str) and value}
    source = metadata.get("source-url", "")
    if source and f"/{split}/" not in source:
        raise UsageError(
            f"{path} is not for {split}: it lists {source}; choose the other with --split"
        )
    return Record(name, metadata)
