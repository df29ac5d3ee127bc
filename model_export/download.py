"""One file of the hub into the cache of its client: goes on after a break, and checks the bytes.

The client's own download begins anew after a break and compares no digest. Here the bytes that
came stay as blobs/ETAG.incomplete; they become blobs/ETAG, where the client looks, once they have
the digest that was expected.
"""

from __future__ import annotations

import fcntl
import hashlib
import re
import shutil
import time
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from huggingface_hub import (
    constants,
    get_hf_file_metadata,
    get_session,
    hf_hub_download,
    hf_hub_url,
)
from huggingface_hub.errors import (  # type: ignore[attr-defined]  # HTTPError: of its client
    HfHubHTTPError,
    HTTPError,
)
from huggingface_hub.file_download import repo_folder_name
from huggingface_hub.utils import (  # type: ignore[attr-defined]  # re-exported without a list
    build_hf_headers,
    hf_raise_for_status,
)

from model_export.errors import HubError, first_line
from model_export.progress import Progress

TRIES = 5  # in a row without a byte
FIRST_WAIT = 1.0  # seconds before the second try; then twice as long
PATIENCE = 30.0  # seconds without a byte
CHUNK = 1 << 20  # bytes
BUSY = (408, 429, 500, 502, 503, 504)


@dataclass(frozen=True, slots=True)
class Weights:
    """A file of the commit `revision` of `model`. `sha256` is None if nobody knows it."""

    model: str
    revision: str
    name: str
    sha256: str | None

    def __str__(self) -> str:
        return f"{self.name} of {self.model}"


def download(weights: Weights, progress: Progress) -> str | None:
    """Get the file into the cache; the digest it was compared with, None if there is none.

    HubError for a broken download or other bytes than expected, and what the client raises."""
    url = hf_hub_url(weights.model, weights.name, revision=weights.revision)
    about = get_hf_file_metadata(url)
    etag = about.etag or ""
    if not re.fullmatch(r"\w[\w.-]*", etag):  # it becomes the name of a file in the cache
        raise HubError(f"{constants.ENDPOINT} names {weights} by {etag[:80]!a}, which is no ETag")
    blobs = Path(constants.HF_HUB_CACHE) / _folder(weights.model) / "blobs"
    blobs.mkdir(parents=True, exist_ok=True)
    expected = weights.sha256 or (etag if is_sha256(etag) else None)
    if (blobs / etag).exists():  # of another revision
        check(blobs / etag, weights)
    else:
        with (blobs / f"{etag}.incomplete").open("a+b") as file:
            fcntl.flock(file, fcntl.LOCK_EX)  # another export of the same model
            if not (blobs / etag).exists():
                part = _Part(file, progress)
                _check_space(weights, blobs, (about.size or 0) - part.size)
                _receive(weights, url, part, about.size)
                _keep(weights, part, about.size, expected, blobs / etag)
    hf_hub_download(weights.model, weights.name, revision=weights.revision)  # links to the blob
    return expected


def check(file: Path, weights: Weights) -> None:
    """HubError unless the `file` of the cache has the bytes of `weights`. Where nobody else knows
    the digest, the name that the client gave to its blob is one."""
    name = file.resolve().name
    expected = weights.sha256 or (name if is_sha256(name) else None)
    if not expected:
        return
    with file.open("rb") as stream:
        digest = hashlib.file_digest(stream, "sha256").hexdigest()
    if digest != expected:
        raise HubError(
            f"{weights} has the SHA-256 {digest} in the cache, and {expected} is expected: "
            f"delete {file.resolve()} and try again"
        )


def is_sha256(text: str) -> bool:
    return re.fullmatch("[0-9a-f]{64}", text) is not None


def _folder(model: str) -> str:
    return repo_folder_name(repo_id=model, repo_type="model")


class _Part:
    """The bytes of a download that are there, those of an earlier run included."""

    def __init__(self, file: BinaryIO, progress: Progress) -> None:
        self.path = Path(file.name)
        self._file = file  # appends
        self.progress = progress
        self.digest = hashlib.sha256()
        self.size = 0
        file.seek(0)
        while chunk := file.read(CHUNK):
            self.digest.update(chunk)
            self.size += len(chunk)
        progress.found(self.size)

    def add(self, chunk: bytes) -> None:
        self._file.write(chunk)
        self.digest.update(chunk)
        self.size += len(chunk)
        self.progress.got(len(chunk))

    def drop(self) -> None:
        """Begin anew."""
        self._file.truncate(0)
        self.progress.found(-self.size)
        self.digest = hashlib.sha256()
        self.size = 0


def _receive(weights: Weights, url: str, part: _Part, size: int | None) -> None:
    """Fill `part` up to `size` bytes; where that is not known, up to the end of an answer."""
    if size is not None and part.size > size:
        part.drop()
    tries, most = 0, part.size
    while size is None or part.size < size:
        try:
            _ask_once(url, part)
            if size is None:
                return
            trouble = "the connection was closed"
        except HfHubHTTPError as error:
            if error.response.status_code not in BUSY:
                raise
            trouble = f"{error.response.status_code} {error.response.reason_phrase}"
        except HTTPError as error:
            trouble = first_line(error)
        tries = 0 if part.size > most else tries + 1
        most = max(most, part.size)
        if tries >= TRIES:
            raise HubError(
                f"the download of {weights} broke off at {part.progress.line()} ({trouble}); the "
                "same command goes on from there"
            )
        if size is None or part.size < size:
            time.sleep(FIRST_WAIT * 2 ** max(tries - 1, 0))


def _ask_once(url: str, part: _Part) -> None:
    """Add what one answer gives. The client's HTTPError, HfHubHTTPError for an answer of no use."""
    headers = build_hf_headers() | {"Accept-Encoding": "identity"}
    if part.size:
        headers["Range"] = f"bytes={part.size}-"
    with get_session().stream("GET", url, headers=headers, timeout=PATIENCE) as answer:
        if part.size and answer.status_code in (200, 416):
            part.drop()  # a server that always begins at the beginning, or has less than that
        hf_raise_for_status(answer)
        for chunk in answer.iter_raw():
            part.add(chunk)


def _keep(
    weights: Weights, part: _Part, size: int | None, expected: str | None, blob: Path
) -> None:
    """`part` becomes `blob`. HubError, and nothing is kept, if it has other bytes."""
    digest = part.digest.hexdigest()
    if expected and digest != expected:
        problem = f"has the SHA-256 {digest}, and {expected} is expected"
    elif size is not None and part.size != size:
        problem = f"has {part.size} bytes, and {size} are expected"
    else:
        part.path.rename(blob)
        return
    part.path.unlink()
    raise HubError(
        f"{weights} {problem}: nothing of it was kept; try again, or look at what "
        f"{constants.ENDPOINT} serves"
    )


def _check_space(weights: Weights, folder: Path, needed: int) -> None:
    free = shutil.disk_usage(folder).free
    if needed > free:
        raise HubError(
            f"{weights} needs {needed / 1e6:.0f} MB, and {folder} has {free / 1e6:.0f} MB left; "
            "name a folder on another disk in HF_HOME"
        )
