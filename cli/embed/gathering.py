"""An index bucket that keeps new segments in memory, so that one larger segment can be written.

`ingest` writes a segment per batch. A million photos would be 4,000 segments, each merged again.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from clipsearch.index.format.segments import segments_prefix
from clipsearch.storage import Bucket, Stat


class Gathering:
    """Passes all requests to `bucket`, but for the creation of segments in `space`."""

    def __init__(self, bucket: Bucket, space: str) -> None:
        self._bucket, self._prefix = bucket, segments_prefix(space)
        self._segments: list[bytes] = []

    def __getattr__(self, name: str) -> Any:
        return getattr(self._bucket, name)

    def create(self, name: str, data: bytes, *arguments: Any, **more: Any) -> Stat:
        if not name.startswith(self._prefix):
            return self._bucket.create(name, data, *arguments, **more)
        self._segments.append(data)
        return Stat(name, 0, len(data), None, datetime.now(UTC))

    def take(self) -> list[bytes]:
        """The segments since the last call."""
        taken, self._segments = self._segments, []
        return taken
