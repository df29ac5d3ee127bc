"""Entries as rows of Arrow, and back. Needs pyarrow, which only engines bring.

`told` has all of an entry: one read for each photo that a search compares. The other columns repeat
what the merge, the filters and the index of the vectors compare.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import repeat
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from clipsearch.engine.reduced import rank_of
from clipsearch.index.format.entries import Entries, Kind, key_of
from clipsearch.index.format.facts import FACTS, Known
from clipsearch.index.reader.table import Table
from clipsearch.index.search.columns import Columns
from clipsearch.index.search.kept import Kept

Vectors = npt.NDArray[np.float32]

# The merge rule in SQL, between two rows of one photo: see Entries.winners.
WINS = (
    "target.rank < source.rank OR (target.rank = source.rank AND (target.looked < source.looked "
    "OR (target.looked = source.looked AND target.written < source.written)))"
)
# Without it, two writers at once leave a photo twice, silently. With it, Lance finds that they
# conflict, and one of them merges again: but not for keys of the type binary(16).
PRIMARY_KEY = {"lance-schema:unenforced-primary-key": "true"}

# The columns that searches filter by, and the kind of their index.
INDEXED = {
    "key": "BTREE",
    "kind": "BITMAP",
    "name": "BTREE",
    "date": "BTREE",
    "instant": "BTREE",
    "orientation": "BITMAP",
    "format": "BITMAP",
    "pixels": "BTREE",
}

# The begin of `told`; then come the name, and the vector in float16 or the reason of a failure.
_HEAD = np.dtype(
    [
        ("generation", "<i8"),
        ("time", "<i8"),
        ("width", "<i4"),
        ("height", "<i4"),
        ("name", "<u4"),  # bytes
        ("kind", "u1"),
        ("facts", FACTS),
    ]
)


def schema_of(dim: int, metadata: dict[bytes, bytes]) -> Any:
    """The columns of a table whose vectors have `dim` numbers. A change needs another SCHEMA."""
    fields = [
        pa.field("key", pa.binary(), nullable=False, metadata=PRIMARY_KEY),
        pa.field("rank", pa.int64()),
        pa.field("looked", pa.bool_()),
        pa.field("written", pa.int64()),
        pa.field("kind", pa.uint8()),
        pa.field("name", pa.string()),
        pa.field("date", pa.int64()),  # see dates_of
        pa.field("instant", pa.int64()),  # see Columns.instants
        pa.field("orientation", pa.uint8()),  # 0: unknown
        pa.field("format", pa.uint8()),  # place in FORMATS plus 1; 0: unknown
        pa.field("pixels", pa.int64()),  # of a failure: its Cause
        pa.field("told", pa.binary()),
        pa.field("vector", pa.list_(pa.float16(), dim)),  # stretched; null without one
    ]
    return pa.schema(fields, metadata)


def table_of(entries: Entries, vectors: Vectors, dim: int) -> Any:
    """n rows. `vectors` (v, dim): those of the entries, stretched, for the index. Raises ValueError
    for entries without their vectors."""
    is_vector = entries.kinds == Kind.VECTOR
    if len(entries.vectors) != np.count_nonzero(is_vector):
        raise ValueError(f"{len(entries.vectors)} vectors of {np.count_nonzero(is_vector)} photos")
    every = np.zeros((len(entries), dim), np.float16)
    if len(vectors):
        every[is_vector] = vectors
    numbers = pa.array(every.reshape(-1))
    compared = Columns(Table.empty().extended(entries), Kept())
    pixels = entries.widths.astype(np.int64) * entries.heights
    columns = [
        _binary(np.arange(1, len(entries) + 1) * 16, entries.keys.astype(">u8").tobytes()),
        pa.array(rank_of(entries.generations, entries.kinds)),
        pa.array(entries.facts["flags"] & np.uint8(Known.LOOKED) > 0),
        pa.array(entries.times),
        pa.array(entries.kinds),
        _binary(entries.name_ends, entries.names.tobytes(), pa.string()),
        pa.array(compared.dates),
        pa.array(compared.instants),
        pa.array(compared.orientations),
        pa.array(np.ascontiguousarray(entries.facts["format"])),
        pa.array(np.where(entries.kinds == Kind.FAILURE, entries.widths, pixels)),
        pa.array(_told(entries), pa.binary()),
        pa.FixedSizeListArray.from_arrays(numbers, dim, mask=pa.array(~is_vector)),
    ]
    return pa.table(columns, schema_of(dim, {}))


def entries_of(rows: Any) -> Entries:
    """The entries of r rows with the column `told`."""
    told = rows["told"].to_pylist()
    heads = np.frombuffer(b"".join(one[: _HEAD.itemsize] for one in told), _HEAD)
    ends = (_HEAD.itemsize + heads["name"]).tolist()
    texts = [one[_HEAD.itemsize : end] for one, end in zip(told, ends, strict=True)]
    names, name_ends = _packed(texts)
    rest = [one[end:] for one, end in zip(told, ends, strict=True)]
    kinds = heads["kind"].tolist()
    reasons, reason_ends = _packed(_of_kind(rest, kinds, Kind.FAILURE))
    vectors = _of_kind(rest, kinds, Kind.VECTOR)
    numbers = np.frombuffer(b"".join(vectors), "<f2").astype(np.float32)
    keys = [key_of(text.decode()) for text in texts]  # cheaper than a read for each
    return Entries(
        names=names,
        name_ends=name_ends,
        keys=np.array(keys, np.uint64).reshape(-1, 2),
        generations=heads["generation"].copy(),
        kinds=heads["kind"].copy(),
        widths=heads["width"].copy(),
        heights=heads["height"].copy(),
        times=heads["time"].copy(),
        vectors=numbers.reshape(len(vectors), -1) if vectors else np.zeros((0, 0), np.float32),
        reasons=reasons,
        reason_ends=reason_ends,
        facts=heads["facts"].copy(),
    )


def _told(entries: Entries) -> list[bytes]:
    heads = np.zeros(len(entries), _HEAD)
    heads["generation"], heads["time"] = entries.generations, entries.times
    heads["width"], heads["height"] = entries.widths, entries.heights
    heads["kind"], heads["facts"] = entries.kinds, entries.facts
    heads["name"] = np.diff(entries.name_ends, prepend=0)
    head, size = heads.tobytes(), _HEAD.itemsize
    names = _parts(entries.names, entries.name_ends)
    rest: dict[int, Iterator[bytes]] = {
        Kind.VECTOR: (vector.tobytes() for vector in entries.vectors.astype("<f2")),
        Kind.FAILURE: iter(_parts(entries.reasons, entries.reason_ends)),
        Kind.TOMBSTONE: repeat(b""),
    }
    return [
        head[i * size : (i + 1) * size] + name + next(rest[kind])
        for i, (name, kind) in enumerate(zip(names, entries.kinds.tolist(), strict=True))
    ]


def _of_kind(texts: Sequence[bytes], kinds: Sequence[int], kind: Kind) -> list[bytes]:
    return [text for text, its in zip(texts, kinds, strict=True) if its == kind]


def _parts(packed: npt.NDArray[np.uint8], ends: npt.NDArray[np.int64]) -> list[bytes]:
    data, begins = packed.tobytes(), [0, *ends.tolist()[:-1]]
    return [data[begin:end] for begin, end in zip(begins, ends.tolist(), strict=False)]


def _packed(texts: Sequence[bytes]) -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.int64]]:
    ends = np.cumsum([len(text) for text in texts], dtype=np.int64)
    return np.frombuffer(b"".join(texts), np.uint8), ends


def _binary(ends: npt.NDArray[np.int64], data: bytes, kind: Any = pa.binary()) -> Any:  # noqa: B008
    offsets = np.concatenate([[0], ends]).astype(np.int32)
    return pa.Array.from_buffers(kind, len(ends), [None, *map(pa.py_buffer, (offsets, data))])
