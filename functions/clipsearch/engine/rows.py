"""Entries as rows of Arrow, and back. Needs pyarrow, which only engines bring.

`told` has all of an entry but a reason and a long name. It has one size, so it is one read for each
photo that a search compares. The other columns repeat what the merge, the filters and the index of
the vectors compare.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from clipsearch.engine.reduced import rank_of
from clipsearch.index.format.entries import Entries, Kind
from clipsearch.index.format.facts import FACTS, Known
from clipsearch.index.reader.table import Table
from clipsearch.index.search.columns import Columns
from clipsearch.index.search.kept import Kept

Vectors = npt.NDArray[np.float32]
Array = npt.NDArray[Any]

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

NAME_ROOM = 96  # bytes of a name in `told`. A longer one is only in its own column


def told_type(dim: int) -> np.dtype[Any]:
    """An entry in `told`."""
    return np.dtype(
        [
            ("key", "<u8", (2,)),
            ("generation", "<i8"),
            ("time", "<i8"),
            ("width", "<i4"),
            ("height", "<i4"),
            ("length", "<u2"),  # bytes of the name
            ("kind", "u1"),
            ("facts", FACTS),
            ("name", "u1", (NAME_ROOM,)),
            ("vector", "<f2", (dim,)),
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
        pa.field("reason", pa.string()),  # null unless a failure
        pa.field("told", pa.binary(told_type(dim).itemsize)),
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
        pa.array(_reasons(entries), pa.string()),
        _fixed(_told(entries, dim)),
        pa.FixedSizeListArray.from_arrays(numbers, dim, mask=pa.array(~is_vector)),
    ]
    return pa.table(columns, schema_of(dim, {}))


def told_of(rows: Any) -> Array:
    """(r,) of told_type: the column `told` of r rows."""
    numbers = rows.schema.field("told").type.byte_width - told_type(0).itemsize
    kind = told_type(numbers // np.dtype("<f2").itemsize)
    return np.frombuffer(b"".join(rows["told"].to_pylist()), kind)


def entries_of(
    told: Array, long: Mapping[tuple[int, ...], bytes], reasons: Sequence[str] = ()
) -> Entries:
    """`told` (r,) of told_type. `long`: longer names by key. `reasons`: of the failures; without
    them they are empty."""
    fits = told["length"] <= NAME_ROOM
    texts = [
        one["name"][: one["length"]].tobytes() if is_here else long[tuple(one["key"].tolist())]
        for one, is_here in zip(told, fits, strict=True)
    ]
    names, name_ends = _packed(texts)
    failures = int(np.count_nonzero(told["kind"] == Kind.FAILURE))
    given = [reason.encode() for reason in reasons] or [b""] * failures
    packed, reason_ends = _packed(given)
    photos = told["kind"] == Kind.VECTOR
    return Entries(
        names=names,
        name_ends=name_ends,
        keys=told["key"].astype(np.uint64).reshape(-1, 2),
        generations=told["generation"].copy(),
        kinds=told["kind"].copy(),
        widths=told["width"].copy(),
        heights=told["height"].copy(),
        times=told["time"].copy(),
        vectors=told["vector"][photos].astype(np.float32),
        reasons=packed,
        reason_ends=reason_ends,
        facts=told["facts"].copy(),
    )


def _told(entries: Entries, dim: int) -> Array:
    told = np.zeros(len(entries), told_type(dim))
    told["key"], told["generation"], told["time"] = entries.keys, entries.generations, entries.times
    told["width"], told["height"] = entries.widths, entries.heights
    told["kind"], told["facts"] = entries.kinds, entries.facts
    told["vector"][entries.kinds == Kind.VECTOR] = entries.vectors if len(entries.vectors) else 0
    lengths = np.diff(entries.name_ends, prepend=0)
    told["length"] = lengths
    here = np.where(lengths <= NAME_ROOM, lengths, 0)
    rows = np.repeat(np.arange(len(entries)), here)
    places = np.arange(len(rows)) - np.repeat(np.cumsum(here) - here, here)
    begins = np.repeat(entries.name_ends - lengths, here)
    told["name"][rows, places] = entries.names[begins + places]
    return told


def _reasons(entries: Entries) -> list[str | None]:
    fails = (entries.kinds == Kind.FAILURE).tolist()
    return [entries.reason(row) if failed else None for row, failed in enumerate(fails)]


def _packed(texts: Sequence[bytes]) -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.int64]]:
    ends = np.cumsum([len(text) for text in texts], dtype=np.int64)
    return np.frombuffer(b"".join(texts), np.uint8), ends


def _fixed(told: Array) -> Any:
    kind = pa.binary(told.dtype.itemsize)
    return pa.FixedSizeBinaryArray.from_buffers(
        kind, len(told), [None, pa.py_buffer(told.tobytes())]
    )


def _binary(ends: npt.NDArray[np.int64], data: bytes, kind: Any = pa.binary()) -> Any:  # noqa: B008
    offsets = np.concatenate([[0], ends]).astype(np.int32)
    return pa.Array.from_buffers(kind, len(ends), [None, *map(pa.py_buffer, (offsets, data))])
