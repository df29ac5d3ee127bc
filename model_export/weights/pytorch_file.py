"""A PyTorch file (`pytorch_model.bin`) -> its arrays, without torch: nothing in it is run."""

from __future__ import annotations

import zlib
from functools import partial
from pathlib import Path

import numpy as np

from model_export.errors import BadCheckpoint
from model_export.weights.named_arrays import Array, Stored
from model_export.weights.pytorch_pickle import LARGEST_PICKLE, unpickle
from model_export.weights.pytorch_values import View
from model_export.weights.pytorch_zip import Damaged, Record, Refused, find_records

ORDERS = {b"little": "<", b"big": ">"}


def read_pytorch(path: Path, where: str) -> dict[str, Stored]:
    """The arrays of a file that torch.save wrote of a state_dict. BadCheckpoint."""
    try:
        records = find_records(path)
        order = _byte_order(path, records)
        views = unpickle(_read_small(path, records["data.pkl"], LARGEST_PICKLE))
        found = {name: (view, _record(records, view)) for name, view in views.items()}
    except Refused as exc:
        raise BadCheckpoint(where, f"has a {path.name} that is not supported: {exc}") from exc
    except Damaged as exc:
        raise BadCheckpoint(where, f"has a damaged {path.name}: {exc}") from exc
    except OSError as exc:
        raise BadCheckpoint(
            where, f"has a {path.name} that cannot be read: {exc.strerror}"
        ) from exc
    return {
        name: Stored(view.shape, partial(_read_array, path, where, order, view, record))
        for name, (view, record) in found.items()
    }


def _byte_order(path: Path, records: dict[str, Record]) -> str:
    """torch.save before 2.1 wrote no such record; its files are little-endian."""
    if "byteorder" not in records:
        return "<"
    written = _read_small(path, records["byteorder"], 16)
    if written not in ORDERS:
        raise Damaged(f"its byteorder is {written!a}; little or big is allowed")
    return ORDERS[written]


def _read_small(path: Path, record: Record, most: int) -> bytes:
    if record.size > most:
        raise Refused(f"a record of {record.size} bytes has more than the {most} allowed")
    with path.open("rb") as file:
        file.seek(record.offset)
        data = file.read(record.size)
    if record.crc and zlib.crc32(data) != record.crc:
        raise Damaged("the checksum of a record is wrong")
    return data


def _record(records: dict[str, Record], view: View) -> Record:
    storage = view.storage
    record = records.get(f"data/{storage.key}")
    if record is None:
        raise Damaged(f"its record data/{storage.key[:80]!a} is missing")
    if record.size != storage.count * storage.dtype.itemsize:
        raise Damaged(f"its record data/{storage.key} has another size than its pickle says")
    return record


def _read_array(path: Path, where: str, order: str, view: View, record: Record) -> Array:
    size = view.storage.dtype.itemsize
    try:
        numbers = np.fromfile(
            path, f"{order}u{size}", view.span, offset=record.offset + view.offset * size
        )
    except OSError as exc:
        raise BadCheckpoint(
            where, f"has a {path.name} that cannot be read: {exc.strerror}"
        ) from exc
    if numbers.size != view.span:
        raise BadCheckpoint(where, f"has a {path.name} that became shorter since it was opened")
    if view.span == view.storage.count and record.crc and zlib.crc32(numbers.data) != record.crc:
        raise BadCheckpoint(where, f"has a damaged {path.name}: a checksum is wrong")
    native = numbers.astype(f"=u{size}", copy=False).view(view.storage.dtype)
    steps = tuple(step * size for step in view.strides)
    array = np.lib.stride_tricks.as_strided(native, view.shape, steps)
    return array if array.flags.c_contiguous else array.copy()
