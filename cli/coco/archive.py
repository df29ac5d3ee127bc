"""COCO's annotation archive: a file here, or one that is downloaded once."""

from __future__ import annotations

import fcntl
import hashlib
import os
import time
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO
from urllib.parse import urlsplit

import requests
from tqdm import tqdm

from cli.coco.client import Client, body
from cli.coco.options import is_address
from cli.common.errors import RunError, UsageError
from cli.run.feeder import wait_before
from cli.upload.source import GiveUp, Unavailable

ATTEMPTS = 5  # in a row that brought nothing new


def find_annotations(given: str, client: Client, cache: Path) -> Path:
    """The file that `given`, an address or a path, means. UsageError, RunError, OSError."""
    if is_address(given):
        return _fetch(given, client, cache)
    path = Path(given).expanduser()
    if not path.is_file():
        what = "is a folder" if path.is_dir() else "does not exist"
        raise UsageError(f"--annotations {given} {what}; it must be a .zip or .json, or an address")
    return path


def _fetch(url: str, client: Client, cache: Path) -> Path:
    digest = hashlib.sha256(url.encode()).hexdigest()[:8]
    final = cache / f"{digest}-{Path(urlsplit(url).path).name or 'annotations'}"
    cache.mkdir(parents=True, exist_ok=True)
    if final.exists():
        return final
    partial = final.with_name(f"{final.name}.partial")
    with _only_one(partial) as file:
        if final.exists():  # another process was quicker
            return final
        _fill(file, url, client, final.with_name(f"{final.name}.version"))
        if wrong := _what_is_wrong(partial):
            partial.unlink()
            raise RunError(f"{url} cannot be used: {wrong}")
        partial.replace(final)
    return final


@contextmanager
def _only_one(partial: Path) -> Iterator[BinaryIO]:
    """`partial` to write to, by one process at a time; the lock goes with the process."""
    with partial.open("ab") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield file


def _fill(file: BinaryIO, url: str, client: Client, version: Path) -> None:
    """Until all is there, beginning where it ended before. RunError when nothing more comes."""
    attempt = farthest = 0
    while True:
        try:
            _attempt(file, url, client, version)
            return
        except (Unavailable, GiveUp) as error:
            attempt = 1 if file.tell() > farthest else attempt + 1
            farthest = max(farthest, file.tell())
            if isinstance(error, GiveUp) or not error.again or attempt >= ATTEMPTS:
                raise RunError(
                    f"{url} cannot be had: {error}; --annotations takes another address, or a file"
                ) from error
            time.sleep(wait_before(attempt))


def _attempt(file: BinaryIO, url: str, client: Client, version: Path) -> None:
    """`version` holds what the server calls the very bytes of which `file` is the beginning."""
    known = version.read_text() if version.exists() else ""
    start = file.seek(0, os.SEEK_END)
    asked = {"Range": f"bytes={start}-", "If-Range": known} if start and known else {}
    with client.opened(url, asked) as answer:
        if answer.status_code != 206:
            start = file.seek(0)
            file.truncate()
        elif not answer.headers.get("Content-Range", "").startswith(f"bytes {start}-"):
            raise Unavailable(f"the server sends {answer.headers.get('Content-Range')!r} instead")
        version.write_text(_version(answer))
        length = int(answer.headers.get("Content-Length") or 0)
        with tqdm(
            desc="annotations",
            total=start + length if length else None,
            initial=start,
            unit="B",
            unit_scale=True,
            disable=None,
        ) as bar:
            for chunk in body(answer):
                file.write(chunk)
                bar.update(len(chunk))
    file.flush()


def _version(answer: requests.Response) -> str:
    etag = answer.headers.get("ETag", "")
    if etag and not etag.startswith("W/"):  # a weak one is not for ranges
        return etag
    return answer.headers.get("Last-Modified", "")


def _what_is_wrong(file: Path) -> str | None:
    """With what came; a JSON is looked into when it is read."""
    if zipfile.is_zipfile(file):
        with zipfile.ZipFile(file) as archive:
            try:
                broken = archive.testzip()
            except (zipfile.BadZipFile, zlib.error, EOFError) as error:
                return f"it came damaged: {error}"
        return f"{broken} in it came damaged" if broken else None
    with file.open("rb") as opened:
        beginning = opened.read(12)
    if beginning.lstrip().startswith(b"{"):
        return None
    return f"it is neither a zip archive nor JSON, and begins with {beginning!r}"
