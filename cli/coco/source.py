"""COCO as the engine sees it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from urllib.parse import quote

from cli.coco.annotations import Record
from cli.coco.client import Client
from cli.upload.photo import check_photo
from cli.upload.source import NotAPhoto, OwnFault, Unavailable
from clipsearch.images.decode import MAX_BYTES

PHOTO_SECONDS = 120.0  # a photo has some 160 KB


class CocoSource:
    """The photos of `records` below the address `images`."""

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
        """Each is known to be a photo: what is none was damaged on its way, or is a web page
        of somebody in between."""
        try:
            return check_photo(data)
        except (NotAPhoto, OwnFault) as error:
            raise Unavailable(str(error), again=True) from error

    def metadata(self, name: str) -> Mapping[str, str]:
        return self._records[name].metadata
