"""What a pickle of tensors may mean: storages, parts of them, and the names of their types."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import ml_dtypes
import numpy as np
from numpy.typing import DTypeLike

from model_export.weights.pytorch_zip import Damaged, Refused

MOST_DIMENSIONS = 16

ORDERED_DICT = "collections OrderedDict"
REBUILD_TENSOR = "torch._utils _rebuild_tensor_v2"
STORAGES: dict[str, DTypeLike] = {
    "torch FloatStorage": np.float32,
    "torch HalfStorage": np.float16,
    "torch BFloat16Storage": ml_dtypes.bfloat16,
    "torch DoubleStorage": np.float64,
    "torch LongStorage": np.int64,
    "torch IntStorage": np.int32,
    "torch ShortStorage": np.int16,
    "torch CharStorage": np.int8,
    "torch ByteStorage": np.uint8,
    "torch BoolStorage": np.bool_,
}


@dataclass(frozen=True, slots=True)
class Storage:
    """The record `data/KEY`: `count` numbers of `dtype` in a row."""

    key: str
    dtype: np.dtype[Any]
    count: int


@dataclass(frozen=True, slots=True)
class View:
    """The numbers of an array in its storage; `offset` and `strides` count numbers, not bytes.
    All of them are inside the storage."""

    storage: Storage
    offset: int
    shape: tuple[int, ...]
    strides: tuple[int, ...]

    @property
    def span(self) -> int:
        """Numbers from the first to the last one that the array has, both included."""
        return 1 + sum((n - 1) * step for n, step in zip(self.shape, self.strides, strict=True))


@dataclass(frozen=True, slots=True)
class Global:
    """A name that the pickle may use. It is never imported."""

    name: str


def known_global(name: str) -> Global:
    if name not in STORAGES and name not in (ORDERED_DICT, REBUILD_TENSOR):
        shown = ascii(name[:80].replace(" ", "."))[1:-1]
        raise Refused(f"its pickle names {shown}; only plain tensors are read")
    return Global(name)


def call(function: Any, arguments: Any) -> Any:
    name = of_type(function, Global).name
    arguments = of_type(arguments, tuple)
    if name == ORDERED_DICT and not arguments:
        return {}
    if name == REBUILD_TENSOR:
        return _view(arguments)
    raise Refused(f"its pickle calls {name.replace(' ', '.')} in a way that torch.save does not")


def storage_of(identity: Any) -> Storage:
    """From ("storage", type, key, device, count)."""
    if len(of_type(identity, tuple)) != 5:
        raise Damaged("its pickle describes a storage with too few or too many values")
    _, kind, key, _, count = identity
    name = of_type(kind, Global).name
    if name not in STORAGES:
        raise Damaged(f"its pickle uses {name.replace(' ', '.')} as a type of numbers")
    return Storage(of_type(key, str), np.dtype(STORAGES[name]), _natural(count))


def _view(arguments: tuple[Any, ...]) -> View:
    """From (storage, offset, shape, strides, requires_grad, hooks)."""
    if len(arguments) != 6:  # a seventh says that numbers are negated or conjugated
        raise Refused("it has a tensor that is more than numbers in a storage")
    storage, offset, shape, strides, _, _ = arguments
    storage, shape, strides = of_type(storage, Storage), _naturals(shape), _naturals(strides)
    if len(shape) != len(strides) or len(shape) > MOST_DIMENSIONS:
        raise Damaged("its pickle describes a tensor with impossible dimensions")
    if 0 in shape:
        raise Refused("it has a tensor without numbers")
    # a step that is never taken may be any number
    strides = tuple(step if n > 1 else 0 for n, step in zip(shape, strides, strict=True))
    view = View(storage, _natural(offset), shape, strides)
    if view.offset + view.span > storage.count or math.prod(shape) > storage.count:
        raise Damaged("its pickle describes a tensor that is larger than its storage")
    return view


def _naturals(values: Any) -> tuple[int, ...]:
    return tuple(_natural(value) for value in of_type(values, tuple))


def _natural(value: Any) -> int:
    if of_type(value, int) < 0:
        raise Damaged("its pickle has a negative size")
    return int(value)


def of_type(value: Any, wanted: type) -> Any:
    """`value`, which is of exactly that type; True is no int."""
    if type(value) is not wanted:
        raise Refused(f"its pickle has a {kind_of(value)} where a {wanted.__name__} belongs")
    return value


def kind_of(value: Any) -> str:
    return value.name.replace(" ", ".") if isinstance(value, Global) else type(value).__name__
