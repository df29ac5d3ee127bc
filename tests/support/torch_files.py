"""Files as torch.save writes them, made by hand: whole ones, and ones that it would not write."""

from __future__ import annotations

import struct
import zipfile
from collections.abc import Mapping
from pathlib import Path

import numpy as np

KINDS = {
    "float32": "FloatStorage",
    "float16": "HalfStorage",
    "float64": "DoubleStorage",
    "int64": "LongStorage",
    "int32": "IntStorage",
    "int16": "ShortStorage",
    "int8": "CharStorage",
    "uint8": "ByteStorage",
    "bool": "BoolStorage",
}
ORDERED_DICT = b"ccollections\nOrderedDict\n)R"


def text(value: str) -> bytes:
    encoded = value.encode()
    return b"X" + struct.pack("<I", len(encoded)) + encoded


def number(value: int) -> bytes:
    if -(1 << 31) <= value < 1 << 31:
        return b"J" + struct.pack("<i", value)
    encoded = value.to_bytes(value.bit_length() // 8 + 1, "little", signed=True)
    return b"\x8a" + bytes([len(encoded)]) + encoded


def tuple_of(*parts: bytes) -> bytes:
    return b"(" + b"".join(parts) + b"t"


def numbers(values: tuple[int, ...]) -> bytes:
    return tuple_of(*map(number, values))


def storage(count: int, key: str = "0", kind: str = "FloatStorage") -> bytes:
    parts = text("storage"), f"ctorch\n{kind}\n".encode(), text(key), text("cpu"), number(count)
    return tuple_of(*parts) + b"Q"


def tensor(
    part: bytes,
    shape: tuple[int, ...],
    strides: tuple[int, ...],
    offset: int = 0,
    more: bytes = b"",
) -> bytes:
    arguments = tuple_of(
        part, number(offset), numbers(shape), numbers(strides), b"\x89", ORDERED_DICT, more
    )
    return b"ctorch._utils\n_rebuild_tensor_v2\n" + arguments + b"R"


def dictionary(**values: bytes) -> bytes:
    items = b"".join(text(name) + value for name, value in values.items())
    return b"\x80\x02}(" + items + b"u."


def write_zip(path: Path, records: Mapping[str, bytes], *, compression: int = 0) -> Path:
    with zipfile.ZipFile(path, "w", compression) as archive:
        for name, data in records.items():
            archive.writestr(f"archive/{name}", data)
    return path


def write_pickle(path: Path, pickle: bytes, data: bytes = bytes(24)) -> Path:
    """A file whose one storage, "0", has `data`: six float32 by default."""
    return write_zip(path, {"data.pkl": pickle, "byteorder": b"little", "data/0": data})


def write_arrays(path: Path, arrays: Mapping[str, np.ndarray]) -> Path:
    """Each array in a storage of its own."""
    records = {"byteorder": b"little"}
    parts = {}
    for key, (name, array) in enumerate(arrays.items()):
        strides = tuple(step // array.itemsize for step in array.strides)
        parts[name] = tensor(
            storage(array.size, str(key), KINDS[array.dtype.name]), array.shape, strides
        )
        records[f"data/{key}"] = array.tobytes()
    return write_zip(path, {"data.pkl": dictionary(**parts), **records})
