"""COCO as the engine sees it."""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from urllib.parse import quote

from cli.coco.annotations import Record, read_records
from cli.coco.archive import find_annotations
from cli.coco.client import Client
from cli.coco.options import Options, check_count
from cli.upload.engine import upload
from cli.upload.photo import check_photo
from cli.upload.source import NotAPhoto, OwnFault, Unavailable
from clipsearch.images.decode import MAX_BYTES

PHOTO_SECONDS = 120.0  # a photo has about 160 KB


class CocoSource:
    """The photos of `records` below the URL `images`."""

    prefix = "coco/"
    is_immutable = True
    cache_control = "public, max-age=31536000, immutable"

    def __init__(self, records: Sequence[Record], images: str, client: Client) -> None:
        self._records = {self.prefix + record.file_name: record for record in records}
        self._images, self._client = images, client

    def names(self) -> Sequence[str]:
        return list(self._records)

    def left_out(self) -> Mapping[str, str]:
        return {}

    def read(self, name: str) -> bytes:
        url = f"{self._images}/{quote(self._records[name].file_name)}"
        try:
            return self._client.download(url, MAX_BYTES, PHOTO_SECONDS)
        except Unavailable as error:
            raise Unavailable(f"{url}: {error}", error.again) from error

    def content_type(self, data: bytes) -> str:
        """The content type of `data`. Unavailable if it is not a photo: it was damaged on its
        way, or a proxy has sent a web page."""
        try:
            return check_photo(data)
        except (NotAPhoto, OwnFault) as error:
            raise Unavailable(str(error), again=True) from error

    def metadata(self, name: str) -> Mapping[str, str]:
        return self._records[name].metadata


def upload_coco(options: Options) -> int:
    """The exit code. UsageError, RunError if the list of photos cannot be read."""
    stop = threading.Event()
    client = Client(stop)
    annotations = find_annotations(options.annotations, client, options.cache)
    records = read_records(annotations, options.split)
    count = check_count(options.count, len(records), options.split)
    source = CocoSource(records[:count], f"{options.images}/{options.split}", client)
    return upload(source, options.to, options.jobs, stop)
