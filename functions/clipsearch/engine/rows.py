"""Entries as rows of Arrow, and back. Needs pyarrow, which only engines bring."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from clipsearch.engine.reduced import KINDS, rank_of
from clipsearch.index.format.entries import Entries, Kind
from clipsearch.index.format.facts import FACTS, Known

Vectors = npt.NDArray[np.float32]

# The merge rule in SQL, between two rows of one photo: see Entries.winners.
WINS = (
    "target.rank < source.rank OR (target.rank = source.rank AND (target.looked < source.looked "
    "OR (target.looked = source.looked AND target.written < source.written)))"
)
# Without it, two writers at once leave a photo twice, silently. With it, Lance finds that they
# conflict, and one of them merges again: but not for keys of the type binary(16).
PRIMARY_KEY = {"lance-schema:unenforced-primary-key": "true"}


def schema_of(dim: int, metadata: dict[bytes, bytes]) -> Any:
    """The columns of a table whose vectors have `dim` numbers."""
    fields = [
        pa.field("key", pa.binary(), nullable=False, metadata=PRIMARY_KEY),
        pa.field("rank", pa.int64()),
        pa.field("looked", pa.bool_()),
        pa.field("written", pa.int64()),
        pa.field("name", pa.string()),
        pa.field("width", pa.int32()),
        pa.field("height", pa.int32()),
        pa.field("facts", pa.binary()),  # a row of FACTS
        pa.field("vector", pa.list_(pa.float16(), dim)),  # null without one
    ]
    return pa.schema(fields, metadata)


def table_of(entries: Entries, vectors: Vectors, dim: int) -> Any:
    """n rows. `vectors` (v, dim): instead of those of the entries."""
    keys = entries.keys.astype(">u8").tobytes()
    is_vector = entries.kinds == Kind.VECTOR
    every = np.zeros((len(entries), dim), np.float16)
    if len(vectors):
        every[is_vector] = vectors
    numbers = pa.array(every.reshape(-1))
    columns = [
        _binary(pa.binary(), np.arange(1, len(entries) + 1) * 16, keys),
        pa.array(rank_of(entries.generations, entries.kinds)),
        pa.array(entries.facts["flags"] & np.uint8(Known.LOOKED) > 0),
        pa.array(entries.times),
        _binary(pa.string(), entries.name_ends, entries.names.tobytes()),
        pa.array(entries.widths),
        pa.array(entries.heights),
        _binary(
            pa.binary(),
            np.arange(1, len(entries) + 1) * FACTS.itemsize,
            np.ascontiguousarray(entries.facts).tobytes(),
        ),
        pa.FixedSizeListArray.from_arrays(numbers, dim, mask=pa.array(~is_vector)),
    ]
    return pa.table(columns, schema_of(dim, {}))


def entries_of(rows: Any) -> tuple[Entries, npt.NDArray[np.float16]]:
    """The entries of r rows, all with a vector, without vectors; and those as stored (r, d)."""
    rows = rows.combine_chunks()
    names = [name.encode() for name in rows["name"].to_pylist()]
    ranks = rows["rank"].to_numpy()
    empty = Entries.from_entries([])
    entries = Entries(
        names=np.frombuffer(b"".join(names), np.uint8),
        name_ends=np.cumsum([len(name) for name in names], dtype=np.int64),
        keys=_joined(rows["key"], np.dtype(">u8")).reshape(-1, 2).astype(np.uint64),
        generations=ranks // KINDS,
        kinds=(ranks % KINDS).astype(np.uint8),
        widths=rows["width"].to_numpy(),
        heights=rows["height"].to_numpy(),
        times=rows["written"].to_numpy(),
        vectors=empty.vectors,
        reasons=empty.reasons,
        reason_ends=empty.reason_ends,
        facts=_joined(rows["facts"], FACTS),
    )
    dim = rows.schema.field("vector").type.list_size
    vectors = [np.asarray(row.values) for row in rows["vector"]]
    return entries, np.stack(vectors) if vectors else np.zeros((0, dim), np.float16)


def _binary(kind: Any, ends: npt.NDArray[np.int64], data: bytes) -> Any:
    offsets = np.concatenate([[0], ends]).astype(np.int32)
    return pa.Array.from_buffers(kind, len(ends), [None, *map(pa.py_buffer, (offsets, data))])


def _joined(column: Any, dtype: np.dtype[Any]) -> npt.NDArray[Any]:
    return np.frombuffer(b"".join(column.to_pylist()), dtype)
