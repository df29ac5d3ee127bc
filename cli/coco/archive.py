"""COCO's annotation archive: a local file, or one that is downloaded once."""

from __future__ import annotations

import fcntl
import hashlib
import os
import threading
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO
from urllib.parse import urlsplit

import requests

from cli.coco.client import Client, body
from cli.coco.options import is_url
from cli.common.errors import RunError, UsageError
from cli.common.progress import bar
from cli.common.retry import Retries
from cli.upload.source import GiveUp, Unavailable


def find_annotations(given: str, client: Client, cache: Path) -> Path:
    """The file at `given`, a URL or a path. Raises UsageError, RunError, OSError."""
    if is_url(given):
        return _fetch(given, client, cache)
    path = Path(given).expanduser()
    if not path.is_file():
        what = "is a folder" if path.is_dir() else "does not exist"
        raise UsageError(f"--annotations {given} {what}; it must be a .zip or .json file, or a URL")
    return path


def _fetch(url: str, client: Client, cache: Path) -> Path:
    digest = hashlib.sha256(url.encode()).hexdigest()[:8]
    final = cache / f"{digest}-{Path(urlsplit(url).path).name or 'annotations'}"
    cache.mkdir(parents=True, exist_ok=True)
    if final.exists():
        return final
    partial = final.with_name(f"{final.name}.partial")
    with _only_one(partial) as file:
        if final.exists():  # another process has downloaded it
            return final
        _fill(file, url, client, final.with_name(f"{final.name}.version"))
        if wrong := _what_is_wrong(partial):
            partial.unlink()
            raise RunError(
                f"{url} cannot be used: {wrong}; run the command again, or see --annotations"
            )
        partial.replace(final)
    return final


@contextmanager
def _only_one(partial: Path) -> Iterator[BinaryIO]:
    """`partial`, open for writing by one process at a time. The lock ends with the process."""
    with partial.open("ab") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield file


def _fill(file: BinaryIO, url: str, client: Client, version: Path) -> None:
    """Download the rest of the file. RunError if several tries in a row bring no byte."""
    farthest = 0
    retries = Retries(threading.Event())
    while True:
        try:
            _attempt(file, url, client, version)
            return
        except (Unavailable, GiveUp) as error:
            if file.tell() > farthest:
                retries.start_over()
            farthest = max(farthest, file.tell())
            if isinstance(error, GiveUp) or not error.again or not retries.failed():
                raise RunError(
                    f"{url} cannot be downloaded: {error}; give a file or another URL with "
                    "--annotations"
                ) from error
            retries.wait()


def _attempt(file: BinaryIO, url: str, client: Client, version: Path) -> None:
    """`version` keeps the ETag or date of the bytes in `file`, so that parts of two never mix."""
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
        total = start + length if length else None
        with bar("annotations", total=total, unit="B", done=start, unit_scale=True) as shown:
            for chunk in body(answer):
                file.write(chunk)
                shown.update(len(chunk))
    file.flush()


def _version(answer: requests.Response) -> str:
    etag = answer.headers.get("ETag", "")
    if etag and not etag.startswith("W/"):  # a weak ETag does not allow ranges
        return etag
    return answer.headers.get("Last-Modified", "")


def _what_is_wrong(file: Path) -> str | None:
    """With the downloaded file. A JSON file is checked when it is read."""
    if zipfile.is_zipfile(file):
        with zipfile.ZipFile(file) as archive:
            try:
                broken = archive.testzip()
            except (zipfile.BadZipFile, zlib.error, EOFError) as error:
                return f"it is damaged: {error}"
        return f"{broken} in it is damaged" if broken else None
    with file.open("rb") as opened:
        beginning = opened.read(12)
    if beginning.lstrip().startswith(b"{"):
        return None
    return f"it is neither a zip archive nor JSON, and begins with {beginning!r}"
