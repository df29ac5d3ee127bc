"""A pack: the data of one segment for a large search, in a write-once object of half its size.

    v rows of d float16         the vectors, to sort candidates by their true scores
    an .npz                     the segment's columns except `vectors`; `codes`
                                (v, g / 2 + 1) uint8; `quantizer`: its name; `checksum` of the
                                rows; `row_checksums` (v,) uint32, of each row: older packs
                                have none

Read by reader/loader.py (heads), reader/prefetch.py (rows), reader/stored_rows.py (some rows) and
compaction/purge.py (checks).
The object's name contains the offset of the .npz. So each part takes one request, and the rows
are read into their final memory.
"""

from __future__ import annotations

import re
import zlib
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from clipsearch.errors import DamagedObject
from clipsearch.index.format.entries import Entries, Kind
from clipsearch.index.format.npz import arrays_of
from clipsearch.index.format.quantizer import Quantizer
from clipsearch.index.format.segments import FORMAT, entries_in, segment_bytes
from clipsearch.storage import Bucket

Halves = npt.NDArray[np.float16]
Codes = npt.NDArray[np.uint8]

WRONG_ROWS = "its rows do not match their checksum"


@dataclass(frozen=True, slots=True, eq=False)
class PackHead:
    """The pack at `path` without its rows. `codes`: (v, g / 2 + 1), for the v vector entries.

    `row_checksums`: (v,) CRC-32 of each row; None in a pack of an older version."""

    path: str
    entries: Entries  # without vectors
    codes: Codes
    dimension: int
    quantizer: str
    checksum: int
    row_checksums: npt.NDArray[np.uint32] | None = None


class PackName(NamedTuple):
    """`segment`: name. `quantizer`: id. `size`: bytes of the rows."""

    segment: str
    quantizer: str
    size: int


def pack_path(space: str, segment: str, quantizer: str, size: int) -> str:
    """The name of a segment's pack; `size`: bytes of its rows."""
    return f"{space}/packs/{segment.removesuffix('.npz')}-{quantizer_id(quantizer)}-{size}.pack"


def quantizer_id(quantizer: str) -> str:
    """The id of the quantizer with this name, as in the names of its packs."""
    return quantizer.rpartition("-")[2].removesuffix(".npz")


def parse_pack_path(path: str) -> PackName | None:
    """The parts of a pack's name; None if it is not the name of a pack."""
    found = re.search(r"/packs/([^/]+)-([0-9a-f]+)-(\d{1,15})\.pack$", path)
    return PackName(f"{found[1]}.npz", found[2], int(found[3])) if found else None


def write_pack(
    bucket: Bucket, space: str, segment: str, entries: Entries, name: str, quantizer: Quantizer
) -> str:
    """Write the pack of `segment` from its `entries`; returns its path. `name`: the quantizer's."""
    rows = entries.vectors.astype(np.float16)
    data = rows.tobytes()
    head = segment_bytes(
        space,
        entries.without_vectors(),
        codes=quantizer.encode(rows),
        quantizer=np.str_(name),
        checksum=np.uint32(zlib.crc32(data)),
        row_checksums=np.array([zlib.crc32(row) for row in rows], np.uint32),
    )
    path = pack_path(space, segment, name, len(data))
    bucket.create(path, data + head)
    return path


def read_head(bucket: Bucket, space: str, path: str) -> PackHead:
    """Raises UnknownFormat, DamagedObject and ObjectNotFound."""
    return head_of(path, space, bucket.read(path, start=_named(path).size))


def head_of(path: str, space: str, data: bytes) -> PackHead:
    """The head in the bytes after the rows of the pack at `path`. Raises as read_head()."""
    name = _named(path)
    size = name.size
    arrays = arrays_of(path, data, FORMAT)
    entries = entries_in(path, space, arrays)
    missing = {"codes", "quantizer", "checksum"} - arrays.keys()
    if missing:
        raise DamagedObject(path, f"it lacks {', '.join(sorted(missing))}")
    codes = arrays["codes"]
    count = int(np.count_nonzero(entries.kinds == Kind.VECTOR))
    if (
        codes.dtype != np.uint8
        or codes.ndim != 2
        or len(codes) != count
        or not count
        or size % (2 * count)
    ):
        raise DamagedObject(path, f"its codes or rows do not match its {count} vectors")
    row_checksums = arrays.get("row_checksums")
    if row_checksums is not None and (
        row_checksums.dtype != np.uint32 or row_checksums.shape != (count,)
    ):
        raise DamagedObject(path, f"its checksums of rows do not match its {count} vectors")
    quantizer = str(arrays["quantizer"])
    if quantizer_id(quantizer) != name.quantizer:
        raise DamagedObject(path, f"its quantizer {quantizer!r} does not match its name")
    return PackHead(
        path=path,
        entries=entries,
        codes=codes,
        dimension=size // (2 * count),
        quantizer=quantizer,
        checksum=int(arrays["checksum"]),
        row_checksums=row_checksums,
    )


def check_pack(path: str, space: str, data: bytes) -> None:
    """Raise DamagedObject or UnknownFormat unless these are the bytes of a sound pack."""
    size = _named(path).size
    head = head_of(path, space, data[size:])
    if zlib.crc32(memoryview(data)[:size]) != head.checksum:
        raise DamagedObject(path, WRONG_ROWS)


def _named(path: str) -> PackName:
    name = parse_pack_path(path)
    if name is None:
        raise DamagedObject(path, "its name is not the name of a pack")
    return name


def read_rows(bucket: Bucket, path: str, into: npt.NDArray[np.uint8]) -> int:
    """Fill `into` with the rows of a pack; its size is in the pack's name. Returns their checksum:
    compare it with PackHead.checksum. Raises DamagedObject and ObjectNotFound."""
    memory = into.data
    if bucket.read_into(path, memory) != len(memory):
        raise DamagedObject(path, WRONG_ROWS)
    return zlib.crc32(memory)
