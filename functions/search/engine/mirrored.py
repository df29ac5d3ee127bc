"""The index of one space in a mirror of Lance: CLIPSEARCH_ENGINE=lance (docs/engine.md).

Imported on the first search with this setting. Imports no numpy (see clipsearch.imports).
"""

import importlib.util
from datetime import UTC, datetime
from functools import lru_cache
from typing import TYPE_CHECKING

from clipsearch.errors import SettingsError
from clipsearch.images.memory import memory_limit
from clipsearch.imports import import_in_turn
from clipsearch.model.encoder import Encoder
from clipsearch.storage import Bucket

if TYPE_CHECKING:
    from clipsearch.engine.protocol import Engine
    from clipsearch.engine.union import Union
    from clipsearch.index.reader.snapshot import Snapshot


# Of the memory, for indexes of the table: 136 bytes a photo at 512 numbers.
CACHE_SHARE = 0.5


class InMirror:
    """Asks the mirror, and holds the photos that are newer in memory.

    Raises SettingsError if Lance is not installed.
    """

    def __init__(self, bucket: Bucket, encoder: Encoder) -> None:
        if importlib.util.find_spec("lance") is None:
            allowed = "empty, because the package pylance is not installed"
            raise SettingsError("CLIPSEARCH_ENGINE", "lance", allowed)
        import_in_turn("clipsearch.engine.mirror_reader", "lance", "clipsearch.engine.rows")
        from clipsearch.engine.lance_table import LanceTable
        from clipsearch.engine.mirror_reader import MirrorReader
        from clipsearch.engine.state import table_path

        space, dim = encoder.space, encoder.bundle.dim
        cache = int(memory_limit() * CACHE_SHARE)

        @lru_cache(1)  # all versions of a table share what they have read of its indexes
        def opened(name: str) -> "Engine":
            url = f"{bucket.url}/{table_path(space, name)}"
            return LanceTable(url, dim, None, cache=cache)

        self._reader = MirrorReader(
            bucket, space, dim, opened, lambda: datetime.now(UTC), is_sparing=True
        )

    def refresh(self) -> "tuple[Snapshot, Union]":
        return self._reader.refresh()
